from __future__ import annotations

from typing import ClassVar

from django.db import models

from tenancy.models.accelerator import AcceleratorClass
from tenancy.models.tenant import Tenant


class DeviceUsage(models.Model):
    """Device-seconds of one tenant and class on one day: what was granted, given to clusters, held by pods."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="device_usage")
    accelerator = models.ForeignKey(AcceleratorClass, on_delete=models.CASCADE, related_name="usage")
    day = models.DateField()
    granted = models.PositiveBigIntegerField(default=0)
    held = models.PositiveBigIntegerField(default=0)
    used = models.PositiveBigIntegerField(default=0)
    sampled_at = models.DateTimeField()
    """Up to when it is counted."""

    class Meta:
        ordering: ClassVar = ["day"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "accelerator", "day"], name="tenancy_usage_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} {self.accelerator} {self.day}"
