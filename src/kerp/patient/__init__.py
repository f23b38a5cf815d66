"""Virtual patients: traits and severity drawn from priors, and how the drug of a schedule reaches them."""
