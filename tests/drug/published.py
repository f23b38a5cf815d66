"""Published figures the drug room is held against, with where they were read. Expected values only."""

# Perez-Ruixo 2021, Table 4 (model-based typical values; DOI 10.1007/s40262-020-00953-4), as printed in the nlmixr2lib
# article on that model: (ancestry, age in years, dose in mg) -> esketamine Cmax ng/mL and AUC0-24 ng*h/mL,
# noresketamine Cmax ng/mL. Age 45 stands for 18-60 and 70 for over 60 years, as there.
PEREZRUIXO_TABLE_4 = {
    ("caucasian", 45, 28): (43.8, 147.3, 59.1),
    ("caucasian", 45, 56): (72.5, 254.7, 119.7),
    ("caucasian", 45, 84): (101.0, 362.2, 180.0),
    ("asian", 45, 28): (44.1, 158.2, 73.4),
    ("asian", 45, 56): (73.2, 275.9, 148.5),
    ("asian", 45, 84): (102.4, 393.5, 223.5),
    ("japanese", 45, 28): (57.5, 194.7, 72.1),
    ("japanese", 45, 56): (94.5, 335.1, 146.3),
    ("japanese", 45, 84): (131.3, 475.4, 220.4),
    ("caucasian", 70, 28): (44.6, 160.4, 57.3),
    ("caucasian", 70, 56): (73.8, 275.8, 117.2),
    ("caucasian", 70, 84): (102.7, 391.2, 177.0),
    ("asian", 70, 28): (44.9, 171.0, 71.4),
    ("asian", 70, 56): (74.4, 296.3, 145.9),
    ("asian", 70, 84): (103.8, 421.5, 220.4),
    ("japanese", 70, 28): (58.8, 212.2, 69.0),
    ("japanese", 70, 56): (96.5, 363.1, 141.7),
    ("japanese", 70, 84): (133.8, 513.9, 214.4),
}

# research/pkpd.md section 5: 10,000 patients, the anaesthetic bolus set, 35 mg over 40 min, log-normal CL (30 %) and
# V1 (35 %); means found there by two engines (closed form and mrgsolve, compiled C++ ODE).
SPEED_JOB = {"people": 10_000, "cv_cl": 0.30, "cv_v1": 0.35, "mean_at_40": 239.5316, "mean_at_240": 18.6700}
SPEED_JOB_PARAMETERS = {"CL": 116 / 60, "V1": 4.41, "V2": 10.6, "V3": 178.0, "Q2": 157 / 60, "Q3": 156 / 60}

# ng/mL at minutes 10, 20, 30, 40, 60, 80, 120, 240 of 35 mg over 40 min (research/pkpd.md section 2, an earlier code)
TYPICAL_35_MG = {
    "kamp2020": (155, 198, 228, 253, 96, 74, 50, 26),
    "otto2021": (56, 99, 132, 160, 107, 82, 58, None),
    "clements1981": (62, 110, 147, 177, 115, 85, 59, 35),
    "domino1984": (182, 210, 227, 240, 55, 46, 36, 17),
}
MINUTES = (10, 20, 30, 40, 60, 80, 120, 240)

# Volumes (L) and clearances (L/h) at 70 kg that the rate constants of the comparison sets stand for (research/pkpd.md
# section 2, table of models)
DERIVED_70_KG = {
    "domino1984": {"CL": 116, "V1": 4.41, "V2": 10.6, "V3": 178, "Q2": 157, "Q3": 156},
    "clements1981": {"CL": 80, "V1": 123, "V2": 167, "Q2": 137},
    "hijazi2003": {"CL": 151, "V1": 76, "V2": 222, "Q2": 40},
}

# where each shipped model is held against something published
HELD_AGAINST = {
    "kamp2020": "TYPICAL_35_MG", "otto2021": "TYPICAL_35_MG", "clements1981": "DERIVED_70_KG",
    "domino1984": "DERIVED_70_KG", "hijazi2003": "DERIVED_70_KG", "perezruixo2021": "PEREZRUIXO_TABLE_4",
    "simons2022": "measured arterial peak, test_simons_arterial_peak_after_20_mg_in_20_minutes_is_the_measured_one",
}  # fmt: skip
