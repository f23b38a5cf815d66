"""Planted defects: one for each objection. (what a clinician would call it, how to plant it, field, words)."""

from __future__ import annotations

from dataclasses import replace

from kerp.evidence.sourced import Mark, Sourced
from kerp.protocol.model import Assessment, Fact, InstrumentUse, Phase, Prompt, Proposal, Protocol


def val(value, unit, source="kerp", mark=Mark.ASSUMED):
    return Sourced(value=value, unit=unit, source=source, mark=mark)


def one(records, identifier, **fields):
    """The same records with one of them changed."""
    assert any(record.id == identifier for record in records)
    return tuple(replace(record, **fields) if record.id == identifier else record for record in records)


def less(records, identifier):
    """The same records without one of them."""
    assert any(record.id == identifier for record in records)
    return tuple(record for record in records if record.id != identifier)


def get(records, identifier):
    return next(record for record in records if record.id == identifier)


def dose(p: Protocol, **fields) -> Protocol:
    return replace(p, dose=replace(p.dose, **fields))


def plan(p: Protocol, session: str, **fields) -> Protocol:
    return replace(p, sessions=one(p.sessions, session, **fields))


def phase(p: Protocol, session: str, identifier: str, **fields) -> Protocol:
    return plan(p, session, phases=one(p.session(session).phases, identifier, **fields))


def prompt(p: Protocol, identifier: str, session: str = "dosing", **fields) -> Protocol:
    return plan(p, session, prompts=one(p.session(session).prompts, identifier, **fields))


def exposure(p: Protocol, session: str = "dosing", **fields) -> Protocol:
    return plan(p, session, exposure=replace(p.session(session).exposure, **fields))


def visit(p: Protocol, identifier: str, **fields) -> Protocol:
    return replace(p, visits=one(p.visits, identifier, **fields))


def rule(p: Protocol, identifier: str, **fields) -> Protocol:
    return replace(p, rules=one(p.rules, identifier, **fields))


def limit(p: Protocol, identifier: str, **values) -> Protocol:
    """Set thresholds of a rule; None takes one away."""
    old = dict(get(p.rules, identifier).thresholds)
    for name, value in values.items():
        if value is None:
            del old[name]
        else:
            old[name] = val(value, old[name].unit if name in old else "points")
    return rule(p, identifier, thresholds=old)


def role(p: Protocol, identifier: str, **fields) -> Protocol:
    return replace(p, roles=one(p.roles, identifier, **fields))


def gate(p: Protocol, identifier: str, **fields) -> Protocol:
    return replace(p, preconditions=one(p.preconditions, identifier, **fields))


def use(identifier, kind="secondary", rater="blind_rater"):
    return InstrumentUse(id=identifier, role=kind, rater=rater)


def ask(instrument, rater="blind_rater", *, blinded=False):
    return Assessment(instrument=instrument, rater=rater, blinded=blinded)


def new_prompt(**fields):
    base = {
        "id": "new",
        "instrument": "ocd_vas",
        "title": "New",
        "asked_by": "participant",
        "anchor": Fact.SESSION_OPENED,
    }
    return Prompt(**(base | {"source": "kerp", "mark": Mark.ASSUMED} | fields))


def with_prompt(p, session="dosing", **fields):
    return plan(p, session, prompts=(*p.session(session).prompts, new_prompt(**fields)))


def with_phase(p, fact, session="dosing", at=None):
    phases = p.session(session).phases
    at = len(phases) if at is None else at
    new = Phase(id="new", title="New", enters_on=fact, proposes=Proposal.NOTHING, text="t")
    return plan(p, session, phases=(*phases[:at], new, *phases[at:]))


def same_day_ybocs(p):
    call = get(p.visits, "day1_call")
    return visit(p, "day1_call", assessments=(*call.assessments, ask("ybocs", blinded=True)))


def crossed(p):
    return visit(p, "day14", window_before_days=7)


def second_edition(p):
    p = replace(p, instruments=(*p.instruments, use("ybocs2")))
    return visit(p, "day28", assessments=(*get(p.visits, "day28").assessments, ask("ybocs2", blinded=True)))


