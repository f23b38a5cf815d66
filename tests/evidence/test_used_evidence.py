"""What a result rests on."""

from __future__ import annotations

from dataclasses import dataclass

from kerp.evidence.sourced import Mark, Sourced
from kerp.evidence.used import collect
from kerp.instrument.load import load_instrument


def number(value, source, mark, note=""):
    return Sourced(value=value, unit="mg", source=source, mark=mark, note=note)


@dataclass(frozen=True)
class Plan:
    dose: Sourced
    steps: tuple[Sourced, ...]
    table: dict[str, Sourced]


PLAN = Plan(
    dose=number(0.5, "PAPER P27", Mark.READ),
    steps=(number(3, "foa2005; simpson2008", Mark.RECALLED), number(4, "kerp", Mark.ASSUMED, "our choice")),
    table={"peak": number(40, "foa2005", Mark.READ)},
)


def test_references_are_collected_once_in_order_of_use():
    used = collect(PLAN, sources=["bloch2012", "foa2005"])
    assert used.references == ("foa2005", "simpson2008", "bloch2012")
    assert used.claims == ("PAPER P27",)
    assert "Foa EB" in used.bibliography()


def test_recalled_and_assumed_numbers_are_listed_with_where_they_stand():
    weak = collect(PLAN).weak
    assert [(entry.name, entry.value, entry.mark) for entry in weak] == [
        ("steps[0]", 3, "recalled"),
        ("steps[1]", 4, "assumed"),
    ]
    assert weak[1].note == "our choice"


def test_read_numbers_alone_leave_nothing_weak():
    assert collect(PLAN.dose).weak == ()


def test_an_instrument_names_the_sources_of_its_period_and_bands():
    used = collect(load_instrument("ybocs"))
    assert {"rodriguez2016", "goodman1989", "storch2015"} <= set(used.references)
