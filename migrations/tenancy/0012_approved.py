"""Clusters from before there were grants ask for no accelerators: nobody has to approve them."""

from __future__ import annotations

from django.db import migrations
from django.utils import timezone


def approve(apps, schema_editor):
    condition = apps.get_model("tenancy", "ClusterCondition")
    now = timezone.now()
    for cluster in apps.get_model("tenancy", "VirtualCluster").objects.all():
        condition.objects.get_or_create(
            cluster=cluster,
            type="Approved",
            defaults={
                "status": "True",
                "reason": "AsWanted",
                "observed_generation": cluster.generation,
                "changed_at": now,
            },
        )


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0011_accelerators")]
    operations = [migrations.RunPython(approve, migrations.RunPython.noop)]
