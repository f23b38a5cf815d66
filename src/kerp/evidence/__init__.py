"""Who said which number: sourced values, citations, published results. Data only, no opinion."""
