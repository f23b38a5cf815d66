"""What treatments achieved: arms of trials, comparisons of psychotherapies, pooled estimates, registrations."""

from __future__ import annotations

import re
from pathlib import Path

from evidence_notes.row import Row, mark_of, noted, read, take

METAPSY = "metapsy2024"

# Which reference a note speaks of: the first key found in its text wins. A note that matches none stops the build.
TRIALS = {
    "Rodriguez 2011": "rodriguez2011",
    "Bloch 2012": "bloch2012",
    "Niciu 2013": "niciu2013",
    "Rodriguez 2013": "rodriguez2013",
    "Rodriguez 2016 rapastinel": "rodriguez2016b",
    "Rodriguez 2016": "rodriguez2016",
    "Rodriguez 2017": "rodriguez2017",
    "Adams 2017": "adams2017",
    "Sharma 2020": "sharma2020",
    "Beaglehole 2025": "beaglehole2025",
    "Kaltenboeck 2023": "kaltenboeck2023",
    "Bellvitge": "bellvitge2025",
    "Algin 2024": "algin2024",
    "Rodriguez ACNP": "mket2022",
    "Mount Sinai": "nct01371110",
    "Stanford N2O": "nct03826693",
    "Yale psilocybin": "psilocybin2025",
    "Modarresi 2018": "modarresi2018",
    "Foa 2005": "foa2005",
    "Simpson 2008": "simpson2008",
    "Simpson 2013": "simpson2013",
    "Rector 2019": "rector2019",
    "Williams 2014": "williams2014",
    "Kushner 2007": "kushner2007",
    "Wilhelm 2008": "wilhelm2008",
    "Andersson 2015": "andersson2015",
    "Storch 2016": "storch2016",
    "Kayser 2020": "kayser2020",
    "Kellner 2016": "kellner2016",
}
ESTIMATES = {
    "Kwan": "kwan2024",
    "Bandeira": "bandeira2022",
    "Olatunji": "olatunji2013",
    "Rosa-Alcazar": "rosaalcazar2008",
    "Reid": "reid2021",
    "Ferrando": "ferrando2021",
    "Ost 2015": "ost2015",
    "Metapsy": METAPSY,
    "Mataix-Cols 2017": "mataixcols2017",
    "PLoS One 2017": "dcs2017",
    "Modarresi 2019": "modarresi2019",
    "J Coll Physicians": "memantine2025",
    "Ong 2016": "ong2016",
    "Johnco": "johnco2020",
    "Dehghan": "dehghan2022",
    "Cohen 2024": "cohen2024",
    "Aust": "aust2019",
    "Yale chart": "yalebp2024",
    "Riva-Posse": "rivaposse2018",
    "pooled phase 3": "esketamine928",
    "TRANSFORM": "esketaminebenefitrisk2020",
    "NCT02417064": "esketaminereadiness",
    "US label": "spravatolabel",
    "J Affect Disord 2018;227": "cadss2018",
    "Rodrigues 2021": "rodrigues2021",
    "Wan 2015": "wan2015",
    "Elsner 2020": "elsner2020",
    "Lii 2023": "lii2023",
}
CONTROLS = {"wl": "waitlist", "cau": "care as usual"}
FORMATS = {
    "ind": "individual",
    "grp": "group",
    "gsh": "guided self-help",
    "ush": "unguided self-help",
    "FB": "family-based",
    "TI": "time-intensive",
    "oth": "other",
}
SAMPLES = {"co": "completers", "itt": "intention to treat", "NR": "not reported"}
RATINGS = {"cr": "clinician", "sr": "self"}
AGES = {"adul": "adult", "adol": "adolescent"}