def taper(p, *levels):
    steps = p.session("dosing").exposure.taper[: len(levels)]
    return exposure(p, taper=tuple(replace(s, intensity=level) for s, level in zip(steps, levels, strict=True)))


def blind_rater_may_be_therapist(p):
    p = role(p, "blind_rater", never_also=())
    return role(p, "therapist", never_also=())


def blinded(p, **fields):
    return replace(dose(p, **fields), blinded=True)


IV = (
    (
        "a phase that a drug-free session never reaches",
        lambda p: with_phase(p, Fact.EFFECT_PEAK, "repeat_off_drug"),
        "sessions.repeat_off_drug.phases.new",
        "no drug is given",
    ),
    (
        "a phase behind one that is always open by then",
        lambda p: with_phase(p, Fact.SESSION_OPENED),
        "sessions.dosing.phases.preparation",
        "in 'new' already",
    ),
    (
        "effect phases without an effect rule",
        lambda p: replace(p, effect_rule=None),
        "sessions.dosing.phases.taper",
        "no effect rule",
    ),
    *(
        (
            f"an effect rule with {name} {value}",
            lambda p, name=name, value=value, unit=unit: replace(
                p, effect_rule=replace(p.effect_rule, **{name: val(value, unit)})
            ),
            f"effect_rule.{name}",
            words,
        )
        for name, value, unit, words in (
            ("onset_rise", 0, "points", "no change"),
            ("peak_fall", 11, "points", "no change"),
            ("onset_ratings", 0, "ratings", "counts ratings"),
            ("peak_ratings", 1.5, "ratings", "counts ratings"),
            ("resolution_within", 2, "points", "still felt"),
        )
    ),
    ("no rule that reads the effect", lambda p: replace(p, effect_rule=None), "effect_rule", "how onset, peak"),
    (
        "a session that begins in the middle",
        lambda p: phase(p, "metacognitive", "open", enters_on=Fact.READY_CONFIRMED),
        "sessions.metacognitive.phases",
        "does not open with the session",
    ),
    ("a prompt without a time", with_prompt, "sessions.dosing.prompts.new", "neither at_min nor every_min"),
    (
        "a prompt with an empty window",
        lambda p: prompt(p, "suds", from_min=50, to_min=40),
        "sessions.dosing.prompts.suds",
        "is empty",
    ),
    ("a prompt without an end", lambda p: prompt(p, "suds", to_min=None), "sessions.dosing.prompts.suds", "to_min"),
    (
        "a prompt whose phase is over",
        lambda p: with_prompt(p, anchor=Fact.ADMINISTRATION_END, at_min=(0,), phases=("preparation",)),
        "sessions.dosing.prompts.new",
        "is over when",
    ),
    (
        "a prompt for a phase that does not exist",
        lambda p: prompt(p, "suds", phases=("exposur",)),
        "sessions.dosing.prompts.suds",
        "no phase exposur",
    ),
    (
        "a prompt whose anchor never comes",
        lambda p: with_prompt(p, "metacognitive", anchor=Fact.FIRST_EXPOSURE, at_min=(0,)),
        "sessions.metacognitive.prompts.new",
        "never happens",
    ),
    (
        "a prompt missed before it is late",
        lambda p: prompt(p, "suds", late_after_min=9),
        "sessions.dosing.prompts.suds.missed_after_min",
        "before it is late",
    ),
    (
        "felt effect asked too rarely",
        lambda p: prompt(p, "felt_effect", every_min=15),
        "sessions.dosing.prompts",
        "not asked often enough",
    ),
    (
        "no felt effect before the dose",
        lambda p: plan(p, "dosing", prompts=less(p.session("dosing").prompts, "pre_felt_effect")),
        "sessions.dosing.prompts",
        "baseline is unknown",
    ),
    (
        "a dose that no session gives",
        lambda p: replace(p, sessions=less(p.sessions, "dosing")),
        "dose",
        "no session gives",
    ),
    ("a session of a dose without dose", lambda p: replace(p, dose=None), "sessions.dosing.kind", "no [dose]"),
    ("two doses on one day", lambda p: dose(p, doses_total=2), "dose.doses_total", "as many doses"),
    (
        "exposure without a plan",
        lambda p: plan(p, "dosing", exposure=None),
        "sessions.dosing.exposure",
        "says not how",
    ),
    (
        "exposure planned where there is none",
        lambda p: plan(p, "metacognitive", exposure=p.session("dosing").exposure),
        "sessions.metacognitive.exposure",
        "without exposure",
    ),
    (
        "exposure that nothing opens",
        lambda p: phase(p, "dosing", "exposure", proposes=Proposal.NOTHING),
        "sessions.dosing.phases",
        "no phase proposes to open",
    ),
    (
        "exposure that nothing stops",
        lambda p: phase(p, "dosing", "effects_gone", proposes=Proposal.NOTHING),
        "sessions.dosing.phases",
        "ever proposes to stop",
    ),
    (
        "a drug-free session without duration",
        lambda p: exposure(p, "repeat_off_drug", duration_min=None),
        "sessions.repeat_off_drug.exposure.duration_min",
        "needs a duration",
    ),
    (
        "an exposure that no person can end",
        lambda p: exposure(p, ending_rules=("habituation",)),
        "sessions.dosing.exposure.ending_rules",
        "clinician must be able",
    ),
    ("a taper without steps", lambda p: exposure(p, taper=()), "sessions.dosing.exposure.ending_rules", "no steps"),
    (
        "habituation to more than the peak",
        lambda p: exposure(p, habituation_fraction=val(1.5, "fraction")),
        "sessions.dosing.exposure.habituation_fraction",
        "share of",
    ),
    (
        "a taper that goes up",
        lambda p: taper(p, 1.0, 0.3, 0.6, 0.0),
        "sessions.dosing.exposure.taper.imaginal.intensity",
        "does not go down",
    ),
    (
        "a taper that never ends exposure",
        lambda p: taper(p, 1.0, 0.5),
        "sessions.dosing.exposure.taper",
        "never ends",
    ),
    (
        "a taper that begins above full",
        lambda p: taper(p, 1.5, 0.6, 0.3, 0.0),
        "sessions.dosing.exposure.taper",
        "full",
    ),
    (
        "a repetition of nothing",
        lambda p: exposure(p, "repeat_off_drug", same_items_as="metacognitive"),
        "sessions.repeat_off_drug.exposure.same_items_as",
        "has none",
    ),
    (
        "a repetition before the first time",
        lambda p: plan(p, "repeat_off_drug", days=(0.0,)),
        "sessions.repeat_off_drug.days",
        "does not come after",
    ),
    (
        "a hierarchy with more least than most",
        lambda p: replace(p, planning=replace(p.planning, hierarchy_min_items=val(20, "items"))),
        "planning.hierarchy_min_items",
        "larger than",
    ),
    ("ten times the dose", lambda p: dose(p, dose_mg_per_kg=val(5, "mg/kg")), "dose.dose_mg_per_kg", "outside"),
    ("an infusion of half a minute", lambda p: dose(p, duration_min=val(0.5, "min")), "dose.duration_min", "outside"),
    (
        "ketamine as a nasal spray of esketamine",
        lambda p: dose(p, route="nasal_spray"),
        "dose.route",
        "not given as nasal spray",
    ),
    ("a route nobody has", lambda p: dose(p, route="oral"), "dose.route", "no route"),
    ("an infusion without duration", lambda p: dose(p, duration_min=None), "dose.duration_min", "needs duration_min"),
    ("an infusion with devices", lambda p: dose(p, device_mg=val(28, "mg")), "dose.device_mg", "means nothing"),
    (
        "a syringe of unknown concentration",
        lambda p: dose(p, concentration_mg_per_ml=None),
        "dose.concentration_mg_per_ml",
        "unknown",
    ),
    (
        "a cap that is never reached",
        lambda p: dose(p, max_dose_mg=val(1000, "mg")),
        "dose.max_dose_mg",
        "protects nobody",
    ),
    (
        "a cap that refuses everybody",
        lambda p: dose(p, max_dose_mg=val(6, "mg")),
        "dose.max_dose_mg",
        "every participant",
    ),
    (
        "a weight range upside down",
        lambda p: dose(p, weight_min_kg=val(300, "kg")),
        "dose.weight_min_kg",
        "no weight",
    ),
    (
        "a peak that ends before it begins",
        lambda p: dose(p, expected_peak_from_min=val(50, "min")),
        "dose.expected_peak_from_min",
        "before it begins",
    ),
    (
        "no onset called before the peak",
        lambda p: replace(p, effect_rule=replace(p.effect_rule, no_onset_by_min=val(20, "min"))),
        "effect_rule.no_onset_by_min",
        "before the peak",
    ),
    ("blinded without equal volume", blinded, "dose.blinding", "tells the arm"),
    (
        "Y-BOCS the day after a dose",
        same_day_ybocs,
        "visits.day1_call.assessments.ybocs",
        "less than that after a dose",
    ),
    (
        "Y-BOCS six days after a dose",
        lambda p: visit(p, "day7", window_before_days=1),
        "visits.day7.assessments.ybocs",
        "rates the past 7 days",
    ),
    (
        "Y-BOCS during the session",
        lambda p: with_prompt(
            p, instrument="ybocs", asked_by="session_rater", anchor=Fact.ADMINISTRATION_END, at_min=(200,)
        ),
        "sessions.dosing.prompts.new",
        "past 7 days",
    ),
    (
        "a 60-min scale 30 min after the infusion",
        lambda p: prompt(p, "end_yboccs", at_min=(30, 230)),
        "sessions.dosing.prompts.end_yboccs",
        "past 60 minutes",
    ),
    ("crossing windows", crossed, "visits.day14.window_before_days", "cross, and both ask"),
    (
        "crossing sessions",
        lambda p: plan(p, "metacognitive", days=(1.0, 2.0)),
        "sessions.metacognitive.days",
        "cross",
    ),
    ("a session without a day", lambda p: plan(p, "metacognitive", days=()), "sessions.metacognitive.days", "no day"),
    ("no day 1 call", lambda p: replace(p, visits=less(p.visits, "day1_call")), "visits", "bound to call"),
    (
        "a day 1 call that nobody must make",
        lambda p: visit(p, "day1_call", mandatory=False),
        "visits",
        "bound to call",
    ),
    (
        "a day 1 call without suicidality",
        lambda p: visit(p, "day1_call", assessments=(ask("ocd_vas", "participant"),)),
        "visits.day1_call.assessments",
        "suicidal thoughts",
    ),
    (
        "a day 1 call that is not escalated",
        lambda p: visit(p, "day1_call", escalate_after_h=None),
        "visits.day1_call.escalate_after_h",
        "not made",
    ),
    (
        "a baseline chosen afterwards",
        lambda p: visit(p, "baseline", locked=False),
        "visits.baseline.locked",
        "afterwards",
    ),
    ("no baseline", lambda p: replace(p, visits=less(p.visits, "baseline")), "visits", "one baseline"),
    (
        "a baseline without the outcome",
        lambda p: visit(p, "baseline", assessments=(ask("madrs", blinded=True),)),
        "visits.baseline.assessments",
        "lacks the primary",
    ),
    (
        "a baseline after the dose",
        lambda p: visit(p, "baseline", window_after_days=3),
        "visits.baseline",
        "after the dose",
    ),
    (
        "an unknown instrument",
        lambda p: visit(p, "day28", assessments=(ask("y-bocs"),)),
        "visits.day28.assessments.y-bocs",
        "no instrument",
    ),
    (
        "an instrument that is not declared",
        lambda p: visit(p, "day28", assessments=(ask("cadss23"),)),
        "visits.day28.assessments.cadss23",
        "not declared",
    ),
    (
        "an instrument that nobody asks",
        lambda p: replace(p, instruments=(*p.instruments, use("cadss23"))),
        "instruments.cadss23",
        "never asked",
    ),
    (
        "no primary outcome",
        lambda p: replace(p, instruments=one(p.instruments, "ybocs", role="secondary")),
        "instruments",
        "no primary",
    ),
    ("Y-BOCS mixed with Y-BOCS-II", second_edition, "instruments.ybocs2", "never mixed"),
    (
        "a clinician's scale answered by the participant",
        lambda p: prompt(p, "cadss6", asked_by="participant"),
        "sessions.dosing.prompts.cadss6",
        "clinician's scale",
    ),
    (
        "a Y-BOCS of 160",
        lambda p: replace(p, criteria=one(p.criteria, "severity", threshold=val(160, "points"))),
        "criteria.severity.threshold",
        "reaches this threshold",
    ),
    (
        "a role that nobody has",
        lambda p: rule(p, "bp_warn", who_decides="doctor"),
        "rules.bp_warn.who_decides",
        "nobody",
    ),
    (
        "the therapist rates blind",
        lambda p: visit(p, "day28", assessments=(ask("ybocs", "therapist", blinded=True),)),
        "visits.day28.assessments.ybocs.rater",
        "therapist rates",
    ),
    (
        "the therapist rates the outcome",
        lambda p: replace(p, instruments=one(p.instruments, "ybocs", rater="therapist")),
        "instruments.ybocs.rater",
        "primary outcome",
    ),
    ("the rater could be the therapist", blind_rater_may_be_therapist, "roles.blind_rater.never_also", "also be"),
    (
        "no pregnancy test",
        lambda p: replace(p, preconditions=less(p.preconditions, "hcg")),
        "preconditions",
        "pregnancy",
    ),
    (
        "a pregnancy test before the first dose only",
        lambda p: gate(p, "hcg", every_dose=False),
        "preconditions.hcg.every_dose",
        "not repeated",
    ),
    (
        "a pregnancy test of any age",
        lambda p: gate(p, "hcg", max_age_h=None),
        "preconditions.hcg.max_age_h",
        "how old",
    ),
    (
        "one person alone verifies",
        lambda p: replace(p, preconditions=less(p.preconditions, "dose_verified")),
        "preconditions",
        "verification",
    ),
    (
        "a criterion switched off in silence",
        lambda p: replace(p, criteria=one(p.criteria, "allergy", active=False)),
        "criteria.allergy.reason",
        "without a reason",
    ),
    (
        "discharge after 80 min",
        lambda p: replace(p, discharge=one(p.discharge, "elapsed", threshold=val(80, "min"))),
        "discharge.elapsed.threshold",
        "before 120 min",
    ),
    ("discharge without escort", lambda p: replace(p, discharge=less(p.discharge, "escort")), "discharge", "escort"),
    (
        "discharge without asking for suicidality",
        lambda p: replace(p, discharge=one(p.discharge, "suicidality", active=False)),
        "discharge",
        "suicidality",
    ),
    (
        "a blood pressure of any height at discharge",
        lambda p: replace(p, discharge=one(p.discharge, "blood_pressure", threshold=None)),
        "discharge.blood_pressure.threshold",
        "needs a threshold",
    ),
    (
        "a rule without its threshold",
        lambda p: limit(p, "bp_stop", confirm_within_min=None),
        "rules.bp_stop.thresholds",
        "needs the threshold",
    ),
    (
        "a threshold that nothing reads",
        lambda p: limit(p, "spo2_stop", spo2=90),
        "rules.spo2_stop.thresholds.spo2",
        "never reads",
    ),
    (
        "a systolic pressure of 1800",
        lambda p: limit(p, "bp_stop", sbp_mmhg=1800),
        "rules.bp_stop.thresholds.sbp_mmhg",
        "no measurement",
    ),
    (
        "a warning above its stop",
        lambda p: limit(p, "bp_warn", sbp_mmhg=190),
        "rules.bp_warn.thresholds.sbp_mmhg",
        "come before",
    ),
    (
        "an SpO2 warning below its stop",
        lambda p: limit(p, "spo2_warn", spo2_pct=88),
        "rules.spo2_warn.thresholds.spo2_pct",
        "come before",
    ),
    (
        "a start limit above the stop limit",
        lambda p: limit(p, "do_not_start_bp", dbp_mmhg=115),
        "rules.do_not_start_bp.thresholds.dbp_mmhg",
        "come before",
    ),
    (
        "no rule for the patient's stop",
        lambda p: replace(p, rules=less(p.rules, "patient_stop")),
        "rules",
        "patient_stop",
    ),
    (
        "a stop rule switched off unsigned",
        lambda p: rule(p, "spo2_stop", active=False),
        "rules.spo2_stop.active",
        "nobody signed",
    ),
    (
        "a sedation rule and nobody who rates sedation",
        lambda p: plan(
            p, "dosing", prompts=tuple(item for item in p.session("dosing").prompts if item.instrument != "moaas")
        ),
        "rules.sedation_stop",
        "never speak",
    ),
    (
        "no vitals once the drug runs",
        lambda p: plan(
            p,
            "dosing",
            prompts=tuple(
                item for item in p.session("dosing").prompts if item.instrument != "vitals" or item.id == "pre_vitals"
            ),
        ),
        "sessions.dosing.prompts",
        "vitals is not asked",
    ),
    (
        "a rule for a session that does not exist",
        lambda p: rule(p, "suds_ceiling", sessions=("dose",)),
        "rules.suds_ceiling.sessions",
        "does not exist",
    ),
    (
        "paradoxical anxiety without steps",
        lambda p: rule(p, "paradoxical_anxiety", steps=()),
        "rules.paradoxical_anxiety.steps",
        "no steps",
    ),
    (
        "paradoxical anxiety without onset",
        lambda p: replace(p, effect_rule=None),
        "rules.paradoxical_anxiety",
        "nothing reads onset",
    ),
    (
        "a threshold without source",
        lambda p: rule(p, "spo2_stop", thresholds={"spo2_pct": val(90, "%", source="")}),
        "rules.spo2_stop.thresholds.spo2_pct.source",
        "has no source",
    ),
    (
        "a threshold from nowhere",
        lambda p: rule(p, "spo2_stop", thresholds={"spo2_pct": val(90, "%", source="nobody1999")}),
        "rules.spo2_stop.thresholds.spo2_pct.source",
        "names nothing",
    ),
    (
        "our own choice marked as read",
        lambda p: rule(p, "spo2_stop", thresholds={"spo2_pct": val(90, "%", mark=Mark.READ)}),
        "rules.spo2_stop.thresholds.spo2_pct.mark",
        "our own choice",
    ),
)

