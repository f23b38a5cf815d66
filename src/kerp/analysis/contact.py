"""Was contact equal? Arms that differ in timing must not differ in time with a therapist: else both are compared.

Contact is what the tables say was held (`sessions.contact_min`, minutes with an open exposure block), not what was
planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contact:
    """Mean exposure of the two arms (minutes per participant; None: nobody's is recorded) and what follows.

    `share` is the difference over the longer mean. `warning` is empty where contact was equal within the tolerance.
    """

    compared_min: float | None
    reference_min: float | None
    share: float | None
    tolerance: float
    warning: str


def compare_contact(means: Mapping[str, float | None], compared: str, reference: str, tolerance: float) -> Contact:
    """Compare the arms' mean contact; `tolerance` is the largest share that still counts as equal."""
    ours, theirs = means[compared], means[reference]
    if ours is None or theirs is None:
        where = " and ".join(arm for arm, mean in ((compared, ours), (reference, theirs)) if mean is None)
        warning = f"No exposure time is recorded in {where}: whether contact was equal is not known."
        return Contact(ours, theirs, None, tolerance, warning)
    longest = max(ours, theirs)
    share = abs(ours - theirs) / longest if longest > 0 else 0.0
    warning = _warning((compared, ours), (reference, theirs), share) if share > tolerance else ""
    return Contact(ours, theirs, share, tolerance, warning)


def _warning(compared: tuple[str, float], reference: tuple[str, float], share: float) -> str:
    said = " and ".join(f"{mean:.0f} min in {arm}" for arm, mean in (compared, reference))
    return (
        f"UNEQUAL CONTACT TIME: exposure per participant was {said} on average ({share:.0%} apart). The arms differ "
        "in contact as well as in what they are compared for: their difference is not the effect of timing or drug "
        "alone."
    )
