"""Published kinetic models, and measured concentrations and effects."""

from __future__ import annotations

from pathlib import Path

from evidence_notes.row import Row, bounds, number, origin, read, take

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

# our column -> the column of the notes
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


def pk_models(notes: Path) -> list[Row]:
    """Parameters of published kinetic models, those kerp runs (`kerp drug models`) and those it does not."""
    rows = []
    for line in read(notes / "pk_models.csv"):
        named = {"model": line["model_id"], "parameter": line["parameter"], "value": number(line["value"])}
        rows.append(named | take(line, MODEL_COLUMNS) | origin(line["source"], KINETIC_MODELS, line["provenance"]))
    return rows


def pk_observations(notes: Path) -> list[Row]:
    """Measured concentrations and kinetics."""
    return _observations(read(notes / "pk_observations.csv"), "quantity", KINETICS)


def pd_observations(notes: Path) -> list[Row]:
    """Measured effects."""
    return _observations(read(notes / "pd_observations.csv"), "measure", EFFECTS)


def _observations(lines: list[Row], quantity: str, table: dict[str, str]) -> list[Row]:
    """`value`, `low`, `high` only where the print is a plain number or range."""
    rows = []
    for line in lines:
        low, high = bounds(line["value"])
        plain = {"quantity": line[quantity], "value": number(line["value"]), "low": low, "high": high}
        rows.append(plain | take(line, OBSERVATION_COLUMNS) | origin(line["source"], table, line["provenance"]))
    return rows
