"""What pages say: acts of the audit trail in words, account pages like the rest of the office."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import kerp.web
from kerp.web.office import acts

KINDS = {act.partition(".")[0] for act in acts.ACTS}
TITLE_CASE = re.compile(r"<(h1|h2|th|label|button|title|dt)\b[^>]*>\s*([^<]*?[a-z]\s+[A-Z][a-z]+[^<]*)<")


def written():
    """Every act that the code writes."""
    for source in Path(kerp.web.__file__).parent.rglob("*.py"):
        if source.name in ("acts.py", "settings.py"):
            continue
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            said = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if re.fullmatch(r"[a-z_]+\.(?!toml)[a-z_]+", said) and said.partition(".")[0] in KINDS:
                yield said


def test_every_act_that_is_written_has_words_and_no_words_are_left_over():
    assert set(written()) == set(acts.ACTS)


@pytest.mark.django_db
def test_the_audit_trail_says_acts_in_words_with_the_code_beside_them_and_both_are_found(signed_in, team):
    coordinator = signed_in("coordinator")
    shown = coordinator.get("/audit/").content.decode()
    assert "Participant registered" in shown
    assert "<code>participant.registered</code>" in shown
    assert f"<strong>{team.participant.code}</strong>" in shown
    for wanted in ("registered", "PARTICIPANT REG", "participant.registered"):
        assert "Participant registered" in coordinator.get("/audit/", {"find": wanted}).content.decode()
    assert "Participant registered" not in coordinator.get("/audit/", {"find": "stopping"}).content.decode()


@pytest.mark.parametrize(
    "page",
    ["factors/", "factors/totp/activate/", "sessions/", "password/change/", "logout/", "inactive/", "preferences/"],
)
def test_account_pages_are_written_in_sentence_case(signed_in, page):
    answer = signed_in("coordinator").get(f"/account/{page}", follow=True)
    assert answer.status_code == 200
    assert TITLE_CASE.findall(answer.content.decode()) == []
