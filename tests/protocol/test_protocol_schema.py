"""The published JSON Schema: not stale, true of the shipped protocols, and awake to mistakes."""

from __future__ import annotations

import json
import tomllib

import jsonschema
import pytest

from kerp.base.data import DATA
from kerp.protocol.load import protocol_ids
from kerp.protocol.schema import SCHEMA_ID, protocol_schema

PUBLISHED = json.loads((DATA / "schemas" / SCHEMA_ID).read_text())
VALIDATOR = jsonschema.Draft202012Validator(PUBLISHED)


def toml(identifier: str):
    return tomllib.loads((DATA / "protocols" / f"{identifier}.toml").read_text())


def test_the_published_schema_is_the_one_of_the_model():
    assert protocol_schema() == PUBLISHED, "run: python tools/schemas.py"


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)


@pytest.mark.parametrize("identifier", protocol_ids())
def test_a_shipped_protocol_fits_the_schema_and_names_it(identifier):
    assert [error.message for error in VALIDATOR.iter_errors(toml(identifier))] == []
    path = DATA / "protocols" / f"{identifier}.toml"
    line = path.read_text().splitlines()[0]
    assert (path.parent / line.removeprefix("#:schema ")).resolve() == (DATA / "schemas" / SCHEMA_ID).resolve()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p.pop("id"),
        lambda p: p.update(colour="red"),
        lambda p: p["dose"].update(max_dose_mg=60),
        lambda p: p["dose"]["duration_min"].pop("source"),
        lambda p: p["rules"][0].update(level="shout"),
        lambda p: p["rules"][0].update(kind="bp"),
        lambda p: p["dose"].update(doses_total=0),
        lambda p: p["sessions"][0].pop("kind"),
    ],
)
def test_a_spoilt_protocol_does_not_fit(spoil):
    data = toml("bottemanne2021-iv")
    spoil(data)
    assert list(VALIDATOR.iter_errors(data))


def test_a_variant_may_leave_out_what_it_inherits_but_not_invent_names():
    variant = {"inherits": "bottemanne2021-iv", "id": "site", "rules": [{"id": "bp_stop", "active": False}]}
    assert list(VALIDATOR.iter_errors(variant)) == []
    assert list(VALIDATOR.iter_errors(variant | {"rulez": []}))
    assert list(VALIDATOR.iter_errors({"id": "site"}))
