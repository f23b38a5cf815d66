"""Writes kerp's evidence tables from the research notes beside the repository (`../shared/evidence`).

The notes are not part of the repository: two of them are other people's data files. This script takes facts over
into kerp's own tables, with our own columns and order, the id of a reference and the mark in every row; run it again
when the notes change. Attribution of the psychotherapy figures: Metapsy data-ocd-psyctr 24.0.1, Open Data Commons
Attribution License 1.0, DOI 10.5281/zenodo.10471942.

    python tools/build_evidence.py [NOTES_FOLDER]
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
OUT = HERE / "src" / "kerp" / "data" / "evidence"
METAPSY = "metapsy2024"
Row = dict[str, str]

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
PROCESS = {
    "Elsner 2022": "elsner2022",
    "Benito": "benito2018",
    "De Silva": "desilva2003",
    "Rachman": "rachman1976",
    "EX/RP manual": "foa2012",
    "Kircanski": "kircanski2015",
    "Kozak": "kozak1988",
    "Jacoby": "jacoby2019",
    "Kushner": "kushner2007",
    "Ong": "ong2016",
    "Johnco": "johnco2020",
    "Foa 2005": "foa2005",
    "Dehghan": "dehghan2022",
    "Bowdle": "bowdle1998",
    "Zou": "zou2009",
}
KINETICS = {
    "citing Zarate 2006": "zanos2018; zarate2006",
    "citing Krystal 1994": "zanos2018; krystal1994",
    "Zarate CA et al. 2012": "zarate2012",
    "Simons P, thesis": "simons2024",
    "S-ketamine CBF": "langsjo2005",
    "phar.2669": "pharmacotherapy2022",
    "Perez-Ruixo": "perezruixo2021",
    "Plasma Levels of SPRAVATO": "jnjplasma2024",
    "FDA label": "spravatolabel",
    "s40262-023": "rhinitis2023",
    "NCT02343289": "nct02343289",
}
KINETIC_MODELS = {
    "Perez-Ruixo": "perezruixo2021",
    "Otto": "otto2021; fanta2015",
    "Simons": "simons2022",
    "Kamp": "kamp2020",
    "Domino": "domino1984",
    "Clements": "clements1981",
    "Hijazi": "hijazi2003",
    "Herd": "herd2007",
    "Hornik": "hornik2018",
    "Flint": "flint2017",
    "Henthorn": "henthorn2018",
    "Wang": "wang2019",
    "Persson": "persson2002",
    "Fanta": "fanta2015",
    "Jonkman": "jonkman2017",
    "Zhao": "zhao2012",
}
EFFECTS = {
    "Dissociative Effects": "jnjdissociation2024",
    "pyab084": "transform2021",
    "Caliman": "calimanfontes2022",
    "0269881117725685": "castle2017",
    "NCT04226963": "nct04226963",
    "Bowdle": "bowdle1998",
    "fpain.2022.946487": "simons2022b",
    "fpain.2022.946486": "simons2022; simons2022b",
    "Jonkman": "jonkman2018",
    "015263": "pomarolclotet2006",
    "Luckenbaugh": "luckenbaugh2014",
    "Murrough": "murrough2013",
    "Wan LB": "wan2015",
    "741 infusions": "infusions741",
    "684 infusions": "rivaposse2018",
    "Rodrigues NB": "rodrigues2022",
    "Szarmach": "szarmach2020",
    "Vankawala": "vankawala2021",
    "Cardiovascular Effects": "jnjcardiovascular",
    "Sedation": "jnjsedation2024",
    "Respiratory": "jnjrespiratory2025",
    "Post Administration": "jnjmonitoring2024",
    "EU SmPC": "spravatosmpc",
    "van der Aart": "vanderaart2018",
    "Shaffer": "shaffer2014",
    "Rodriguez CI et al. 2013": "rodriguez2013",
    "Bloch MH": "bloch2012",
    "SPRAVATO US label": "spravatolabel",
}
STATISTICS = {
    "power.t.test": "rstats",
    "rpact": "rpact",
    "SciPy": "kerpcalc",
    "Borm": "borm2007",
    "algebra": "kerpcalc",
    "SAS SEQDESIGN": "sasseqdesign",
    "Jennison": "jennison2000",
    "tight NumPy": "kerpcalc",
    "openpharma/mmrm": "mmrmpackage",
    "R mmrm": "mmrmpackage",
    "own batched REML": "kerpcalc; mmrmpackage",
    "nlme": "nlme",
    "lme4": "lme4",
    "statsmodels": "statsmodels; niststrd",
    "fisher.test": "rodriguez2013; rstats",
    "binom.test": "rstats",
    "Freeman": "freeman1989",
    "adaptr": "adaptr",
    "simulation": "kerpcalc",
}
SCALES = {
    "ybocs2": "storch2010; ybocs2bands2025; ybocs2conversion2022",
    "aybocs": "psilocybin2025",
    "ybocc": "rodriguez2016b",
    "ybocs": "goodman1989; camcops",
    "ocd_vas": "rodriguez2013; rodriguez2016",
    "suds": "wolpe1969",
    "urge": "desilva2003",
    "expect": "elsner2022",
    "ritual_log": "benito2018",
    "peas": "simpson2010",
    "cadss6": "rodrigues2021",
    "cadss": "bremner1998; cadss2018",
    "diss_now": "kerp",
    "bprs": "overall1962; camcops",
    "ymrs1": "young1978",
    "madrs": "montgomery1979; camcops; rbr6kmdtgb",
    "hdrs17": "hamilton1960; rodriguez2016",
    "cssrs": "posner2011",
    "cgi": "guy1976; camcops",
    "ocir": "foa2002",
    "docs_sf": "eilertsen2017",
    "docs": "abramowitz2010",
    "babs": "eisen1998; kaplan2006",
    "moaas": "spravatolabel; chernik1990",
    "5dasc": "dittrich1998; aust2019",
    "guess": "lii2023",
    "ae": "esketaminebenefitrisk2020",
    "vitals": "rivaposse2018",
    "discharge": "spravatolabel; esketaminereadiness",
    "ocd_outcome_criteria": "mataixcols2016; tolin2005; lewin2011; farris2013",
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


def source_of(text: str, table: dict[str, str]) -> str:
    """The reference ids of a note; stops the build when nothing fits."""
    for key, reference in table.items():
        if key in text:
            return reference
    raise SystemExit(f"no reference is known for: {text!r}; add it to tools/build_evidence.py")


def mark_of(provenance: str) -> str:
    """`read` or `recalled`: a row that is only partly read counts as recalled."""
    if provenance.startswith(("recalled", "memory")):
        return "recalled"
    if provenance.startswith(("read", "computed", "derived", "ours")):
        return "read"
    if provenance.startswith(("design inference", "assumed")):
        return "assumed"
    raise SystemExit(f"unknown provenance: {provenance!r}")


def number(text: str) -> str:
    """A plain number as it stands, else nothing."""
    return text if re.fullmatch(r"-?\d+(\.\d+)?", text) else ""


def bounds(text: str) -> tuple[str, str]:
    """The ends of a printed range such as `61-84`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", text)
    return (found.group(1), found.group(2)) if found else ("", "")


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
PROCESS_COLUMNS = {
    "study": "study",
    "population": "population",
    "people": "n",
    "setting": "setting",
    "rating": "scale",
    "minutes": "minutes",
    "suds_start": "suds_start",
    "suds_peak": "suds_peak",
    "suds_end": "suds_end",
    "between_sessions": "between_session_change",
    "left_early_percent": "dropout_pct",
    "finding": "finding",
    "use": "model_use",
    "seen_in": "source",
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
SCALE_COLUMNS = {
    "instrument": "id",
    "name": "name",
    "rater": "rater",
    "items": "items",
    "item_min": "item_min",
    "item_max": "item_max",
    "total_min": "total_min",
    "total_max": "total_max",
    "structure": "subscales",
    "period": "reference_period",
    "minutes_to_give": "admin_minutes",
    "scoring": "scoring",
    "bands": "bands",
    "response_remission": "response_remission",
    "role": "role_in_protocol",
    "rights": "wording_rights",
    "may_ship": "ship",
    "seen_in": "source",
}
OBSERVATION_COLUMNS = {
    "study": "study",
    "drug": "drug",
    "route": "route",
    "dose": "dose",
    "population": "population",
    "people": "n",
    "at_min": "time_min",
    "as_printed": "value",
    "unit": "unit",
    "spread": "spread",
    "spread_kind": "spread_type",
    "note": "note",
    "seen_in": "source",
    "provenance": "provenance",
}
MODEL_COLUMNS = {
    "drug": "drug",
    "route": "route",
    "analyte": "analyte",
    "unit": "unit",
    "spread_cv_percent": "bsv_cv_pct",
    "weight_scaling": "weight_scaling",
    "as_printed": "value",
    "note": "note",
    "seen_in": "source",
    "provenance": "provenance",
}
STATISTIC_COLUMNS = {
    "reference_value": "id",
    "area": "category",
    "quantity": "quantity",
    "setting": "dataset_or_design",
    "expected": "expected",
    "tolerance": "tolerance",
    "seen_in": "source",
    "note": "note",
}
SAMPLES = {"co": "completers", "itt": "intention to treat", "NR": "not reported"}
RATINGS = {"cr": "clinician", "sr": "self"}
AGES = {"adul": "adult", "adol": "adolescent"}
ORIGINS = {
    "read": "published",
    "recalled": "published",
    "computed_here": "computed",
    "read + computed_here": "computed",
    "derived": "derived",
}


def take(line: Row, columns: dict[str, str]) -> Row:
    """The columns of a note under our names and in our order."""
    return {ours: line[theirs] for ours, theirs in columns.items()}


def origin(text: str, table: dict[str, str], provenance: str) -> Row:
    """The two columns every table ends with."""
    return {"source": source_of(text, table), "mark": mark_of(provenance)}


def trials(notes: Path) -> list[Row]:
    """Hand-gathered rows only: the arms that come from Metapsy stand in `psychotherapy_ybocs`."""
    return [
        take(line, TRIAL_COLUMNS) | origin(line["study"], TRIALS, line["provenance"])
        for line in read(notes / "trials.csv")
        if not line["source"].startswith("Metapsy")
    ]


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
    return [
        take(line, ESTIMATE_COLUMNS) | origin(line["source_short"], ESTIMATES, line["provenance"])
        for line in read(notes / "meta_estimates.csv")
    ]


def habituation(notes: Path) -> list[Row]:
    """Studies of distress within and between exposures."""
    return [
        take(line, PROCESS_COLUMNS) | origin(line["study"], PROCESS, line["provenance"])
        for line in read(notes / "habituation.csv")
    ]


def registrations(notes: Path) -> list[Row]:
    """Registered protocols; each is its own reference."""
    rows = []
    for line in read(notes / "registrations.csv"):
        reference = re.sub(r"[^a-z0-9]", "", line["id"].lower())
        rows.append(take(line, REGISTRATION_COLUMNS) | {"source": reference, "mark": mark_of(line["provenance"])})
    return rows


def instrument_facts(notes: Path) -> list[Row]:
    """What is known of each scale, with its rights."""
    return [
        take(line, SCALE_COLUMNS) | origin(line["id"], SCALES, line["provenance"])
        for line in read(notes / "instruments.csv")
    ]


def observations(notes: Path, file: str, quantity: str, table: dict[str, str]) -> list[Row]:
    """Measured kinetics or effects; `value`, `low`, `high` only where the print is a plain number or range."""
    rows = []
    for line in read(notes / file):
        low, high = bounds(line["value"])
        plain = {"quantity": line[quantity], "value": number(line["value"]), "low": low, "high": high}
        rows.append(plain | take(line, OBSERVATION_COLUMNS) | origin(line["source"], table, line["provenance"]))
    return rows


def pk_models(notes: Path) -> list[Row]:
    """Parameters of published kinetic models, those kerp runs (`kerp drug models`) and those it does not."""
    rows = []
    for line in read(notes / "pk_models.csv"):
        named = {"model": line["model_id"], "parameter": line["parameter"], "value": number(line["value"])}
        rows.append(named | take(line, MODEL_COLUMNS) | origin(line["source"], KINETIC_MODELS, line["provenance"]))
    return rows


def stat_references(notes: Path) -> list[Row]:
    """Reference values that our statistics must reproduce."""
    return [
        take(line, STATISTIC_COLUMNS)
        | {"origin": ORIGINS[line["provenance"]]}
        | origin(line["source"], STATISTICS, line["provenance"])
        for line in read(notes / "stat_references.csv")
    ]


def read(path: Path) -> list[Row]:
    """The rows of a note."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write(name: str, rows: list[Row]) -> None:
    """One table of ours."""
    with (OUT / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{name}: {len(rows)} rows")


def main(notes: Path) -> None:
    """Write every table."""
    OUT.mkdir(parents=True, exist_ok=True)
    write("trials", trials(notes))
    write("psychotherapy_ybocs", psychotherapy(notes))
    write("meta_estimates", meta_estimates(notes))
    write("habituation", habituation(notes))
    write("registrations", registrations(notes))
    write("instrument_facts", instrument_facts(notes))
    write("pk_models", pk_models(notes))
    write("pk_observations", observations(notes, "pk_observations.csv", "quantity", KINETICS))
    write("pd_observations", observations(notes, "pd_observations.csv", "measure", EFFECTS))
    write("stat_references", stat_references(notes))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "shared" / "evidence")
