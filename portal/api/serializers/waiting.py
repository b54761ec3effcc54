"""How to wait, on the wire."""

from __future__ import annotations

from typing import Final

from rest_framework import serializers

from portal.api.serializers.base import Duration, QuerySerializer

LONGEST: Final = 60
"""Seconds."""


class WaitQuery(QuerySerializer):
    """How to wait."""

    wait = Duration(default=0, help_text="Answer when it is so, or after this time; up to `60s`.")

    def validate_wait(self, seconds: int) -> int:
        """A minute at most: what sits between here and there may cut longer silences."""
        if seconds > LONGEST:
            raise serializers.ValidationError(
                f"give at most {LONGEST}s, and ask again after it", "out-of-range"
            )
        return seconds
