"""Carries out an analysis plan on a trial's tables. Whatever cannot be estimated is said in words, in its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from kerp.analysis import describe
from kerp.analysis.ancova import least_squares
from kerp.analysis.blinding import WHY_NOT_ADJUSTED, Guess, bang_by_arm, belief_bias, tipping_belief
from kerp.analysis.columns import Columns
from kerp.analysis.contact import compare_contact
from kerp.analysis.imputation import TITLES as ASSUMPTIONS
from kerp.analysis.imputation import Assumption, Imputed, impute, tipping_point
from kerp.analysis.mmrm import MmrmResult, fit_mmrm
from kerp.analysis.mmrm_output import as_dict, method_line
from kerp.analysis.outcomes import Outcomes, first_responses, long_columns, outcomes_of, response_counts
from kerp.analysis.plan import Plan
from kerp.analysis.plan_file import plan_digest
from kerp.analysis.randomisation import randomisation_test
from kerp.analysis.responders import compare_responders
from kerp.analysis.small_samples import FEW_PER_ARM
from kerp.analysis.spec import MmrmSpec
from kerp.analysis.tables import Tables
from kerp.analysis.time_to_response import kaplan_meier, log_rank
from kerp.base.digest import plain
from kerp.base.errors import Fault, KerpError
from kerp.base.seeds import Stream, generator

Data = dict[str, Any]
Array = Any
RANDOMISATIONS = 4_999


@dataclass(frozen=True)
class Trial:
    """What every part of the analysis looks at."""

    tables: Tables
    plan: Plan
    outcomes: Outcomes
    long: Columns

    @property
    def last(self) -> str:
        """The primary visit, as the long table names it."""
        return f"{self.plan.outcome.primary_day:g}"


def run_plan(tables: Tables, plan: Plan, changes: tuple[str, ...] = (), locked: str | None = None) -> Data:
    """All results of a plan as plain data. `changes` are the fields that differ from the lock `locked`."""
    _check_arms(tables, plan)
    outcomes = outcomes_of(tables, plan)
    trial = Trial(tables, plan, outcomes, long_columns(tables, plan, outcomes))
    model = _or_reason(lambda: fit_mmrm(trial.long, _spec(plan)))
    fitted = model if isinstance(model, MmrmResult) else None
    primary = _primary(trial, fitted) if fitted else model
    conduct = describe.conduct(tables, plan)
    return {
        "plan": plain(plan),
        "plan_digest": plan_digest(plan),
        "locked_digest": locked,
        "estimand": plan.as_estimand().sentence(),
        "deviations": _deviations(trial, fitted, changes),
        "screening": describe.screening(tables),
        "flow": describe.flow(tables, plan, outcomes),
        "baseline": describe.baseline_table(tables, plan, outcomes),
        "trajectories": describe.trajectories(tables, plan, outcomes),
        "empty_visits": describe.empty_visits(plan, outcomes),
        "primary": primary,
        "supplementary": _supplementary(trial),
        "sensitivity": _sensitivity(trial, fitted),
        "response": [_response(item) for item in response_counts(tables, plan, outcomes)],
        "time_to_response": _or_reason(partial(_time_to_response, trial)),
        "safety": describe.safety(tables, plan),
        "conduct": conduct,
        "contact": _contact(plan, conduct),
        "habituation": describe.habituation(tables, plan),
        "blinding": _blinding(trial, primary),
        "checks": describe.model_checks(fitted) if fitted else [],
    }


def _check_arms(tables: Tables, plan: Plan) -> None:
    """An arm of the plan that nobody was allocated to is a plan for another trial, or another spelling."""
    counts = Counter(tables.arm_of.values())
    found = ", ".join(f"{arm} {n}" for arm, n in sorted(counts.items()))
    ways = ("spell the arms of the plan as the allocation does", "give the allocation of this trial (--allocation)")
    faults = [
        Fault("nobody was allocated to this arm of the plan", "", None, f"arms.{name}", arm, found, ways)
        for name, arm in (("compared", plan.arms.compared), ("reference", plan.arms.reference))
        if not counts[arm]
    ]
    if faults:
        raise KerpError(*faults)


def _contact(plan: Plan, conduct: Data) -> Data:
    """Whether the arms had the same exposure time, and the warning where they had not."""
    means = {arm: found["mean"] for arm, found in conduct["contact_min"].items()}
    tolerance = plan.contact.tolerance_fraction if plan.contact else 0.0
    return plain(compare_contact(means, plan.arms.compared, plan.arms.reference, tolerance))  # type: ignore[no-any-return]


def _spec(plan: Plan) -> MmrmSpec:
    return MmrmSpec(
        *("outcome", "participant", "visit", "arm"),
        covariates=plan.model.covariates,
        baseline="baseline",
        references={"arm": plan.arms.reference},
        baseline_by_visit=plan.model.baseline_by_visit,
        covariance=plan.model.covariance,
        method=plan.model.df,
    )


def _or_reason(work: Callable[[], Any]) -> Any:
    """The result, or what cannot be estimated and why."""
    try:
        return work()
    except KerpError as error:
        return {"not_estimable": [fault.as_dict() for fault in error.faults], "reason": str(error)}


def _primary(trial: Trial, fitted: MmrmResult) -> Data:
    found = as_dict(fitted)
    if trial.last not in found["contrasts"]:
        found |= {"reason": f"no outcome was observed at the primary day {trial.last}: nothing is estimated there"}
        return found | {"estimate": None}
    return found | {"method": method_line(fitted), "estimate": found["contrasts"][trial.last]}


def _deviations(trial: Trial, fitted: MmrmResult | None, changes: tuple[str, ...]) -> list[Data]:
    rows = [{"kind": "changed after the lock", "what": change, "why": "not stated in the lock"} for change in changes]
    rows += [{"kind": "declared", "what": d.what, "why": d.why, "when": d.when} for d in trial.plan.deviations]
    unplanned = trial.outcomes.applied.unplanned
    why = "no strategy was planned for it; outcomes are used as observed"
    rows += [{"kind": "event without a strategy", "what": kind, "why": why} for kind in unplanned]
    if fitted is not None:
        rows += [{"kind": "cannot be estimated", "what": i.what, "why": i.reason} for i in fitted.not_estimable]
    return rows


def _last_visit(trial: Trial) -> tuple[Array, Array, Array, Array]:
    """Outcome, arm (1 compared), baseline and stratum at the primary day, complete cases."""
    chosen = [row for row, visit in enumerate(trial.long.text("visit")) if visit == trial.last]
    outcome, baseline = trial.long.numbers("outcome")[chosen], trial.long.numbers("baseline")[chosen]
    arm = np.array([float(trial.long.text("arm")[row] == trial.plan.arms.compared) for row in chosen])
    seen = ~np.isnan(outcome) & ~np.isnan(baseline)
    strata = np.array([trial.tables.stratum_of.get(str(trial.long.text("participant")[row]), "") for row in chosen])
    return outcome[seen], arm[seen], baseline[seen], strata[seen]


def _supplementary(trial: Trial) -> list[Data]:
    outcome, arm, baseline, strata = _last_visit(trial)
    rng = generator(trial.plan.sensitivity.seed, Stream.ANALYSIS)

    def by_ancova() -> Data:
        x = np.column_stack([np.ones(len(arm)), arm, baseline])
        return plain(least_squares(x, outcome, ("(Intercept)", "arm", "baseline")).estimate("arm"))  # type: ignore[no-any-return]

    def by_lottery() -> Data:
        found = randomisation_test(outcome, arm, baseline, rng, strata, RANDOMISATIONS)
        return {"estimate": found.statistic, "p": found.p, "allocations": found.allocations, "p_mcse": found.p_mcse}

    few = min((int((arm == code).sum()) for code in (0, 1)), default=0) < FEW_PER_ARM
    note = f"fewer than {FEW_PER_ARM} per arm: read beside the model" if few else ""
    return [
        {"name": "ANCOVA at the primary day, complete cases", "n": len(arm)} | _or_reason(by_ancova),
        {"name": "randomisation test of the baseline-adjusted difference", "n": len(arm), "note": note}
        | _or_reason(by_lottery),
    ]


def _sensitivity(trial: Trial, fitted: MmrmResult | None) -> Data:
    if fitted is None:
        return {"reason": "the model could not be fitted, so nothing is imputed from it"}
    if fitted.visits[-1] != trial.last:
        trial = _until_primary(trial)
        again = _or_reason(lambda: fit_mmrm(trial.long, _spec(trial.plan)))
        if not isinstance(again, MmrmResult):
            return again  # type: ignore[no-any-return]
        fitted = again
    compared, seed = trial.plan.arms.compared, trial.plan.sensitivity.seed

    def fresh() -> np.random.Generator:
        return generator(seed, Stream.ANALYSIS, 1)

    def one(assumption: Assumption) -> Data:
        return _imputed(impute(trial.long, fitted, compared, assumption, fresh(), trial.plan.sensitivity.draws))

    def tipping() -> Data:
        deltas, draws = trial.plan.sensitivity.deltas, trial.plan.sensitivity.draws
        found = tipping_point(trial.long, fitted, compared, deltas, fresh, draws)
        return {"delta": found.delta, "rows": [_imputed(row) for row in found.results]}

    wanted = (Assumption.MAR, *trial.plan.sensitivity.assumptions)
    rows = [{"name": ASSUMPTIONS[a], "assumption": a.value} | _or_reason(partial(one, a)) for a in wanted]
    return {"rows": rows, "tipping": _or_reason(tipping), "draws": trial.plan.sensitivity.draws, "seed": seed}


def _until_primary(trial: Trial) -> Trial:
    """The same trial without visits after the primary day: what came later does not bear on the imputation."""
    keep = [float(visit or "inf") <= trial.plan.outcome.primary_day for visit in trial.long.text("visit")]
    return Trial(trial.tables, trial.plan, trial.outcomes, trial.long.where_rows(keep))


def _imputed(found: Imputed) -> Data:
    names = ("reference", "compared")
    missing = dict(zip(names, found.missing_at_end, strict=True))
    return plain(found.result) | {  # type: ignore[no-any-return]
        "delta": found.delta,
        "missing_at_end": missing,
        "lost_information": found.lost_information,
    }


def _response(item: Any) -> Data:
    compared, reference = item.arms
    about = {"criterion": item.criterion, "label": item.label, "definition": item.definition}
    about |= {"source": item.source, "mark": item.mark, "arms": [plain(arm) for arm in item.arms]}
    return about | _or_reason(lambda: plain(compare_responders(compared, reference, item.definition)))  # type: ignore[no-any-return]


def _time_to_response(trial: Trial) -> Data:
    """Product-limit curves of the main definition and the log-rank test."""
    plan, criterion = trial.plan, trial.plan.response.criteria[0]
    found = first_responses(trial.tables, plan, trial.outcomes, criterion)
    day, responded = np.array([f.day for f in found]), np.array([f.responded for f in found], dtype=bool)
    arm = np.array([float(trial.tables.arm_of[f.participant] == plan.arms.compared) for f in found])
    names = {plan.arms.compared: 1.0, plan.arms.reference: 0.0}
    curves = {name: plain(kaplan_meier(day[arm == code], responded[arm == code])) for name, code in names.items()}
    return {"criterion": criterion, "curves": curves, "log_rank": plain(log_rank(day, responded, arm))}


def _blinding(trial: Trial, primary: Mapping[str, Any]) -> Data:
    guesses = _guesses(trial)
    found = [
        plain(index) | {"by": by, "when": when}
        for when, by in dict.fromkeys((guess.when, guess.by) for guess in guesses)
        for index in bang_by_arm(guess for guess in guesses if (guess.when, guess.by) == (when, by))
    ]
    reason = "" if guesses else "nobody was asked to guess: whether the blind was kept is not known"
    return {
        "bang": found,
        "reason": reason,
        "why_not_adjusted": WHY_NOT_ADJUSTED,
        "belief": _belief(trial, guesses, primary),
    }


def _guesses(trial: Trial) -> list[Guess]:
    """The first guess of each person about each participant of the two arms at each planned time, in order of days.

    A later guess of the same time was not blind to the first; two times are two indices, never one of twice as many.
    """
    plan, arm_of = trial.plan, trial.tables.arm_of
    first: dict[tuple[str, str, str], Guess] = {}
    for row in sorted(
        trial.tables.rows["guesses"], key=lambda row: (row["study_day"] is None, row["study_day"] or 0)
    ):
        who, by = row["participant"], row["by"]
        when = row["visit"] or row["session"] or "no planned time"
        if arm_of.get(who) in (plan.arms.compared, plan.arms.reference):
            believed = _believed(row["guess"], plan)
            guess = Guess(arm_of[who], believed, by, when=when, certainty_pct=row["certainty"])
            first.setdefault((who, by, when), guess)
    return list(first.values())


def _believed(word: str, plan: Plan) -> str | None:
    """The arm somebody believes in; None: they do not know. Logs say active or comparison, never an arm's name."""
    said = {"active": plan.arms.compared, "comparison": plan.arms.reference, "control": plan.arms.reference}
    return None if word.lower() in plan.blinding.unsure else said.get(word.lower(), word)


def _belief(trial: Trial, guesses: list[Guess], primary: Mapping[str, Any]) -> Data:
    """What belief in the compared arm could have moved, by assumed effect of belief: as believed when first asked."""
    plan = trial.plan
    estimate: float | None = (primary.get("estimate") or {}).get("estimate")
    own = [guess for guess in guesses if guess.by == "participant" or len({g.by for g in guesses}) == 1]
    own = [guess for guess in own if guess.when == own[0].when]
    shares = []
    for arm in (plan.arms.compared, plan.arms.reference):
        asked = [guess for guess in own if guess.arm == arm]
        if not asked or estimate is None:
            return {"reason": "beliefs of both arms and a primary estimate are needed"}
        shares.append(sum(guess.guessed == plan.arms.compared for guess in asked) / len(asked))
    rows = [plain(belief_bias(-size, shares[0], shares[1], estimate)) for size in plan.blinding.belief_points]
    explains = tipping_belief(float(estimate or 0.0), shares[0], shares[1])
    return {"shares": shares, "rows": rows, "would_explain_all": explains, "note": plan.blinding.note}
