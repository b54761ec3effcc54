from django.db import migrations, models


def one_step(apps, schema_editor):
    """What was to come back by a deadline: now a way down of one step."""
    rows = apps.get_model("tenancy", "Allocation").objects
    for row in rows.filter(released_at=None, deadline__isnull=False):
        row.steps = [{"deadline": row.deadline.isoformat(), "devices": row.target}]
        row.save(update_fields=["steps"])


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0020_webhooks")]

    operations = [
        migrations.AddField("allocation", "returns", models.JSONField(default=list)),
        migrations.AddField("allocation", "steps", models.JSONField(default=list)),
        migrations.RunPython(one_step, migrations.RunPython.noop),
        migrations.RemoveField("allocation", "deadline"),
    ]
