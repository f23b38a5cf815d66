"""One learning model per file; each file ends with its one export, `MODEL`."""
