"""H0: the drug dissolves the obsession for days and touches no learning."""

from kerp.learning.contract import Card
from kerp.learning.models.core import EQUATIONS, LoopModel

MODEL = LoopModel(
    Card(
        id="dissolution-only",
        title="Dissolution only (H0)",
        idea="Ketamine weakens the obsession for days (psi, tauX) and changes neither learning nor keeping.",
        predicts="Concurrent and sequential end alike (within 0.3 Y-BOCS points at day 14); the drug adds speed.",
        equations=EQUATIONS,
        differs="kappa_a = kappa_c = kappa_p = 0",
        evidence="PAPER P15; McGowan 2017: no effect during extinction; Duek 2023: no symptom difference in PTSD",
        sources=("mcgowan2017", "duek2023"),
        fixed={"kappa_a": 0.0, "kappa_c": 0.0, "kappa_p": 0.0},
    )
)
