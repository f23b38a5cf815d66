"""What every test shares. The browser driver keeps an event loop in the thread that tests run in; Django takes that
for asynchronous code and refuses the database. The tests are not asynchronous, so it is told to go on.
"""

import os

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def playing() -> Iterator[Any]:
    """The browser driver; one process can hold only one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright
