"""What a scale or form is: items, ranges, period, missing-item policy, bands. Frozen, standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from kerp.evidence.sourced import Mark

MIN_PER_DAY = 1_440
_CLOSED = {"extra": "forbid", "strict": True}  # read by the loader: an unknown key in a file is a fault


class Rater(StrEnum):
    """Who answers. A clinician's scale belongs to a blind rater where the protocol says so, not to the therapist."""

    SELF = "self"
    CLINICIAN = "clinician"
    OBSERVER = "observer"
    DEVICE = "device"
    SELF_AND_RATER = "self_and_rater"


class Method(StrEnum):
    """How the total comes about."""

    SUM = "sum"
    MEAN = "mean"
    SINGLE = "single"  # one counted item is the score
    HIGHEST = "highest"  # number of the highest counted item answered yes, in order of the items; 0 if none
    ALL_TRUE = "all_true"  # a checklist: number of counted items that hold; ready only when all do
    NONE = "none"  # a form, not a scale: no total


class Missing(StrEnum):
    """What a missing answer does. It is never a zero (M21)."""

    WITHHOLD = "withhold"  # no total unless every counted item is answered
    PRORATE = "prorate"  # up to `max_missing` items: mean of the answered times the number of items, with a warning


class PeriodKind(StrEnum):
    """What stretch of time an answer speaks of."""

    NOW = "now"
    WINDOW = "window"  # the `window_min` minutes before it is asked
    SINCE_LAST = "since_last"  # since the last time it was asked
    SINCE_BASELINE = "since_baseline"
    PER_EVENT = "per_event"  # one exposure, one session, one ritual


class DoseRule(StrEnum):
    """What it means when a dose falls inside the reference period (M1)."""

    INVALID = "invalid"  # not valid for analysis: recorded and flagged, never refused
    NOTE = "note"  # usable, but the report says that the period straddles a dose
    NONE = "none"


