import importlib.util
from pathlib import Path

import pytest

from kerp.drug.model import load_model
from kerp.drug.population import people


@pytest.fixture(scope="session")
def published():
    """The table of published figures beside these tests."""
    spec = importlib.util.spec_from_file_location("drug_published", Path(__file__).parent / "published.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def adult():
    return people(70.0, 40.0)


@pytest.fixture(scope="session")
def kamp():
    return load_model("kamp2020")


@pytest.fixture(scope="session")
def nasal():
    return load_model("perezruixo2021")
