"""What the report rests on: its references, and every recalled or assumed number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from kerp.evidence.references import as_text as reference_text
from kerp.evidence.references import reference, references
from kerp.evidence.sourced import Mark, Sourced
from kerp.evidence.used import collect, walk
from kerp.instrument.load import load_instrument
from kerp.protocol.model import Protocol
from kerp.records.course import Course
from kerp.report.page import Listing, Section, Table, Text
from kerp.report.session.drug import DrugPicture
from kerp.report.session.score_tables import Rated, outcome_rules_used

Part = tuple[str, Any]  # a name for people, and frozen data whose numbers were used


def used_parts(course: Course, rated: Sequence[Rated], pictures: Sequence[DrugPicture]) -> tuple[Part, ...]:
    """Everything the report took a number from, once."""
    found: list[Part] = [("Protocol", _of_protocol(course.protocol, course))]
    models = [part for picture in pictures for part in picture.used]
    found.append(("Drug models", tuple(dict.fromkeys(models)) if _hashable(models) else _once(models)))
    names = dict.fromkeys(item.instrument.id for item in rated)
    found.append(("Instruments", {name: _of_instrument(name) for name in names}))
    rules = outcome_rules_used(rated)
    found.append(("Outcome rules", {item.id: item.criteria for item in rules}))
    return tuple(found)


def _hashable(models: Sequence[Any]) -> bool:
    try:
        hash(tuple(models))
    except TypeError:
        return False
    return True


def _once(models: Sequence[Any]) -> tuple[Any, ...]:
    found: list[Any] = []
    for model in models:
        if all(model is not other for other in found):
            found.append(model)
    return tuple(found)


def _of_protocol(protocol: Protocol, course: Course) -> dict[str, Any]:
    """The parts of the protocol that this course touched: what gated it, and the sessions that were held."""
    held = {record.plan_id for record in course.state.sessions}
    return {
        "criteria": [item for item in protocol.criteria if item.active],
        "planning": protocol.planning,
        "dose": protocol.dose,
        "effect_rule": protocol.effect_rule,
        "sessions": [plan for plan in protocol.sessions if plan.id in held],
        "visits": protocol.visits,
        "rules": [rule for rule in protocol.rules if rule.active],
        "discharge": [item for item in protocol.discharge if item.active],
    }


def _of_instrument(name: str) -> dict[str, Any]:
    found = load_instrument(name)
    return {"period": found.period, "missing": found.missing, "bands": found.bands, "flags": found.flags}


def evidence_sections(parts: Sequence[Part], rated: Sequence[Rated]) -> tuple[Section, ...]:
    """References, and the numbers that nobody has read in a source."""
    used = collect(*(part for _, part in parts), sources=_sources(rated))
    weak = tuple(weak_table(name, part) for name, part in parts)
    shown = tuple(table for table in weak if table.rows)
    count = sum(len(table.rows) for table in shown)
    lead = (
        f"These {count} entries hold every number behind this report that was recalled from memory or assumed by us; "
        "all others were read in the source they name. Verify before relying on any of them."
    )
    claims = f"Claims of the paper it follows: {', '.join(used.claims)}." if used.claims else ""
    listed = Listing(tuple(reference_text(reference(name)) for name in used.references))
    blocks = (Text(claims), listed) if claims else (listed,)
    return (
        Section("references", "References", blocks),
        Section("assumed", "Recalled and assumed numbers", (Text(lead, "note"), *shown)),
    )


def _sources(rated: Sequence[Rated]) -> tuple[str, ...]:
    known = references()
    named = [source for item in rated for source in item.instrument.sources]
    return tuple(dict.fromkeys(name for name in named if name in known))


def weak_table(name: str, part: Any) -> Table:
    """Numbers of one part that are recalled or assumed, each with its path, unit, source and note."""
    rows = list(dict.fromkeys(_weak(part)))
    return Table(f"{name}: recalled or assumed", ("number", "value", "mark", "source", "note"), rows)


Weak = tuple[str, str, str, str, str]


def _weak(part: Any) -> Iterator[Weak]:
    """One row for each number; the numbers of one record (a prompt, a visit, a band) stand together."""
    for path, source, mark, item in walk(part):
        if mark is Mark.READ:
            continue
        if isinstance(item, Sourced):
            yield _name(path), f"{item.value:g} {item.unit}".strip(), str(mark), source, item.note
        elif numbers := tuple(_own_numbers(item)):
            yield _name(path), "; ".join(numbers), str(mark), source, ""


def _own_numbers(item: Any) -> Iterator[str]:
    """Plain numbers that a record holds: `at 10, 15 min`, `missed after 45 min`, `low 24`."""
    assert is_dataclass(item)
    for field in fields(item):
        value = getattr(item, field.name)
        found = value if isinstance(value, tuple) else (value,)
        numbers = [f"{one:g}" for one in found if isinstance(one, int | float) and not isinstance(one, bool)]
        if numbers and len(numbers) == len(found) and not _says_nothing(item, field.name, value):
            yield _with_unit(field.name, ", ".join(numbers), str(getattr(item, "unit", "")))


def _says_nothing(item: Any, name: str, value: Any) -> bool:
    """A window of zero days, or a count that stands at its default, is no claim."""
    default = next((f.default for f in fields(item) if f.name == name), None)
    return bool(value == default) and value in {0, 1}


def _with_unit(name: str, value: str, unit: str) -> str:
    """The last word of a name is its unit, where it is one."""
    words = name.split("_")
    if words[-1] in {"min", "h", "days"}:
        return f"{' '.join(words[:-1])} {value} {words[-1]}".strip()
    return f"{' '.join(words)} {value} {unit}".strip()


def _name(path: str) -> str:
    """A path as words: brackets and dots are for programs."""
    words = path.replace("[", " ").replace("]", "").replace(".", " · ").replace("_", " ")
    return " ".join(words.split())
