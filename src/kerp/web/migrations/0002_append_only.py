"""Entries, flags and the audit trail can only grow: the database refuses anything else."""

from typing import Any

from django.db import migrations

from kerp.web.append_only import protect


def install(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.alias != "default":
        return
    protect(schema_editor, "kerp_entry", [["id"], ["entry_id"], ["log_id", "seq"], ["hash"]])
    protect(schema_editor, "kerp_flag", [["id"]])
    protect(schema_editor, "kerp_auditevent", [["id"], ["seq"], ["hash"]])


class Migration(migrations.Migration):
    dependencies = [("kerp", "0001_initial")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop, elidable=False)]
