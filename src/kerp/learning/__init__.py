"""How fear, safety and habit learn in exposure, with and without the drug. Knows neither drug nor patient."""
