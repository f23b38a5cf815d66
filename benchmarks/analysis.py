"""Speed of the analysis: ANCOVA against statsmodels OLS in a loop, MMRM against statsmodels MixedLM (and R nlme)."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from benchmarks.row import Row
from kerp.analysis.ancova import ancova_batch
from kerp.analysis.batch_fit import fit_batch, sufficient, visit_design
from kerp.analysis.covariance import Structure

TRIALS = 10_000
PEER_TRIALS = 300
MMRM_TRIALS = 1_000
MIXED_TRIALS = 12


def simulate(trials: int, per_arm: int = 50, visits: int = 5, seed: int = 1):
    """50 per arm, baseline and five visits, SD 6, AR(1) 0.8, 6 % hazard of dropout (bench inputs, not claims)."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(36 * 0.8 ** np.abs(np.subtract.outer(np.arange(visits + 1), np.arange(visits + 1))))
    path = 25 + rng.normal(size=(trials, 2 * per_arm, visits + 1)) @ root.T
    arm = np.tile(np.repeat([0.0, 1.0], per_arm), (trials, 1))
    y = path[..., 1:] - 3.5 * arm[..., None] * np.arange(1, visits + 1) / visits
    gone = rng.uniform(size=y.shape) < 0.06
    gone[..., 0] = False
    return arm, path[..., 0], y, np.cumsum(gone, axis=-1) == 0


def timed(function, repeats: int = 1) -> float:
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def ancova_row() -> Row:
    import statsmodels.api as sm

    arm, baseline, y, _ = simulate(TRIALS)
    last = np.ascontiguousarray(y[..., -1])
    ours = timed(lambda: ancova_batch(last, arm, baseline), 3)

    def peer() -> None:
        for t in range(PEER_TRIALS):
            fit = sm.OLS(last[t], np.column_stack([np.ones(100), arm[t], baseline[t]])).fit()
            _ = fit.params[1], fit.bse[1], fit.pvalues[1]

    theirs = timed(peer, 2) * TRIALS / PEER_TRIALS
    note = f"peer timed on {PEER_TRIALS} trials; {TRIALS / ours:,.0f} trials/s"
    return Row("ANCOVA, 10,000 trials", ours, "statsmodels OLS loop", theirs, 10.0, note)


def mmrm_rows() -> list[Row]:
    arm, baseline, y, seen = simulate(MMRM_TRIALS)
    masks = np.tril(np.ones((5, 5), dtype=bool))
    design = visit_design(Structure.US, masks, 3, last_only=1)
    stats = sufficient(np.stack([np.ones_like(arm), arm, baseline - 25], axis=-1), y, seen, masks)
    mixed = mixed_lm_seconds(arm, baseline, y, seen)
    rows = []
    for backend in ("jax", "numpy"):
        start = time.perf_counter()
        fit_batch(stats, design, backend=backend)
        first = time.perf_counter() - start
        ours = timed(lambda backend=backend: fit_batch(stats, design, backend=backend)) / MMRM_TRIALS
        note = f"{1 / ours:,.0f} trials/s; first call {first:.1f} s; peer random intercept only"
        target = 30.0 if backend == "jax" else None
        name = f"MMRM unstructured, Satterthwaite, per trial ({backend})"
        rows.append(Row(name, ours, "statsmodels MixedLM", mixed, target, note))
    peer = nlme_seconds(arm, baseline, y, seen)
    if peer is not None:
        rows.append(Row("MMRM unstructured, per trial (numpy)", ours, "R nlme::gls", peer))
    return rows


def mixed_lm_seconds(arm, baseline, y, seen) -> float:
    import pandas as pd
    import statsmodels.formula.api as smf

    def fit(t: int) -> None:
        person, visit = np.nonzero(seen[t])
        frame = {
            "y": y[t][person, visit],
            "visit": visit,
            "arm": arm[t][person],
            "base": baseline[t][person],
            "id": person,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            smf.mixedlm("y ~ C(visit)*arm + C(visit)*base", pd.DataFrame(frame), groups=person).fit(reml=True)

    return timed(lambda: [fit(t) for t in range(MIXED_TRIALS)]) / MIXED_TRIALS


R_SCRIPT = """
library(nlme); d <- read.csv("d.csv"); s <- proc.time()[["elapsed"]]
for (t in unique(d$t)) gls(y ~ factor(v)*arm + factor(v)*base, data=d[d$t==t,], method="REML",
  correlation=corSymm(form=~v|id), weights=varIdent(form=~1|v), control=glsControl(opt="optim", msMaxIter=200))
cat((proc.time()[["elapsed"]]-s)/length(unique(d$t)))
"""


def nlme_seconds(arm, baseline, y, seen, trials: int = 3) -> float | None:
    """Seconds per trial of R nlme::gls, or None where R or nlme is absent."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        lines = ["t,id,v,arm,base,y"]
        for t in range(trials):
            for i, v in zip(*np.nonzero(seen[t]), strict=True):
                lines.append(f"{t},{i},{v + 1},{arm[t, i]},{baseline[t, i]},{y[t, i, v]}")
        Path(folder, "d.csv").write_text("\n".join(lines))
        done = subprocess.run(["Rscript", "-e", R_SCRIPT], cwd=folder, capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else None


def run() -> list[Row]:
    """All rows of the analysis."""
    return [ancova_row(), *mmrm_rows()]