class Wording(StrEnum):
    """Whose words a patient reads (M18)."""

    LABELS_ONLY = "labels_only"  # the wording is someone else's: neutral labels here, a text pack at the site
    FULL = "full"  # the wording is free or ours and ships as `prompt`


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`item` answered with `at_least` or more, or with at most `at_most`."""

    __pydantic_config__: ClassVar = _CLOSED
    item: str
    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: float | None) -> bool:
        """Whether an answer meets it; a missing answer meets nothing."""
        if value is None:
            return False
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One allowed answer and what it stands for."""

    __pydantic_config__: ClassVar = _CLOSED
    code: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question. `min` and `max` are inclusive; `step` is the grain of an answer, 0 for a continuous one.

    `counted` items enter the total. `optional` ones may stay empty without making the form incomplete. An item whose
    `skip_if` holds was rightly not asked: it is neither missing nor a zero.
    """

    __pydantic_config__: ClassVar = _CLOSED
    id: str
    label: str
    min: float
    max: float
    step: float = 1.0
    unit: str = "points"
    counted: bool = True
    optional: bool = False
    prompt: str = ""
    low_anchor: str = ""
    high_anchor: str = ""
    codes: tuple[Code, ...] = ()
    skip_if: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscale:
    """A score over some of the items. `difference` is the first item minus the second."""

    __pydantic_config__: ClassVar = _CLOSED
    id: str
    label: str
    items: tuple[str, ...]
    method: str = "sum"  # sum, mean, difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A named range of the total, or a set of conditions; the first band that fits is the one that is shown.

    `any_of` fits as soon as one condition holds, even when other answers are missing (a yes is a yes); a range fits a
    total only; `all_of` narrows a range.
    """

    __pydantic_config__: ClassVar = _CLOSED
    id: str
    label: str
    source: str
    mark: Mark
    unit: str = "points"
    low: float | None = None
    high: float | None = None
    any_of: tuple[Condition, ...] = ()
    all_of: tuple[Condition, ...] = ()
    alternative: bool = False  # a second published set, shown beside the first, never mixed with it
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Something a named clinician must see at once. Software says so; the clinician decides (M19)."""

    __pydantic_config__: ClassVar = _CLOSED
    id: str
    text: str
    any_of: tuple[Condition, ...]
    source: str
    mark: Mark
    unit: str = "points"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A rise of the total (or of one item) since the reference occasion that the field treats as meaningful."""

    __pydantic_config__: ClassVar = _CLOSED
    id: str
    text: str
    rise_at_least: float
    source: str
    mark: Mark
    item: str = ""  # empty: the total
    unit: str = "points"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePeriod:
    """The time an answer speaks of, for people (`text`) and for the scheduler (`kind`, `window_min`)."""

    __pydantic_config__: ClassVar = _CLOSED
    kind: PeriodKind
    text: str
    source: str
    mark: Mark
    window_min: float = 0.0
    dose_rule: DoseRule = DoseRule.NONE

    @property
    def window_days(self) -> float:
        """The window in days."""
        return self.window_min / MIN_PER_DAY

    @property
    def must_not_straddle_dose(self) -> bool:
        """Whether a dose inside the period makes the score invalid for analysis (M1)."""
        return self.dose_rule is DoseRule.INVALID

    def straddles(self, *, study_days_since_dose: int, minutes_since_dose: float) -> bool:
        """Whether the period reaches back over a dose.

        Windows of a day or more are counted in whole study days (DESIGN decision 5: seven study days after the dose a
        Y-BOCS is valid, whatever the hour), shorter ones in minutes. Before the dose (negative) never straddles.
        """
        if self.kind is not PeriodKind.WINDOW or minutes_since_dose < 0:
            return False
        if self.window_min >= MIN_PER_DAY:
            return study_days_since_dose < self.window_days
        return minutes_since_dose < self.window_min


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPolicy:
    """What missing answers do to the total."""

    __pydantic_config__: ClassVar = _CLOSED
    rule: Missing
    source: str
    mark: Mark
    max_missing_items: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Who owns the wording and what may be shipped (M18). Not legal advice: the site checks the terms it uses."""

    __pydantic_config__: ClassVar = _CLOSED
    wording: Wording
    holder: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A worked example that the suite scores: minimum, maximum, and at least one in between."""

    __pydantic_config__: ClassVar = _CLOSED
    name: str
    answers: dict[str, float]
    total: float | None = None
    band: str = ""
    subscale_values: dict[str, float] | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A scale or form with everything needed to schedule, ask and score it.

    `version` is part of the identity: scores of different versions or of different instruments are never compared.
    `family` groups editions that people confuse (Y-BOCS and Y-BOCS-II).
    """

    __pydantic_config__: ClassVar = _CLOSED
    id: str
    name: str
    short_name: str
    version: str
    family: str
    rater: Rater
    role: str
    method: Method
    scoring: str
    sources: tuple[str, ...]
    period: ReferencePeriod
    missing: MissingPolicy
    rights: Rights
    items: tuple[Item, ...]
    subscales: tuple[Subscale, ...] = ()
    bands: tuple[Band, ...] = ()
    flags: tuple[Flag, ...] = ()
    markers: tuple[Marker, ...] = ()
    examples: tuple[Example, ...] = ()
    note: str = ""

    @property
    def counted(self) -> tuple[Item, ...]:
        """The items that enter the total."""
        return tuple(item for item in self.items if item.counted)

    @property
    def total_range(self) -> tuple[float, float] | None:
        """Lowest and highest possible total; None for a form without one."""
        return _range(self.method, self.counted)

    def item(self, identifier: str) -> Item:
        """The item of that id. KeyError if there is none."""
        for item in self.items:
            if item.id == identifier:
                return item
        raise KeyError(identifier)


def _range(method: Method, items: tuple[Item, ...]) -> tuple[float, float] | None:
    low, high = sum(item.min for item in items), sum(item.max for item in items)
    match method:
        case Method.SUM | Method.SINGLE:
            return low, high
        case Method.MEAN:
            return low / len(items), high / len(items)
        case Method.HIGHEST | Method.ALL_TRUE:
            return 0, len(items)
        case Method.NONE:
            return None
