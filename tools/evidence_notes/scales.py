"""What is known of each scale, with its rights."""

from __future__ import annotations

from pathlib import Path

from evidence_notes.row import Row, noted, read

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

# our column -> the column of the notes
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


def instrument_facts(notes: Path) -> list[Row]:
    """What is known of each scale, with its rights."""
    return noted(read(notes / "instruments.csv"), SCALE_COLUMNS, SCALES, "id")
