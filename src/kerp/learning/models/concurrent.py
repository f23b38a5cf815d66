"""H-conc: the couplings act only while the drug is there."""

from kerp.learning.contract import Card
from kerp.learning.models.core import EQUATIONS, LoopModel

MODEL = LoopModel(
    Card(
        id="concurrent",
        title="Acute couplings only (H-conc)",
        idea="Ketamine changes learning (kappa_a) and keeping (kappa_c) of what is exposed under it, up or down.",
        predicts="Only exposure under the drug is helped or harmed; sequential is as under dissolution only.",
        equations=EQUATIONS,
        differs="kappa_p = 0",
        evidence="PAPER P24, P26; for: Golisch 2017, Vinckier 2016; against: Clifton 2018, Santini 2001",
        sources=("golisch2017", "vinckier2016", "clifton2018", "santini2001"),
        fixed={"kappa_p": 0.0},
    )
)
