"""Instruments as forms built from their data: large numbered answers, 'not answered' beside a zero (M21)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings

from kerp.base.errors import KerpError
from kerp.instrument.load import load_instrument
from kerp.instrument.model import Instrument, Item, Rater, Wording
from kerp.instrument.score import Score, score
from kerp.instrument.textpack import TextPack, load_text_packs
from kerp.session.calendar import study_days_between
from kerp.session.events import Entry, ScaleAnswered
from kerp.session.state import State
from kerp.session.visits import dose_entries
from kerp.web.office.desk import EntryForm
from kerp.web.typed import TypedNumber

MOST_BUTTONS = 11  # more answers than this are typed


class AnswersForm(EntryForm):
    """One field per item, each of which may stay unanswered."""

    def __init__(self, *args: Any, instrument: Instrument, pack: TextPack | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instrument, self.pack = instrument, pack
        for item in instrument.items:
            self.fields[f"item_{item.id}"] = _field(item, pack)

    def rows(self) -> list[dict[str, Any]]:
        """Items with their bound fields, for `kerp/visits/answers.html`."""
        return [
            {"item": item, "field": self[f"item_{item.id}"], "buttons": _has_buttons(item)}
            for item in self.instrument.items
        ]

    def answers(self) -> dict[str, float | None]:
        """Item id -> answer; None where there was none, never zero."""
        given = ((item.id, self.cleaned_data[f"item_{item.id}"]) for item in self.instrument.items)
        return {name: None if value in {None, ""} else float(value) for name, value in given}

    def event(self, rated_by: str) -> ScaleAnswered:
        """The entry."""
        return ScaleAnswered(
            instrument=self.instrument.id,
            version=self.instrument.version,
            answers=self.answers(),
            rated_by="participant" if self.instrument.rater is Rater.SELF else rated_by,
            text_pack=self.pack.digest if self.pack else "",
        )


def _has_buttons(item: Item) -> bool:
    few = bool(item.step) and (item.max - item.min) / item.step < MOST_BUTTONS
    return bool(item.codes) or few


def _field(item: Item, pack: TextPack | None) -> forms.Field:
    text = pack.items.get(item.id, "") if pack else ""
    label = text or item.prompt or item.label
    if _has_buttons(item):
        return forms.ChoiceField(
            required=False,
            label=label,
            choices=[*_options(item, pack), ("", "not answered")],
            widget=forms.RadioSelect,
        )
    anchors = " – ".join(part for part in (item.low_anchor, item.high_anchor) if part)
    return TypedNumber(
        required=False,
        label=label,
        min_value=item.min,
        max_value=item.max,
        help_text=": ".join(part for part in (_range(item), anchors) if part),
    )


def _range(item: Item) -> str:
    return f"{item.min:g} to {item.max:g} {item.unit}".strip()


def _options(item: Item, pack: TextPack | None) -> list[tuple[str, str]]:
    if item.codes:
        return [(str(code.code), f"{code.code} {code.label}") for code in item.codes]
    count = round((item.max - item.min) / item.step) + 1
    values = [item.min + number * item.step for number in range(count)]
    anchors: Mapping[str, str] = pack.anchors if pack else {}
    return [(f"{v:g}", f"{v:g} {anchors.get(f'{item.id}:{v:g}', '')}".strip()) for v in values]


@lru_cache(maxsize=64)
def instrument(identifier: str) -> Instrument:
    """A shipped instrument."""
    return load_instrument(identifier)


def pack_of(chosen: Instrument) -> TextPack | None:
    """The site's wording of an instrument, if it has one."""
    folder: Path = settings.KERP_LAYOUT.text_packs
    try:
        return load_text_packs(folder).get(chosen.id) if folder.is_dir() else None
    except KerpError:
        return None  # a bad pack is named on the study page; labels do meanwhile


def needs_pack(chosen: Instrument, pack: TextPack | None) -> bool:
    """Whether the wording is not ours to ship, and the site has not brought it (M18)."""
    return chosen.rights.wording is Wording.LABELS_ONLY and pack is None


def looks_back_over_dose(chosen: Instrument, state: State, now: Entry) -> bool:
    """Whether an answer given now would speak of time before and after a dose (M1): recorded, and flagged."""
    doses = [dose for dose in dose_entries(state) if dose.occurred_ms <= now.occurred_ms]
    if not doses:
        return False
    last = doses[-1]
    minutes = (now.occurred_ms - last.occurred_ms) / 60_000
    days = study_days_between(last, now)
    return chosen.period.straddles(study_days_since_dose=days, minutes_since_dose=minutes)


def scored(event: ScaleAnswered) -> Score | None:
    """Its score; None where the edition that was answered is not the shipped one."""
    try:
        chosen = instrument(event.instrument)
        return score(chosen, event.answers) if chosen.version == event.version else None
    except KerpError:
        return None
