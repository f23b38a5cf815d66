"""Rating scales as data, their answers and scores. Knows no drug and no protocol."""
