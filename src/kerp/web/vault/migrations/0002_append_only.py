"""Lists, releases and unblindings can only grow: the database refuses anything else."""

from django.db import migrations

from kerp.web.append_only import protect


def install(apps, schema_editor):
    if schema_editor.connection.alias != "allocation":
        return
    protect(schema_editor, "kerp_vault_allocationlist", [["id"], ["study_code"]])
    keys = [["id"], ["study_code", "participant_code"], ["study_code", "stratum", "position"], ["study_code", "kit"]]
    protect(schema_editor, "kerp_vault_release", keys)
    protect(schema_editor, "kerp_vault_unblinding", [["id"]])


class Migration(migrations.Migration):
    dependencies = [("kerp_vault", "0001_initial")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop, elidable=False)]
