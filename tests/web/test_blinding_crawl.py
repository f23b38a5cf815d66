"""Every address as every blinded role, read and posted to: no page, header, export or error tells an arm (M8).

On SQLite only: what is looked at is the application, and the crawl is long. `test_blinding` checks the detector.
"""

from __future__ import annotations

import pytest
from django.urls import reverse
from web_crawl import every_address

from kerp.web.access import matrix

SECRET = (b"verum-q7", b"placebo-x9")
PASSWORD = "a long sentence for tests"


def prove(browser):
    browser.post(reverse("account_reauthenticate"), {"password": PASSWORD, "next": "/"})
    return browser


def tells(answer):
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    headers = str(answer.headers).encode()
    return any(word in body or word in headers for word in SECRET)


@pytest.mark.parametrize("role", sorted(set(matrix().roles) - {"pharmacist", "statistician"}))
def test_no_page_and_no_export_tells_a_blinded_role_an_arm(signed_in, blinded, role):
    browser = prove(signed_in(role))
    for name, address in every_address(blinded):
        for answer in (browser.get(address), browser.post(address, {"with_text": "on", "reason": "a test"})):
            assert answer.status_code < 500, (name, answer.status_code)
            assert not tells(answer), (name, answer.status_code)
