"""The published description of the interface, and requests made from it: no server error, no stray answer."""

from __future__ import annotations

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from kerp.session import events as ev
from kerp.web.actions import record
from kerp.web.bedside.schema import openapi

METHODS = {"get", "post"}
OPERATIONS = [(path, method) for path, held in openapi()["paths"].items() for method in sorted(METHODS & set(held))]


def operation(path, method):
    return schemathesis.openapi.from_dict(openapi())[path][method.upper()]


@pytest.fixture
def nurse(signed_in, team):
    import uuid

    opened = record.Submitted(
        id=uuid.uuid4(), event=ev.SessionOpened(plan="dosing"), session="dosing-1", role="nurse"
    )
    record.append(log_id=team.log.id, actor="nurse", submitted=opened)
    return signed_in("nurse")


def sent(client, team, path, method, case):
    """The generated request at the session that is there; the body and the query as they were made."""
    address = path.format(log=team.log.id, session="dosing-1")
    if method == "get":
        return client.get(address, {name: text(value) for name, value in (case.query or {}).items()})
    body = json.dumps(case.body, default=str) if not isinstance(case.body, bytes) else case.body
    return client.post(address, body, content_type="application/json")


def text(value):
    """A value as it stands in a query; half a surrogate cannot be sent at all."""
    return str(value).encode("utf-8", "replace").decode()


def tried(path, method, nurse, team, examples, modes):
    config = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    answers = set()
    for mode in modes:
        from hypothesis import given

        @config
        @given(case=operation(path, method).as_strategy(generation_mode=mode))
        def one(case):
            answer = sent(nurse, team, path, method, case)
            assert answer.status_code in {200, 400, 404, 409}, (answer.status_code, case.body, answer.content[:200])
            if answer.status_code in {400, 409} and "json" in answer.headers["Content-Type"]:
                held = answer.json()
                assert held.get("faults") or held.get("outcomes") or held.get("error")
            answers.add(answer.status_code)

        one()
    return answers


POST = [(path, method) for path, method in OPERATIONS if method == "post"]
GET = [(path, method) for path, method in OPERATIONS if method == "get" and not path.endswith("stream")]


@pytest.mark.parametrize(("path", "method"), POST)
def test_requests_made_from_the_description_find_no_server_error(nurse, team, path, method):
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    assert tried(path, method, nurse, team, 4, modes) & {200, 400}


@pytest.mark.parametrize(("path", "method"), GET)
def test_readings_made_from_the_description_find_no_server_error(nurse, team, path, method):
    assert tried(path, method, nurse, team, 4, modes_of(path, method)) & {200, 400, 404}


def modes_of(path, method):
    """Also what the description does not allow, where it allows a query at all: the path is that of the session."""
    asked = [one for one in openapi()["paths"][path][method].get("parameters", []) if one["in"] == "query"]
    both = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    return both if asked else both[:1]


WRONG = ("\u00b2", "\u0663", "-1", "1e3", "1.5", "", "NaN", "inf", "\x00", "9" * 400, "[]", "\U0001d7d8")


@pytest.mark.parametrize("name", ["devices", "weight_kg", "concentration_mg_per_ml", "weight_confirmed"])
@pytest.mark.parametrize("value", WRONG)
def test_whatever_is_typed_for_a_number_of_the_dose_is_answered(nurse, team, name, value):
    answer = nurse.get(f"/api/sessions/{team.log.id}/dosing-1/dose", {"weight_kg": "70"} | {name: value})
    assert answer.status_code in {200, 400}
    if name == "devices" and value:
        assert answer.status_code == 400


@pytest.mark.parametrize("value", WRONG)
def test_whatever_is_given_as_the_place_to_read_on_from_is_answered(nurse, team, value):
    answer = nurse.get(f"/api/sessions/{team.log.id}/dosing-1/entries", {"since": value})
    assert answer.status_code == (200 if value == "" else 400)


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), POST)
def test_many_requests_made_from_the_description_find_no_server_error(nurse, team, path, method):
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    assert tried(path, method, nurse, team, 300, modes) & {200, 400}
