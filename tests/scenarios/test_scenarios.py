"""Every scenario file says in words what a clinician expects, and in data what the engine must say when."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from kerp.base.elapsed import ms_from_min
from kerp.base.seeds import Stream, generator
from kerp.protocol.load import load_protocol, protocol_ids
from kerp.records.logfile import lines, read_log_bytes
from kerp.session.codec import decode_event
from kerp.session.fold import fold
from kerp.session.rules import COURSE_RULES, SESSION_RULES
from kerp.session.status import Status, status
from kerp.simulate.course import OPENED, _Course, beliefs_about
from kerp.simulate.desk import Desk
from kerp.simulate.person import SimplePerson
from kerp.simulate.rater import Rater
from kerp.simulate.traits import Traits

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*.toml"))
SESSION = "dosing"
RECORDERS = {"vitals": "nurse", "sedation": "nurse"}


class Played:
    """A scenario played through the engine: before minute 0 by the simulated team, the rest by the file."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self.scenario = scenario
        self.resolved = load_protocol(scenario["protocol"])
        self.desk = Desk(self.resolved.protocol, OPENED, generator(1, Stream.PROCESS))
        self._prepare(Traits(code="SCENARIO", **scenario.get("participant", {})))
        self.t0_ms = self.desk.now_ms + ms_from_min(5)
        for minute, role, event, late_min in sorted(self._rows(), key=lambda row: row[0]):
            self._tell(minute, role, event, late_min)

    def _prepare(self, traits: Traits) -> None:
        person = SimplePerson(traits, "kamp2020", generator(1, Stream.MEASUREMENT))
        from kerp.session.events import Origin, SessionOpened

        course = _Course(
            self.resolved,
            self.desk,
            person,
            Rater(person, generator(1, Stream.PATIENT), beliefs_about(1, self.resolved.protocol.dose)),
            Origin.SIMULATED,
            given=self.resolved.protocol.dose,
        )
        course._open()
        for visit in self.resolved.protocol.visits:
            if visit.day < 0:
                self.desk.go_to(course.lead + round(visit.day), 10.0)
                course._visit(visit)
        self.desk.go_to(course.lead, 8.0)
        self.desk.must(SessionOpened(plan=SESSION), "coordinator", SESSION)
        sitting = course._sitting(self.resolved.protocol.session(SESSION), SESSION)
        course._until_ready(sitting)

    def _rows(self) -> list[tuple[float, str, dict[str, Any], float]]:
        rows = []
        for name, series in self.scenario.get("series", {}).items():
            who = RECORDERS.get(name, "therapist")
            rows += [(float(minute), who, self._rating(name, value), 0.0) for minute, value in series.items()]
        for row in self.scenario.get("event", []):
            rows.append((float(row["min"]), row.get("role", "therapist"), dict(row["do"]), row.get("late_min", 0.0)))
        return rows

    @staticmethod
    def _rating(name: str, value: Any) -> dict[str, Any]:
        if name == "vitals":
            systolic, diastolic = (int(part) for part in str(value).split("/"))
            return {
                "type": "vitals",
                "systolic_mmhg": systolic,
                "diastolic_mmhg": diastolic,
                "heart_rate_per_min": 75,
                "spo2_pct": 98,
            }
        return {"type": name, ("moaas" if name == "sedation" else "value"): value}

    def _tell(self, minute: float, role: str, event: dict[str, Any], late_min: float) -> None:
        self.desk.now_ms = self.t0_ms + ms_from_min(minute)
        if event.get("entry") == "last_weight":
            weighed = [e for e in self.desk.entries if e.event.type == "weight"]
            event["entry"] = weighed[-1].id
        self.desk.record(decode_event(event), role, SESSION, late_ms=ms_from_min(late_min))

    def at(self, minute: float) -> Status:
        return status(self.resolved.protocol, self.desk.state, self.t0_ms + ms_from_min(minute), SESSION)


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.stem)
def played(request: pytest.FixtureRequest) -> Played:
    return Played(tomllib.loads(request.param.read_text(encoding="utf-8")))


