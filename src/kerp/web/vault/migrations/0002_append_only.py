"""Lists and the allocation record can only grow: the database refuses anything else."""

from typing import Any

from django.db import migrations

from kerp.web.append_only import protect


def install(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.alias != "allocation":
        return
    protect(schema_editor, "kerp_vault_sealedlist", [["id"], ["study_code"]])
    protect(schema_editor, "kerp_vault_vaultevent", [["id"], ["study_code", "seq"], ["hash"]])


class Migration(migrations.Migration):
    dependencies = [("kerp_vault", "0001_initial")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop, elidable=False)]
