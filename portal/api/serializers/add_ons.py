"""Add-ons on the wire."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, Text
from portal.api.serializers.clusters import SpecText
from portal.api.serializers.declared import DeclaredSerializer, DeclaredStatus, MadeMetadata
from tenancy.rules.add_ons import DESCRIPTION_MAX, TEXT_MAX

if TYPE_CHECKING:
    from tenancy.models import AddOnVersion


class AddOnMetadata(MadeMetadata):
    """Which version of which add-on."""

    name = Text(required=False, help_text="A DNS label of at most 40 characters.")
    version = Text(required=False, help_text="Three numbers, as `1.2.0`.")


class AddOnSpec(CamelSerializer):
    """What is put into a cluster; its manifests never change."""

    description = serializers.CharField(required=False, allow_blank=True, max_length=DESCRIPTION_MAX)
    manifests = serializers.CharField(
        max_length=TEXT_MAX, help_text="Kubernetes objects as YAML, with `---` between them; no secrets."
    )


@extend_schema_field(AddOnSpec)
class AddOnSpecField(SpecText):
    """``tenancy.rules`` reads it, and what was written is given back."""


class AddOn(DeclaredSerializer):
    """One version of an add-on."""

    metadata = AddOnMetadata(source="*", required=False)
    spec = AddOnSpecField(source="spec_text")
    status = DeclaredStatus(source="*", read_only=True)

    @classmethod
    def meaning(cls, row: AddOnVersion) -> dict[str, Any]:  # type: ignore[override] # of this kind of row
        """Nothing is filled in: it means what it says."""
        found: dict[str, Any] = json.loads(row.spec_text)
        return found
