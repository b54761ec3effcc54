"""Hours of accelerators on the wire."""

from __future__ import annotations

from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, Day, QuerySerializer


class UsageQuery(QuerySerializer):
    """Which days, and how to write them."""

    from_ = Day(required=False, help_text="UTC; thirty days before `until` where left out.")
    until = Day(required=False, help_text="UTC, exclusive; tomorrow where left out.")
    format = serializers.ChoiceField(
        [("json", "json"), ("csv", "csv")],
        required=False,
        help_text="As `Accept: text/csv` does.",
    )


class Usage(CamelSerializer):
    """Device-hours of a tenant and class."""

    tenant = serializers.CharField()
    class_ = serializers.CharField(source="accelerator")
    weight = serializers.IntegerField(help_text="Units that one device counts.")
    granted_hours = serializers.FloatField(source="granted")
    held_hours = serializers.FloatField(source="held", help_text="Given to clusters.")
    used_hours = serializers.FloatField(source="used", help_text="Held by pods.")
    granted_units = serializers.FloatField(source="units", help_text="Granted hours times the weight.")
    efficiency = serializers.FloatField(
        allow_null=True, help_text="Used by granted; null where nothing was granted."
    )


class UsageReport(CamelSerializer):
    """What was granted, held and used."""

    from_ = serializers.DateField(source="since")
    until = serializers.DateField()
    items = Usage(many=True)


class Efficiency(CamelSerializer):
    """What a tenant made of its grants of a class in the last thirty days."""

    granted_hours = serializers.FloatField(source="granted")
    held = serializers.FloatField(
        source="allocated", allow_null=True, help_text="Share that clusters had; null where none was granted."
    )
    used = serializers.FloatField(
        source="efficiency", allow_null=True, help_text="Share that pods held; null where none was granted."
    )
