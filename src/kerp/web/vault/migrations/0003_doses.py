"""What arms hold: sealed, versioned, append-only."""

from typing import Any

from django.db import migrations, models

from kerp.web.append_only import protect


def install(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.alias != "allocation":
        return
    protect(schema_editor, "kerp_vault_sealeddoses", [["id"], ["study_code", "number"]])


class Migration(migrations.Migration):
    dependencies = [("kerp_vault", "0002_append_only")]
    operations = [
        migrations.CreateModel(
            name="SealedDoses",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("study_code", models.CharField(max_length=20)),
                ("number", models.PositiveIntegerField()),
                ("sealed", models.BinaryField()),
                ("digest", models.CharField(max_length=80)),
                ("made_at", models.DateTimeField()),
                ("made_by", models.CharField(max_length=150)),
            ],
            options={"ordering": ["study_code", "number"]},
        ),
        migrations.AddConstraint(
            model_name="sealeddoses",
            constraint=models.UniqueConstraint(fields=("study_code", "number"), name="one_doses_number"),
        ),
        migrations.RunPython(install, migrations.RunPython.noop, elidable=False),
    ]
