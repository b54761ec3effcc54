"""Ways into a cluster, on the wire."""

from __future__ import annotations

from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, Duration, StrictSerializer
from tenancy.actions.access import DEFAULT as DEFAULT_LIFETIME


class KubeconfigWish(StrictSerializer):
    """What kind of kubeconfig."""

    lifetime = Duration(default=DEFAULT_LIFETIME, help_text="From `10m` to `1h`.")


class Kubeconfig(CamelSerializer):
    """A short-lived credential, bound to who asked; it is handed over once."""

    kubeconfig = serializers.CharField(help_text="YAML.")
    expires_at = serializers.DateTimeField()


class KubeconfigPending(CamelSerializer):
    """A kubeconfig that a worker is about to make: ask at `Location`."""

    uid = serializers.UUIDField()
    state = serializers.CharField()
