"""H-seq: only the plasticity of the following days matters."""

from kerp.learning.contract import Card
from kerp.learning.models.core import EQUATIONS, LoopModel

MODEL = LoopModel(
    Card(
        id="sequential",
        title="Delayed plasticity only (H-seq)",
        idea="Ketamine opens a window of plasticity over the following days (kappa_p); nothing acute.",
        predicts="Exposure 1 to 5 days after the dose gains most; the first session under the drug gains little.",
        equations=EQUATIONS,
        differs="kappa_a = kappa_c = 0",
        evidence="PAPER P6, P11, P38; for: Girgenti 2017, Phoumthipphavong 2016; against: Duek 2023",
        sources=("girgenti2017", "phoumthipphavong2016", "duek2023"),
        fixed={"kappa_a": 0.0, "kappa_c": 0.0},
    )
)
