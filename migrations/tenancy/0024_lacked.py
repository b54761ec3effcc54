from django.db import migrations, models


def as_asked(apps, schema_editor):
    """Nobody knows what was lacked when an offer was made: the terms as they stand are taken for it."""
    rows = apps.get_model("tenancy", "GrantRequest").objects.filter(for_clusters=True)
    rows.update(lacked=models.F("amount"))


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0023_paused")]
    operations = [
        migrations.AddField("grantrequest", "lacked", models.PositiveIntegerField(default=0)),
        migrations.RunPython(as_asked, migrations.RunPython.noop),
    ]
