"""What changes below twelve participants per arm, and why (research: type I error of REML in small trials)."""

from __future__ import annotations

from dataclasses import dataclass

from kerp.analysis.covariance import Structure
from kerp.analysis.degrees import Method

FEW_PER_ARM = 12


@dataclass(frozen=True, slots=True)
class Choice:
    """A covariance and a small-sample method, with the reason in words where it is not the usual one."""

    covariance: Structure
    method: Method
    reason: str = ""


def default_choice(smallest_arm: int) -> Choice:
    """Unstructured with Satterthwaite, or below twelve per arm a structured covariance with Kenward-Roger."""
    if smallest_arm >= FEW_PER_ARM:
        return Choice(Structure.US, Method.SATTERTHWAITE)
    reason = (
        f"the smallest arm has {smallest_arm} participants: below {FEW_PER_ARM} per arm an unstructured covariance "
        "keeps its type I error badly (0.060 at nominal 0.05 with 8 per arm and five visits) and may not converge, "
        "so the default is a Toeplitz covariance with Kenward-Roger; report a randomisation test beside it"
    )
    return Choice(Structure.TOEP, Method.KR, reason)
