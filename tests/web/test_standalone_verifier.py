"""The stand-alone verifier: what the application exports holds, and every planted change is found and placed."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from kerp.session import events as ev
from kerp.web.actions import record
from kerp.web.office.export import log_text

FILE = Path(__file__).parents[2] / "src" / "kerp" / "web" / "static" / "kerp" / "verify_record.py"
spec = importlib.util.spec_from_file_location("verify_record", FILE)
verifier = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verifier)


def append(team, event, role="nurse", session="dosing-1"):
    submitted = record.Submitted(id=uuid.uuid4(), event=event, role=role, session=session)
    return record.append(log_id=team.log.id, actor=team[role].username, submitted=submitted).entry


@pytest.fixture
def exported(team, tmp_path):
    """A log with a signed session and one entry after the signature: the file, and its printed head."""
    append(team, ev.SessionOpened(plan="dosing"))
    for value in (30, 60, 45):
        append(team, ev.SudsRated(value=value))
    append(team, ev.Debrief(learned="what was feared did not happen"), "therapist")
    log = team.log
    signed = ev.Signature(name="Paul", meaning="responsible", through_seq=log.head_seq, record_digest=log.head_hash)
    append(team, signed, "prescriber")
    append(team, ev.SudsRated(value=10))
    path = tmp_path / "S1-001.kerplog"
    path.write_text(log_text(team.log, with_text=True), encoding="utf-8")
    return path, team.log.head_hash


def verify(capsys, *arguments):
    code = verifier.main([*map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def changed(path, change, *, rehash=False):
    """The file with its records changed; `rehash` makes the whole chain anew, as a forger would."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    records = change(records) or records
    if rehash:
        before = verifier.GENESIS
        for one in records:
            content = one["entry"] if "entry" in one else {k: v for k, v in one.items() if k != "hash"}
            before = one["hash"] = verifier.chain_hash(before, content)
    path.write_text("".join(verifier.canonical(one) + "\n" for one in records), encoding="utf-8")


def test_what_the_application_exports_holds_against_its_printed_head(exported, capsys):
    path, head = exported
    code, found = verify(capsys, path, "--head", head)
    assert (code, found["verified"], found["faults"]) == (0, True, [])
    (log,) = found["logs"]
    assert log["head"] == head
    assert log["printed"] == [log["entries"]]
    (signature,) = log["signatures"]
    assert (signature["result"], signature["unsigned_later"]) == ("holds", 1)


def test_it_runs_alone_without_any_installed_package(exported):
    path, head = exported
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(FILE), str(path.parent), "--head", head[:16]],
        capture_output=True,
        text=True,
        check=False,
        cwd=path.parent,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("verified\n")
    assert "Paul" in done.stdout


def test_it_imports_nothing_but_the_standard_library():
    tree = ast.parse(FILE.read_text())
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in named} <= set(sys.stdlib_module_names)


def later(raw, old, new):
    """Replaced once, behind the opening line."""
    first, rest = raw.split(b"\n", 1)
    assert old in rest
    return first + b"\n" + rest.replace(old, new, 1)


def _suds(records):
    return next(one for one in records if one.get("entry", {}).get("event", {}).get("type") == "suds")["entry"]


def _value(records):
    _suds(records)["event"]["value"] = 31


def _time(records):
    _suds(records)["occurred_ms"] += 1


def _actor(records):
    _suds(records)["actor"] = "therapist"


def _left_out(records):
    del records[3]


def _twice(records):
    records.insert(4, records[3])


def _swapped(records):
    records[3], records[4] = records[4], records[3]


def _threshold(records):
    records[0]["protocol"]["title"] += "!"


def _surplus(records):
    records[3]["note"] = "x"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (_value, 4),
        (_time, 4),
        (_actor, 4),
        (_left_out, 4),
        (_twice, 5),
        (_swapped, 4),
        (_threshold, 1),
        (_surplus, 4),
    ],
)
def test_a_planted_change_is_found_at_its_line(exported, capsys, change, line):
    path, head = exported
    changed(path, change)
    code, found = verify(capsys, path, "--head", head)
    assert code == 1
    assert found["faults"][0]["line"] == line


