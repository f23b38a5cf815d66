"""Second factors by role, and the table that counts attempts to sign in: shared by processes, kept over restarts."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.core.management import call_command
from django.db import migrations, models

from kerp.web.append_only import protect


def install(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.alias != "default":
        return
    call_command("createcachetable", database="default", verbosity=0)
    protect(schema_editor, "kerp_secondfactorrule", [["id"]])


class Migration(migrations.Migration):
    dependencies = [("kerp", "0002_append_only")]
    operations = [
        migrations.CreateModel(
            name="SecondFactorRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("role", models.CharField(max_length=20)),
                ("required", models.BooleanField()),
                ("reason", models.CharField(max_length=300)),
                ("set_at", models.DateTimeField()),
                (
                    "set_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={"ordering": ["id"]},
        ),
        migrations.RunPython(install, migrations.RunPython.noop, elidable=False),
    ]
