"""H-block: what is learned under the drug is kept less; what is learned after it, more."""

from kerp.learning.contract import Card
from kerp.learning.models.core import EQUATIONS, LoopModel

MODEL = LoopModel(
    Card(
        id="block",
        title="Blocked retention, delayed plasticity (H-block)",
        idea="The antagonist blocks keeping (kappa_c at or below 0); plasticity follows (kappa_p at or above 0).",
        predicts="Distress falls as usual under the drug, but the gain is gone by morning; sequential wins.",
        equations=EQUATIONS,
        differs="kappa_c <= 0, kappa_p >= 0",
        evidence="Santini 2001, Corlett 2013, Honsberger 2015 (kappa_c); Girgenti 2017 (kappa_p)",
        sources=("santini2001", "corlett2013", "honsberger2015", "girgenti2017"),
        signs={"kappa_c": -1, "kappa_p": 1},
    )
)