# our column -> the column of the notes
TRIAL_COLUMNS = {
    "study": "study",
    "arm": "arm",
    "record": "record_type",
    "day": "time_from_dose_days",
    "day_zero": "time_origin",
    "design": "design",
    "people": "n",
    "population": "population",
    "route": "route",
    "dose": "dose",
    "exposure": "erp",
    "exposure_timing": "erp_timing_vs_drug",
    "exposure_sessions": "erp_sessions",
    "scale": "instrument",
    "mean": "ybocs_mean",
    "sd": "ybocs_sd",
    "change": "change",
    "responders": "responders_n",
    "response_rule": "response_definition",
    "left_early": "dropouts",
    "note": "notes",
    "seen_in": "source",
}
OUTCOME_COLUMNS = {
    "hedges_g": ".g",
    "hedges_g_se": ".g_se",
    "risk_of_bias": "ROB",
    "weeks": "time_weeks",
    "sessions": "n_sessions_arm1",
    "treatment_n_before": "baseline_n_arm1",
    "treatment_mean_before": "baseline_mean_arm1",
    "treatment_sd_before": "baseline_sd_arm1",
    "treatment_n_after": "n_arm1",
    "treatment_mean_after": "mean_arm1",
    "treatment_sd_after": "sd_arm1",
    "treatment_left": "attr_arm1",
    "control_n_before": "baseline_n_arm2",
    "control_mean_before": "baseline_mean_arm2",
    "control_sd_before": "baseline_sd_arm2",
    "control_n_after": "n_arm2",
    "control_mean_after": "mean_arm2",
    "control_sd_after": "sd_arm2",
    "control_left": "attr_arm2",
    "region": "country",
    "mean_age_years": "mean_age",
    "women_fraction": "percent_women",
}
ESTIMATE_COLUMNS = {
    "estimate_id": "label",
    "comparison": "comparison",
    "measure": "measure",
    "estimate": "estimate",
    "low": "ci_low",
    "high": "ci_high",
    "studies": "k_studies",
    "people": "n",
    "tau": "tau",
    "i2_fraction": "i2",
    "note": "notes",
    "seen_in": "source_short",
}
REGISTRATION_COLUMNS = {
    "registration": "id",
    "title": "title_short",
    "drug": "drug",
    "therapy": "therapy",
    "design": "design",
    "planned_people": "n_target",
    "sponsor": "sponsor",
    "status": "status_as_stored",
    "eligibility": "eligibility_notes",
    "outcomes": "outcomes_and_timing",
}


def trials(notes: Path) -> list[Row]:
    """Hand-gathered rows only: the arms that come from Metapsy stand in `psychotherapy_ybocs`."""
    gathered = (line for line in read(notes / "trials.csv") if not line["source"].startswith("Metapsy"))
    return noted(gathered, TRIAL_COLUMNS, TRIALS, "study")


def psychotherapy(notes: Path) -> list[Row]:
    """One row per comparison. `control_group` is the same where two comparisons share their control."""
    rows: list[Row] = []
    controls: dict[str, dict[tuple[str, ...], str]] = {}
    for line in read(notes / "metapsy_ybocs.csv"):
        study = line["study"].replace(",", " ")
        trial = re.sub(r"[^a-z0-9]", "", study.lower())
        known = controls.setdefault(trial, {})
        control = (line["mean_arm2"], line["sd_arm2"], line["n_arm2"])
        group = known.setdefault(control, f"{trial}-c{len(known) + 1}")
        number_in_trial = sum(row["trial"] == trial for row in rows) + 1
        name = {"comparison": f"{trial}-{number_in_trial}", "trial": trial, "study": study, "year": line["year"]}
        rows.append(name | arms(line, group) | take(line, OUTCOME_COLUMNS) | {"source": METAPSY, "mark": "read"})
    return rows


def arms(line: Row, control_group: str) -> Row:
    """What was compared with what, in words instead of codes."""
    return {
        "treatment": line["condition_arm1"],
        "treatment_arm": "" if line["multi_arm1"] == "NA" else line["multi_arm1"],
        "control": CONTROLS.get(line["condition_arm2"], line["condition_arm2"]),
        "control_group": control_group,
        "arms_in_trial": line["no.arms"],
        "format": FORMATS[line["format"]],
        "rating": RATINGS[line["rating"]],
        "analysis_sample": SAMPLES[line["sample"]],
        "age_group": AGES[line["age_group"]],
    }


def meta_estimates(notes: Path) -> list[Row]:
    """Published or computed pooled estimates, safety rates, thresholds."""
    return noted(read(notes / "meta_estimates.csv"), ESTIMATE_COLUMNS, ESTIMATES, "source_short")


def registrations(notes: Path) -> list[Row]:
    """Registered protocols; each is its own reference."""
    rows = []
    for line in read(notes / "registrations.csv"):
        reference = re.sub(r"[^a-z0-9]", "", line["id"].lower())
        rows.append(take(line, REGISTRATION_COLUMNS) | {"source": reference, "mark": mark_of(line["provenance"])})
    return rows
