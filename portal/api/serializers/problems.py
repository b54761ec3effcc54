"""Errors as they travel (RFC 9457)."""

from __future__ import annotations

from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer


class FieldProblem(CamelSerializer):
    """What is wrong with one field."""

    path = serializers.CharField(help_text="As in `spec.resources.cpu`, `query.limit` or `header.If-Match`.")
    code = serializers.CharField()
    detail = serializers.CharField(help_text="What to do about it.")


class Problem(CamelSerializer):
    """What went wrong and what to do; `code` is stable, `detail` is for people."""

    type = serializers.CharField(help_text="`urn:atoll:problem:` and the code.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(allow_blank=True)
    code = serializers.CharField()
    errors = FieldProblem(many=True, required=False)  # type: ignore[assignment] # DRF takes fields off the class
    scope = serializers.CharField(required=False, help_text="What the token lacks.")
    error = serializers.CharField(required=False, help_text="Of the token exchange, as OAuth spells it.")
    phase = serializers.CharField(required=False, help_text="Of what is not ready.")
    used_by = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Some of those that need it."
    )
    request_id = serializers.CharField(required=False, help_text="Tell it to the operators.")
