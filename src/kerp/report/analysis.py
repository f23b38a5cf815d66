"""The report of an analysed trial: one self-contained page from the plain data of `analysis.run_plan`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kerp.evidence.references import cite, reference_ids
from kerp.report import analysis_figures as figures
from kerp.report.page import Facts, Listing, Page, Section, Table, Text, render

Data = dict[str, Any]
METHODS = (
    "Repeated measures: Mallinckrodt et al. 2008; Kenward and Roger 1997; Fai and Cornelius 1996",
    "Multiple imputation: Rubin 1987; Barnard and Rubin 1999; Carpenter, Roger and Kenward 2013; Cro et al. 2019",
    "Estimands: ICH E9(R1) 2019. Blinding: Bang, Ni and Davis 2004. Exact differences: Agresti and Min 2001",
    "Reporting: CONSORT 2010",
)


def analysis_report(data: Data) -> str:
    """The whole page as one HTML file."""
    plan = data["plan"]
    label = plan["outcome"]["label"]
    sections = (
        Section("estimand", "What is estimated", tuple(_question(data))),
        Section("deviations", "Departures from the plan", (_deviations(data),)),
        Section("flow", "Participants", (figures.flow(data["flow"], data["screening"]),)),
        Section("baseline", "Baseline", tuple(_baseline(data["baseline"]))),
        Section("trajectories", "Course of symptoms", tuple(_course(data, label))),
        Section("primary", "Primary and sensitivity estimates", tuple(_estimates(data, label))),
        Section("response", "Response by every definition", tuple(_response(data["response"]))),
        Section("time", "Time to response", tuple(_time(data["time_to_response"]))),
        Section("safety", "Safety", tuple(_safety(data["safety"], data["conduct"], data["contact"]["warning"]))),
        Section("learning", "Distress within and between sessions", tuple(_habituation(data["habituation"]))),
        Section("blinding", "Blinding and belief", tuple(_blinding(data["blinding"]))),
        Section("checks", "Model checks", tuple(_checks(data))),
        Section("references", "References", tuple(_references(data))),
    )
    subtitle = f"Analysis of {plan['arms']['compared']} against {plan['arms']['reference']}, plan {plan['id']}"
    badges = () if data["locked_digest"] else ("plan not locked",)
    running = f"{plan['id']}, version {plan['version']}"
    return render(Page(plan["title"], subtitle, sections, badges=badges, running_title=running, runs_on=True))


def _question(data: Data) -> Iterator[Any]:
    plan = data["plan"]
    yield Text(data["estimand"] + ".")
    rows = [(e["kind"], e["strategy"].replace("_", " "), e["reason"]) for e in plan["estimand"]["events"]]
    yield Table("Intercurrent events and their strategies (ICH E9(R1))", ("event", "strategy", "reason"), rows)
    locked = data["locked_digest"] or "not locked before the analysis"
    yield Facts(
        (("plan", f"{plan['id']}, version {plan['version']}"), ("digest", data["plan_digest"]), ("lock", locked))
    )


def _deviations(data: Data) -> Table:
    rows = [(row["kind"], row["what"], row["why"]) for row in data["deviations"]]
    caption = "Changes after the lock, declared deviations, and events or data the plan did not foresee"
    return Table(caption, ("kind", "what", "why"), rows, empty="None: the plan was carried out as it was written.")


def _summary(value: Data) -> str:
    if value["mean"] is None:
        return "not recorded"
    spread = "SD not estimable" if value["sd"] is None else f"{value['sd']:.1f}"
    return f"{value['mean']:.1f} ({spread}), n {value['n']}"


def _baseline(table: Data) -> Iterator[Any]:
    arms = list(table["measures"][0]["by_arm"])
    rows = [(m["name"], *(_summary(m["by_arm"][arm]) for arm in arms)) for m in table["measures"]]
    rows += [(item["name"], *(_tally(item["by_arm"][arm]) for arm in arms)) for item in table["counts"]]
    note = "Mean (SD), n. Without tests: differences here are chance by design, and p values would mislead."
    yield Table("Participants at baseline", ("", *arms), rows, note=note)


def _tally(counts: dict[str, int]) -> str:
    return "; ".join(f"{name} {n}" for name, n in counts.items()) or "not recorded"


def _course(data: Data, label: str) -> Iterator[Any]:
    yield from (Text(note, tone="warning") for note in data["empty_visits"])
    yield figures.trajectories(data["trajectories"], label)


def _estimates(data: Data, label: str) -> Iterator[Any]:
    primary = data["primary"]
    if data["contact"]["warning"]:
        yield Text(data["contact"]["warning"], tone="warning")
    if primary.get("method"):
        yield Text(primary["method"])
    if not primary.get("estimate"):
        yield Text("The primary estimate cannot be given: " + primary["reason"], tone="warning")
    for note in primary.get("notes", ()):
        yield Text(note, tone="warning" if note.startswith("NOT CONVERGED") else "note")
    named = [("primary: repeated measures", primary.get("estimate") or {})]
    named += [(row["name"], row) for row in data["supplementary"]]
    sensitivity = data["sensitivity"]
    named += [(f"imputation, {row['assumption'].upper()}", row) for row in sensitivity.get("rows", ())]
    if any(row.get("ci_low") is not None for _, row in named):
        yield figures.estimates(named, label)
    yield _all_estimates(named)
    if primary.get("contrasts"):
        yield _by_visit(primary)
    yield from _tipping(sensitivity)


def _all_estimates(named: list[tuple[str, Data]]) -> Table:
    rows = [
        (name, *_figures(row), p_value(row.get("p")), row.get("reason") or row.get("note") or "")
        for name, row in named
    ]
    columns = ("analysis", "difference", "SE", "df", "95 % low", "95 % high", "p", "why not, or how to read")
    return Table("Difference at the primary day, compared minus reference", columns, rows, numeric=range(1, 7))


def _figures(row: Data) -> tuple[str | None, ...]:
    """Difference, standard error, df, interval; points to two decimals."""
    df = row.get("df")
    first = points(row.get("estimate")), points(row.get("se")), None if df is None else f"{df:.1f}"
    return (*first, points(row.get("ci_low")), points(row.get("ci_high")))


def points(value: float | None) -> str | None:
    """A score difference as journals print it; a missing one stays missing."""
    return None if value is None else f"{value:.2f}"


def _by_visit(primary: Data) -> Table:
    rows = [
        (
            f"day {c['visit']}",
            f"{c['arm']} - {c['reference']}",
            *_figures(c),
            p_value(c["p"]),
        )
        for c in primary["contrasts"].values()
    ]
    columns = ("visit", "contrast", "difference", "SE", "df", "95 % low", "95 % high", "p")
    state = "converged" if primary["converged"] else "NOT CONVERGED"
    note = f"{primary['n_subjects']} participants, {primary['n_observations']} outcomes; optimiser {state}."
    return Table("Repeated measures, every visit", columns, rows, numeric=range(2, 8), note=note)


def _tipping(sensitivity: Data) -> Iterator[Any]:
    tipping = sensitivity.get("tipping") or {}
    if "rows" not in tipping:
        yield Text(
            "Tipping point: " + str(tipping.get("reason") or sensitivity.get("reason", "not planned")), tone="note"
        )
        return
    rows = [
        (r["delta"], *map(points, (r["estimate"], r["ci_low"], r["ci_high"])), p_value(r["p"]))
        for r in tipping["rows"]
    ]
    if tipping["rows"] and tipping["rows"][0]["p"] > 0.05:
        note = "The imputed difference is not significant to begin with, so there is nothing to tip."
    elif tipping["delta"] is None:
        note = "No delta on this line takes significance away."
    else:
        worse = f"{tipping['delta']:g} points worse"
        note = f"Significance is lost when what was not observed in the compared arm is {worse}."
    columns = ("points added to unobserved outcomes, compared arm", "difference", "95 % low", "95 % high", "p")
    yield Table("Tipping point", columns, rows, numeric=range(5), note=note)


def _response(rows: list[Data]) -> Iterator[Any]:
    columns = ("definition", "responders", "unknown", "difference", "exact 95 %", "Bayesian 95 %", "Fisher p")
    note = (
        "Responders of those whose response is known; unknown is counted as neither. Exact: Agresti and Min 2001. "
        "Bayesian: independent Jeffreys priors."
    )
    shown = [_response_row(row) for row in rows]
    yield Table("Responders, compared v reference", columns, shown, numeric=(2, 3, 6), note=note)
    meant = [(row["label"], row["definition"], row["mark"]) for row in rows]
    yield Table("What each definition counts (M14)", ("definition", "what counts", "mark"), meant)
    said: set[str] = {f"{row['label']}: {row['reason']}" for row in rows if "difference" not in row}
    apart = [row["label"] for row in rows if any("perfect separation" in note for note in row.get("notes", ()))]
    if apart:
        said.add("No odds ratio can be estimated (an arm has only responders or none): " + "; ".join(apart))
    if said:
        yield Listing(sorted(said))


def _response_row(row: Data) -> tuple[Any, ...]:
    counts = " v ".join(f"{arm['responders']}/{arm['known']}" for arm in row["arms"])
    unknown = sum(arm["unknown"] for arm in row["arms"])
    if "difference" not in row:
        return (row["label"], counts, unknown, None, "not estimable", "not estimable", None)
    intervals = (_span(row["exact"]), _span(row["bayesian"]))
    return (row["label"], counts, unknown, f"{row['difference']:.2f}", *intervals, p_value(row["fisher_p"]))


def p_value(p: float | None) -> str:
    """A p value as journals print it."""
    if p is None:
        return "–"
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def _span(interval: Data) -> str:
    return f"{interval['low']:.2f} to {interval['high']:.2f}"


def _time(data: Data) -> Iterator[Any]:
    if "curves" not in data:
        yield Text("Time to response cannot be given: " + data["reason"], tone="note")
        return
    rows = [
        (arm, day, at_risk, f"{share:.3f}", f"{se:.3f}")
        for arm, curve in data["curves"].items()
        for day, at_risk, share, se in zip(
            curve["days"], curve["at_risk"], curve["not_responding"], curve["se"], strict=True
        )
    ]
    test = data["log_rank"]
    verdict = test["reason"] or f"Log-rank chi-square {test['chi2']:.2f}, p {p_value(test['p'])}."
    notes = " ".join(f"{arm}: {curve['note']}." for arm, curve in data["curves"].items() if curve["note"])
    columns = ("arm", "day of visit", "at risk", "share not yet responding", "SE")
    caption = f"First visit with response by {data['criterion']} (product-limit)"
    yield Table(caption, columns, rows, numeric=(1, 2, 3, 4), note=f"{verdict} {notes}".strip())


def _safety(safety: Data, conduct: Data, unequal: str) -> Iterator[Any]:
    arms = list(safety["people"])
    columns = ("", *(f"{arm} (n {safety['people'][arm]})" for arm in arms))
    for caption, key in (
        ("Adverse events: participants (events)", "adverse_events"),
        ("Intercurrent events: participants (events)", "intercurrent"),
    ):
        rows = [
            (
                row["name"].replace("_", " "),
                *(f"{row['by_arm'][a]['participants']} ({row['by_arm'][a]['events']})" for a in arms),
            )
            for row in safety[key]
        ]
        yield Table(caption, columns, rows)
    rows = [("highest systolic pressure, mmHg", *(_summary(safety["highest_systolic_mmhg"][arm]) for arm in arms))]
    rows.append(("lowest oxygen saturation, %", *(_summary(conduct["lowest_spo2_pct"][arm]) for arm in arms)))
    rows.append(("exposure per participant, min", *(_summary(conduct["contact_min"][arm]) for arm in arms)))
    rows.append(("therapists (participants seen)", *(_tally(conduct["therapists"][arm]) for arm in arms)))
    rows.append(("major protocol deviations", *(str(safety["major_deviations"][arm]) for arm in arms)))
    yield Table("Vital signs and conduct", columns, rows, note=unequal)


def _habituation(data: Data) -> Iterator[Any]:
    rows = [
        (r["arm"], r["cause"], r["falls"], r["participants"], f"{r['mean_points']:.1f}", r["counts_as_habituation"])
        for r in data["by_cause"]
    ]
    columns = ("arm", "possible cause", "falls", "participants", "mean points", "counts as habituation")
    note = "A fall with a ritual, avoidance, distraction or drug effect beside it is never counted as habituation."
    yield Table("Falls of SUDS by cause", columns, rows, numeric=(2, 3, 4), note=note)
    names = {
        "points_per_participant": "habituation, points",
        "return_of_fear_points": "return of fear at the next session, points",
        "fall_of_peak_points": "fall of the peak between sessions, points",
    }
    arms = list(data["points_per_participant"])
    yield Table(
        "Within and between sessions",
        ("", *arms),
        [(text, *(_summary(data[key][a]) for a in arms)) for key, text in names.items()],
        note="Mean (SD), n.",
    )


def _blinding(data: Data) -> Iterator[Any]:
    yield Text(data["why_not_adjusted"])
    rows = [
        (
            r["when"],
            r["by"],
            r["arm"],
            r["correct"],
            r["wrong"],
            r["unsure"],
            r["index"],
            f"{r['low']:.2f} to {r['high']:.2f}",
            r["reading"],
        )
        for r in data["bang"]
    ]
    columns = ("planned time", "who", "arm", "right", "wrong", "unsure", "Bang index", "95 %", "reading")
    yield Table("Guesses of the arm", columns, rows, numeric=(3, 4, 5, 6), empty=data["reason"] or "None.")
    belief = data["belief"]
    if "rows" in belief:
        shown = [(abs(r["effect_of_belief"]), points(r["bias"]), points(r["remaining"])) for r in belief["rows"]]
        note = belief["note"]
        yield Table(
            "What belief alone could have moved",
            ("assumed effect of belief, points", "bias", "difference without it"),
            shown,
            numeric=(0, 1, 2),
            note=note,
        )
    else:
        yield Text("Sensitivity to belief: " + belief["reason"], tone="note")


def _checks(data: Data) -> Iterator[Any]:
    if not data["checks"]:
        yield Text("The model was not fitted, so there is nothing to check.", tone="note")
        return
    yield figures.residuals(data["checks"])
    primary = data["primary"]
    rows = [(f"day {visit}", *row) for visit, row in zip(primary["visits"], primary["covariance"], strict=True)]
    columns = ("", *(f"day {visit}" for visit in primary["visits"]))
    yield Table("Modelled covariance of the visits", columns, rows, numeric=range(1, len(columns)))
    state = primary["convergence"]
    yield Facts(
        (
            ("iterations", state["iterations"]),
            ("log-likelihood still to gain", f"{state['decrement']:.1e}"),
            ("smallest eigenvalue of the information", state["smallest_eigenvalue"]),
        )
    )


def _references(data: Data) -> Iterator[Any]:
    named = {part for row in data["response"] for part in row["source"].split("; ")}
    known = sorted(named & set(reference_ids()))
    yield Listing((*METHODS, *(cite(known).split("\n\n") if known else ())))
    recalled = sorted({row["label"] for row in data["response"] if row["mark"] != "read"})
    if recalled:
        yield Text(
            "Definitions not yet seen in their source (recalled or assumed): " + "; ".join(recalled), tone="note"
        )
    yield Text("Effects of belief are assumed, to show what would follow.", tone="note")
