"""How the evidence tables are made of the research notes, one module for each family of tables."""
