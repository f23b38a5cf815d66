"""Write the published JSON Schemas again: `python tools/schemas.py` (a test says when they are stale)."""

from __future__ import annotations

import json

from kerp.base.data import DATA
from kerp.base.textfile import write_atomic
from kerp.protocol.schema import SCHEMA_ID, protocol_schema
from kerp.trial.load import DESIGN_SCHEMA_ID, design_schema


def main() -> None:
    """Write each schema under `data/schemas`."""
    for name, schema in ((SCHEMA_ID, protocol_schema()), (DESIGN_SCHEMA_ID, design_schema())):
        path = DATA / "schemas" / name
        write_atomic(path, json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
        print(f"wrote {path.relative_to(DATA.parent)}")


if __name__ == "__main__":
    main()
