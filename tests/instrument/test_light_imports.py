"""The session engine may score: what it imports for that is the standard library and kerp's plain rooms."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["model", "score", "outcome", "rise"])
def test_scoring_loads_no_library_beyond_the_standard_one(module):
    program = f"import sys, kerp.instrument.{module}; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pydantic", "numpy", "click", "tomllib", "socket", "datetime"} & set(loaded)