@pytest.mark.parametrize("change", [_value, _actor])
def test_a_chain_made_anew_after_a_change_breaks_the_signature_and_the_printed_head(exported, capsys, change):
    path, head = exported
    changed(path, change, rehash=True)
    code, found = verify(capsys, path)
    assert code == 1
    assert "what was signed" in found["faults"][0]["what"]
    code, found = verify(capsys, path, "--head", head)
    assert any("printed head" in fault["what"] for fault in found["faults"])


def test_a_change_after_the_signature_with_a_chain_made_anew_is_found_by_the_printed_head_only(exported, capsys):
    path, head = exported

    def last(records):
        records[-1]["entry"]["event"]["value"] = 90

    changed(path, last, rehash=True)
    assert verify(capsys, path)[0] == 0
    assert verify(capsys, path, "--head", head)[0] == 1


def test_a_protocol_exchanged_with_a_chain_made_anew_is_not_the_one_the_log_was_opened_with(exported, capsys):
    path, _ = exported
    changed(path, _threshold, rehash=True)
    _, found = verify(capsys, path)
    assert any("protocol in line 1" in fault["what"] for fault in found["faults"])


def test_a_signature_that_covers_what_came_after_it_is_refused(exported, capsys):
    path, _ = exported

    def forward(records):
        entry = next(
            one["entry"] for one in records if one.get("entry", {}).get("event", {}).get("type") == "signature"
        )
        entry["event"]["through_seq"] = entry["seq"] + 1

    changed(path, forward, rehash=True)
    _, found = verify(capsys, path)
    assert any("not before it" in fault["what"] for fault in found["faults"])


def test_a_log_that_went_on_after_its_head_was_printed_still_holds(exported, team, capsys):
    path, head = exported
    append(team, ev.SudsRated(value=5))
    path.write_text(log_text(team.log, with_text=True), encoding="utf-8")
    code, found = verify(capsys, path, "--head", head)
    assert code == 0
    assert found["logs"][0]["printed"] == [found["logs"][0]["entries"] - 1]


def test_an_export_without_free_text_says_that_its_signatures_are_not_checkable(exported, team, capsys):
    path, _ = exported
    path.write_text(log_text(team.log, with_text=False), encoding="utf-8")
    code, found = verify(capsys, path)
    assert code == 0
    assert "not checkable" in found["logs"][0]["signatures"][0]["result"]


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda raw: raw[:-1], None),
        (lambda raw: raw[: len(raw) // 2], None),
        (lambda raw: b"", 1),
        (lambda raw: b"{}\n", 1),
        (lambda raw: b"[" * 100_000 + b"\n", 1),
        (lambda raw: later(raw, b'"suds"', b'"suds","type":"suds"'), 4),
        (lambda raw: later(raw, b'"value":30', b'"value":99,"value":30'), 4),
        (lambda raw: later(raw, b'"value":30', b'"value":30.0'), 4),
        (lambda raw: later(raw, b'"value":30', b'"value":NaN'), 4),
        (lambda raw: raw + b"\xff\n", None),
    ],
)
def test_a_damaged_file_is_a_finding_and_never_a_traceback(exported, capsys, spoil, line):
    path, _ = exported
    raw = path.read_bytes()
    path.write_bytes(spoil(raw))
    code, found = verify(capsys, path)
    assert code == 1
    if line:
        assert found["faults"][0]["line"] == line


@pytest.mark.parametrize("arguments", [["missing.kerplog"], ["--head", "abc"], []])
def test_a_question_that_makes_no_sense_ends_with_2(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        verifier.main(arguments or [str(tmp_path)])
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_a_study_is_verified_as_a_folder_and_a_strange_head_is_named(exported, capsys):
    path, head = exported
    code, found = verify(capsys, path.parent, "--head", head, "--head", "f" * 64)
    assert code == 1
    assert found["faults"] == [
        {"file": "", "line": 0, "what": f"the printed head {'f' * 64} is of none of these logs"}
    ]
