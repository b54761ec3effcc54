"""Whether Atoll itself is well, on the wire."""

from __future__ import annotations

from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer


class Alive(CamelSerializer):
    """The portal answers."""

    status = serializers.CharField()


class Health(Alive):
    """The database answers; the rest tells how the machinery behind it does, as the database knows."""

    workers = serializers.IntegerField(help_text="That were heard of within 45 seconds.")
    relays = serializers.IntegerField()
    oldest_due_seconds = serializers.FloatField(help_text="How long the oldest due work waits.")
    hosts_reachable = serializers.IntegerField()
    hosts = serializers.IntegerField()


class Description(CamelSerializer):
    """An OpenAPI document."""

    openapi = serializers.CharField()
    info = serializers.DictField()
    paths = serializers.DictField()
    components = serializers.DictField()