def test_the_engine_says_what_the_clinician_expects(played: Played) -> None:
    assert played.scenario["expects"], "say in words what a clinician expects"
    assert played.scenario["expect"], "say in data what the engine must say"
    for wanted in played.scenario["expect"]:
        _check(played.at(wanted["min"]), wanted)


def _check(shown: Status, wanted: dict[str, Any]) -> None:
    view, place = shown.view, f"minute {wanted['min']}"
    assert view is not None
    rules = {advice.rule_id for advice in shown.advice}
    if "phase" in wanted:
        assert view.phase is not None, place
        assert view.phase.id == wanted["phase"], place
    if "drug" in wanted:
        assert view.drug.status == wanted["drug"], place
    if "open_blocks" in wanted:
        assert len(view.exposure.open_blocks) == wanted["open_blocks"], place
    assert set(wanted.get("advice", [])) <= rules, f"{place}: {rules}"
    assert not set(wanted.get("no_advice", [])) & rules, place
    proposed = {str(advice.proposes) for advice in shown.advice}
    assert set(wanted.get("proposes", [])) <= proposed, f"{place}: {proposed}"
    assert not set(wanted.get("does_not_propose", [])) & proposed, place
    kinds = {deviation.kind for deviation in shown.deviations}
    assert set(wanted.get("deviations", [])) <= kinds, f"{place}: {kinds}"
    if "step" in wanted:
        assert {a.step for a in shown.advice if a.rule_id == "paradoxical_anxiety"} == {wanted["step"]}, place
    for name in ("onset", "peak", "resolved"):
        if f"{name}_min" in wanted:
            at_ms = getattr(view.effect, f"{name}_ms")
            found = None if at_ms is None else (at_ms - view.t0_ms) / 60_000
            assert found == wanted[f"{name}_min"] or (found is None and wanted[f"{name}_min"] < 0), (
                f"{place}: {found}"
            )
    if "habituation" in wanted:
        assert any(fall.is_habituation for fall in shown.falls) is wanted["habituation"], f"{place}: {shown.falls}"
    if "blockers" in wanted:
        assert set(wanted["blockers"]) <= {blocker.id for blocker in shown.blockers}, place


def test_a_scenario_replays_from_its_log_file_to_the_same_state(played: Played) -> None:
    protocol = played.resolved.protocol
    raw = "".join(lines(played.desk.entries, protocol)).encode()
    log = read_log_bytes(raw, where="scenario")
    again = fold(protocol, log.entries)
    end = max(entry.recorded_ms for entry in log.entries)
    assert status(protocol, again, end).as_dict() == status(protocol, played.desk.state, end).as_dict()


def test_a_power_cut_in_the_middle_loses_only_the_line_being_written(played: Played) -> None:
    protocol = played.resolved.protocol
    entries = played.desk.entries
    middle = len(entries) * 3 // 4
    raw = "".join(lines(entries[:middle], protocol)).encode()
    log = read_log_bytes(raw[:-20], where="scenario")
    assert "cut off" in log.warnings[0]
    assert list(log.entries) == entries[: middle - 1]
    rest = fold(protocol, entries[middle - 1 :], fold(protocol, log.entries))
    end = entries[-1].recorded_ms
    assert status(protocol, rest, end).as_dict() == status(protocol, played.desk.state, end).as_dict()


def test_every_shipped_rule_kind_is_known_to_the_engine() -> None:
    for identifier in protocol_ids():
        for rule in load_protocol(identifier).protocol.rules:
            assert rule.kind in SESSION_RULES or rule.kind in COURSE_RULES, f"{identifier}: {rule.kind}"


def test_the_scenarios_of_the_plan_are_all_there() -> None:
    wanted = {
        "uneventful_iv", "uneventful_nasal_56", "paused_for_blood_pressure", "paradoxical_anxiety",
        "patient_says_stop",
        "early_onset", "no_felt_effect", "taboo_theme_covert_rituals", "power_cut", "wrong_weight_found_late",
        "two_devices_as_one", "ybocs_on_the_dose_day",
    }  # fmt: skip
    assert wanted <= {path.stem for path in FILES}