NASAL = (
    ("86 mg", lambda p: dose(p, max_dose_mg=val(86, "mg")), "dose.max_dose_mg", "86"),
    ("four devices", lambda p: dose(p, devices_allowed=(1, 2, 3, 4)), "dose.devices_allowed", "whole number"),
    ("devices of 20 mg", lambda p: dose(p, device_mg=val(20, "mg")), "dose.devices_allowed", "whole number"),
    (
        "a usual number that is not allowed",
        lambda p: dose(p, devices_default=4),
        "dose.devices_default",
        "not one of those",
    ),
    (
        "devices at once",
        lambda p: dose(p, device_gap_min=val(1, "min")),
        "dose.device_gap_min",
        "shorter than the label",
    ),
)

BLINDED = (
    (
        "midazolam by a slip of the decimal point",
        lambda p: dose(p, dose_mg_per_kg=val(0.45, "mg/kg"), max_dose_mg=val(54, "mg")),
        "dose.dose_mg_per_kg",
        "outside its range",
    ),
    (
        "a forecast that tells the arm",
        lambda p: dose(p, blinding=replace(p.dose.blinding, hides_forecast=False)),
        "dose.blinding.hides_forecast",
        "tell the arm",
    ),
    (
        "a concentration that tells the arm",
        lambda p: dose(p, concentration_mg_per_ml=val(1, "mg/mL")),
        "dose.concentration_mg_per_ml",
        "follows from",
    ),
)
