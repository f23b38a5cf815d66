"""Writes the table of docs/validation/analysis.md: published values of the analysis beside what kerp gets.

Reads ../shared/evidence in place for the FEV data, which may not be copied here.

Example: python tools/figures_analysis.py
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kerp.analysis.ancova import least_squares
from kerp.analysis.columns import read_columns
from kerp.analysis.covariance import Structure
from kerp.analysis.degrees import Method
from kerp.analysis.mmrm import MmrmResult, fit_mmrm
from kerp.analysis.reml import fit, group
from kerp.analysis.responders import Arm, clopper_pearson, compare_responders
from kerp.analysis.spec import MmrmSpec
from kerp.base.textfile import write_atomic

ROOT = Path(__file__).parents[1]
EVIDENCE = ROOT.parent / "shared" / "evidence"
PAGE = ROOT / "docs" / "validation" / "analysis.md"
START, END = "<!-- measured -->", "<!-- end -->"
TERMS = {
    "(Intercept)": "(Intercept)",
    "RACEBlack": "RACEBlack or African American",
    "RACEWhite": "RACEWhite",
    "SEXFemale": "SEXFemale",
    "ARMCDTRT": "ARMCDTRT",
    **{f"VIS{v}": f"AVISITVIS{v}" for v in (2, 3, 4)},
    **{f"TRT:VIS{v}": f"ARMCDTRT:AVISITVIS{v}" for v in (2, 3, 4)},
}
Row = tuple[str, str, str, str]


def fev(method: Method) -> MmrmResult:
    """The FEV trial, as SAS and R mmrm fit it."""
    spec = MmrmSpec(
        *("FEV1", "USUBJID", "AVISIT", "ARMCD", ("RACE", "SEX")),
        references={"SEX": "Male"},
        covariance=Structure.US,
        method=method,
    )
    return fit_mmrm(read_columns(EVIDENCE / "fev_data.csv"), spec)


def fev_rows() -> Iterator[Row]:
    """Every acceptance row of the FEV trial."""
    plain, adjusted = fev(Method.SATTERTHWAITE), fev(Method.KR)
    with (EVIDENCE / "stat_references.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if "FEV1 ~" in row["dataset_or_design"]]
    for row in rows:
        found = measured(row["quantity"], plain, adjusted)
        expected = row["expected"] if len(row["expected"]) < 60 else "four by four matrix"
        quantity = row["quantity"].replace("|", ", ")
        yield row["id"], f"FEV: {quantity}", expected.replace("|", ", "), found


def measured(quantity: str, plain: MmrmResult, adjusted: MmrmResult) -> str:
    """What kerp gets for one acceptance row."""
    contrasts = {c.visit: c.result for c in (adjusted if "Kenward" in quantity else plain).contrasts}
    if quantity.startswith("-2"):
        return f"{plain.neg2_loglik:.9f}"
    if quantity.startswith("Sigma"):
        return "diagonal " + ", ".join(f"{x:.5f}" for x in np.diag(plain.covariance))
    if "TRT-PBO" in quantity:
        visit = next(v for v in contrasts if v in quantity)
        c = contrasts[visit]
        return f"{c.estimate:.6f}, {c.se:.6f}, df {c.df:.2f}, p {c.p:.5f}, {c.ci_low:.4f} to {c.ci_high:.4f}"
    name = TERMS[quantity.rsplit(maxsplit=1)[-1]]
    value = plain.coefficients[name]
    return (
        f"{value.df:.5f}"
        if quantity.startswith("Satter")
        else f"{value.estimate:.7f}, {value.se:.7f}, {value.df:.1f}"
    )


def orthodont_rows() -> Iterator[Row]:
    """Orthodont as a random intercept and unstructured."""
    for structure, ids in ((Structure.CS, "SR141-144"), (Structure.US, "SR145-147")):
        spec = MmrmSpec(
            *("distance", "Subject", "age", "Sex"),
            references={"Sex": "Male"},
            time="age",
            covariance=structure,
            method=Method.SATTERTHWAITE,
        )
        found = fit_mmrm(read_columns(ROOT / "tests" / "data" / "orthodont.csv"), spec)
        values = {n: f"{e.estimate:.6f} ({e.se:.6f})" for n, e in found.coefficients.items()}
        expected = {
            Structure.CS: "16.340625 (0.981312), 0.784375 (0.077501), 1.032102 (1.537421), -0.304830 (0.121421)",
            Structure.US: "age 0.826804 (0.082218), age:Female -0.350439 (0.128810)",
        }[structure]
        names = ("(Intercept)", "age", "SexFemale", "SexFemale:age")[0 if structure is Structure.CS else 1 :]
        kept = [n for n in names if structure is Structure.CS or n != "SexFemale"]
        yield ids, f"Orthodont, {structure.value}: coefficients (SE)", expected, ", ".join(values[n] for n in kept)
        loglik = {Structure.CS: "-216.878625", Structure.US: "-212.2734"}[structure]
        yield ids, f"Orthodont, {structure.value}: log-likelihood", loglik, f"{-found.neg2_loglik / 2:.6f}"


def other_rows() -> Iterator[Row]:
    """Least squares, random intercept, small samples."""
    import statsmodels
    from statsmodels.datasets import longley

    data = longley.load_pandas()
    x = np.column_stack([np.ones(16), data.exog.to_numpy(float)])
    beta = least_squares(x, data.endog.to_numpy(float), ["1", *data.exog.columns]).beta
    yield (
        "SR159",
        "Longley: intercept, last coefficient",
        "-3482258.6346, 1829.15146461",
        f"{beta[0]:.4f}, {beta[-1]:.8f}",
    )
    path = Path(statsmodels.__file__).parent / "regression/tests/results/dietox.csv"
    if path.exists():
        yield dietox(path)
    fisher = compare_responders(Arm("ketamine", 4, 8), Arm("saline", 0, 7), "35 %")
    exact, bayes = fisher.exact, fisher.bayesian
    yield "SR167", "Rodriguez 2013, 4/8 v 0/7: Fisher p", "0.0769230769", f"{fisher.fisher_p:.10f}"
    text = f"{exact.low:.3f} to {exact.high:.3f}; {bayes.low:.3f} to {bayes.high:.3f}"
    yield "", "the same: exact and Bayesian interval of the difference 0.5", "(ours)", text
    interval = clopper_pearson(4, 8)
    yield "SR168", "4 of 8, exact interval", "0.15701277, 0.84298723", f"{interval.low:.8f}, {interval.high:.8f}"


def dietox(path: Path) -> Row:
    """Pig weights with a random intercept."""
    columns = read_columns(path)
    pigs, times = (list(dict.fromkeys(columns.complete(name))) for name in ("Pig", "Time"))
    times.sort(key=float)
    x, y = np.zeros((len(pigs), len(times), 2)), np.zeros((len(pigs), len(times)))
    seen = np.zeros(y.shape, dtype=bool)
    for pig, time, weight in zip(
        columns.complete("Pig"), columns.complete("Time"), columns.numbers("Weight"), strict=True
    ):
        i, j = pigs.index(pig), times.index(time)
        x[i, j], y[i, j], seen[i, j] = (1.0, float(time)), weight, True
    found = fit(group(x, y, seen), Structure.CS)
    errors = np.sqrt(np.diag(found.pieces.phi))
    terms = ", ".join(f"{b:.6f} ({e:.6f})" for b, e in zip(found.pieces.beta, errors, strict=True))
    text = f"{terms}, {-found.pieces.neg2_loglik / 2:.6f}"
    expected = "15.723523 (0.788054), 6.942505 (0.033387), -2404.775337"
    return "SR152-155", "dietox, cs (random intercept): coefficients (SE), log-likelihood", expected, text


def main() -> None:
    """Write the table between the marks of the page."""
    if not EVIDENCE.is_dir():
        sys.exit("../shared/evidence is not beside the repository: the FEV rows cannot be measured")
    lines = ["| row | quantity | published | kerp |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in (*fev_rows(), *orthodont_rows(), *other_rows())]
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(START)
    write_atomic(PAGE, before + START + "\n" + "\n".join(lines) + "\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
