from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0021_steps_of_return")]
    operations = [migrations.AddField("virtualcluster", "unasked", models.JSONField(default=dict))]
