"""What a cluster's spec may stand on beside itself: a template, and add-ons."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}]})
class Scalar(serializers.Field[Any, Any, Any, Any]):
    """A parameter of a template, for the OpenAPI document."""


class AddOnChoice(CamelSerializer):
    """A version of an add-on of the catalogue."""

    name = serializers.CharField()
    version = serializers.CharField(help_text="Three numbers, as `1.2.0`.")


class TemplateChoice(CamelSerializer):
    """The template that a spec stands on; what the spec says itself goes before, where the template does not lock it."""

    name = serializers.CharField()
    version = serializers.CharField(
        help_text="A version, as `1.2.0`, which stays; or a range, as `^1.2`, `~1.2` or `>=1.2 <2`, which follows.",
    )
    parameters = serializers.DictField(
        child=Scalar(), required=False, allow_null=True, help_text="As the version's schema has them."
    )
