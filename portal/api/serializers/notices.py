"""The inbox on the wire."""

from __future__ import annotations

from rest_framework import serializers

from portal.api.serializers.base import CamelSerializer, ListQuery, StrictSerializer


class Notice(CamelSerializer):
    """Something that a person is to know."""

    uid = serializers.UUIDField()
    subject = serializers.CharField()
    body = serializers.CharField(allow_blank=True)
    link = serializers.CharField(allow_blank=True, help_text="Path in the portal.")
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class NoticeFilters(ListQuery):
    """Which notices."""

    unread = serializers.BooleanField(required=False)


class ReadWish(StrictSerializer):
    """Which notices were read."""

    uids = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=100,
        help_text="All that are unread where left out.",
    )


class ReadAnswer(CamelSerializer):
    """What changed."""

    read = serializers.IntegerField(help_text="How many were unread.")
