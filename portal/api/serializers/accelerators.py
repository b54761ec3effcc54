"""Accelerator classes, tenants' limits and what hosts have, on the wire."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from rest_framework import serializers

from portal.api.serializers.base import (
    DEVICES_MAX,
    CamelSerializer,
    Count,
    Flag,
    ListQuery,
    StrictSerializer,
    Text,
    choices,
)
from portal.api.serializers.declared import DeclaredMetadata, DeclaredSerializer, DeclaredStatus, MadeMetadata
from tenancy.actions.accelerators import ClassWish
from tenancy.grant_enums import AcceleratorKind

_TEN_YEARS = 3650
_MONTH = 2_592_000
_DEFAULTS = ClassWish(resource="")


def _amount(default: int, help_text: str, **limits: Any) -> Count:  # noqa: ANN401 - of ``Count``
    bounds: dict[str, Any] = {"min_value": 0, "max_value": DEVICES_MAX, **limits}
    return Count(default=default, help_text=help_text, **bounds)


class ClassMetadata(MadeMetadata):
    """Which class it is; all but the name is the server's."""

    name = Text(required=False, source="key", help_text="A DNS label of at most 40 characters.")


class ClassSpec(StrictSerializer):
    """What a class is on a host, and the policy for requests; what is left out takes its default."""

    title = Text(default="", allow_blank=True, max_length=100)
    kind = serializers.ChoiceField(choices(AcceleratorKind), default=AcceleratorKind.EXTENDED_RESOURCE.value)
    resource = Text(
        max_length=253, help_text="Extended resource as `nvidia.com/gpu`, or the name of a DeviceClass."
    )
    labels = serializers.DictField(
        child=Text(allow_blank=True, max_length=63),
        default=dict,
        help_text="Node labels of the model; two classes may share a resource.",
    )
    weight = _amount(_DEFAULTS.weight, "Units that one device counts in reports.", min_value=1)
    offered = Flag(default=_DEFAULTS.offered, help_text="Whether new requests are taken.")
    auto_approve_up_to = _amount(
        _DEFAULTS.auto_approve_up_to, "A tenant's devices in all up to which no admin is asked; 0 for never."
    )
    two_approvers_from = _amount(
        _DEFAULTS.two_approvers_from,
        "Amount of one request from which two admins must agree; 0 for never.",
    )
    default_days = _amount(
        _DEFAULTS.default_days, "For how long a cluster asks.", min_value=1, max_value=_TEN_YEARS
    )
    longest_days = _amount(
        _DEFAULTS.longest_days, "The most days of one grant.", min_value=1, max_value=_TEN_YEARS
    )
    grace_seconds = _amount(
        _DEFAULTS.grace_seconds, "For pods to finish once a grant is over.", max_value=_MONTH
    )


class ClassStatus(DeclaredStatus):
    """What follows for a class."""

    effective = ClassSpec(source="*")


class AcceleratorClass(DeclaredSerializer):
    """A kind of device as people ask for it."""

    metadata = ClassMetadata(source="*", required=False)
    spec = ClassSpec(source="*")
    status = ClassStatus(source="*", read_only=True)


class ClassFilters(ListQuery):
    """Which classes."""

    offered = serializers.BooleanField(required=False)


class LimitMetadata(DeclaredMetadata):
    """Whose limit it is, and of what."""

    class_ = Text(required=False, source="accelerator.key")
    tenant = Text(required=False, source="tenant.name")


class LimitSpec(StrictSerializer):
    """How much."""

    amount = Count(min_value=0, max_value=DEVICES_MAX)


class LimitStatus(DeclaredStatus):
    """What follows for a limit."""

    effective = LimitSpec(source="*")


class AcceleratorLimit(DeclaredSerializer):
    """The most that a tenant may be granted of a class, on all hosts together."""

    metadata = LimitMetadata(source="*", required=False)
    spec = LimitSpec(source="*")
    status = LimitStatus(source="*", read_only=True)


class Discovered(CamelSerializer):
    """A way to a device that no class names yet."""

    kind = serializers.ChoiceField(choices(AcceleratorKind))
    resource = serializers.CharField()
    labels = serializers.DictField(child=serializers.CharField())
    devices = serializers.IntegerField(help_text="0 where it does not tell, as a DeviceClass.")
    nodes = serializers.IntegerField()


class NodeRoom(CamelSerializer):
    """Devices of a class on a node."""

    name = serializers.CharField()
    devices = serializers.IntegerField()
    free = serializers.IntegerField(help_text="Not held by a pod at the last look.")


class Stock(CamelSerializer):
    """What a pool has of a class."""

    class_ = serializers.CharField(source="accelerator.key")
    pool = serializers.CharField(source="pool.name")
    capacity = serializers.IntegerField(help_text="Healthy, uncordoned and not reserved.")
    reserved = serializers.IntegerField()
    promised = serializers.IntegerField(help_text="The most that grants promise on a day from today on.")
    deficit = serializers.IntegerField(
        help_text="Promised, and no longer there: nothing is granted meanwhile."
    )
    nodes = NodeRoom(many=True)


class HostAccelerators(CamelSerializer):
    """The accelerators of a host, as last seen there."""

    host = serializers.CharField()
    stock = Stock(many=True)
    discovered = Discovered(
        many=True, help_text="Not in the catalogue yet: name it, and it can be asked for."
    )


def class_wish(body: dict[str, Any]) -> ClassWish:
    """What an admin wrote, as the action takes it."""
    written = {field.name: body[field.name] for field in fields(ClassWish)}
    return ClassWish(**{**written, "kind": AcceleratorKind(body["kind"])})
