"""What every serializer of the API shares: camelCase keys and no unknown ones."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import empty

from tenancy.rules import durations

if TYPE_CHECKING:
    from enum import StrEnum


class CamelSerializer(serializers.Serializer[Any]):
    """Fields are declared in Python's spelling and travel in Kubernetes'."""

    default_error_messages = {"invalid": "give a JSON object, not {datatype}"}

    @staticmethod
    def wire(name: str) -> str:
        """``created_at`` → ``createdAt``."""
        first, *rest = name.split("_")
        return first + "".join(word.title() for word in rest)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """The declared fields, each under its name on the wire."""
        renamed = {}
        for name, field in super().get_fields().items():
            wire = self.wire(name)
            if wire != name and field.source is None:
                field.source = name
            renamed[wire] = field
        return renamed


class StrictSerializer(CamelSerializer):
    """Input in which a key that nobody reads is an error, not a silence."""

    def to_internal_value(self, data: Any) -> Any:  # noqa: ANN401 - input may be anything
        """The known fields' values; raises ``ValidationError`` that names every unknown key."""
        if isinstance(data, dict):
            self._refuse_unknown(data)
        return super().to_internal_value(data)

    def _refuse_unknown(self, data: dict[str, Any]) -> None:
        known = f"known are {', '.join(self.fields)}" if self.fields else "there is none here, leave it out"
        detail = ErrorDetail(f"no such field: {known}", "unknown-field")
        strange = {key: [detail] for key in data if key not in self.fields}
        if strange:
            raise serializers.ValidationError(strange)


class QuerySerializer(StrictSerializer):
    """The part of a URL after the question mark; its words are spelled with underscores."""

    @staticmethod
    def wire(name: str) -> str:
        """As declared, but for the underscore that keeps a word apart from Python's own."""
        return name.rstrip("_")


class ListQuery(QuerySerializer):
    """What every list understands; resources add their exact filters."""

    limit = serializers.IntegerField(min_value=1, max_value=100, default=50, help_text="Items a page.")
    cursor = serializers.CharField(
        default="", max_length=2000, help_text="Where to go on; `next` holds the whole address."
    )


class Text(serializers.CharField):
    """A string; a number is not one."""

    def to_internal_value(self, data: Any) -> str:  # noqa: ANN401
        """The text as written; raises ``ValidationError`` for anything but text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """true or false; neither "yes" nor 1."""

    def to_internal_value(self, data: Any) -> bool:  # noqa: ANN401
        """The flag; raises ``ValidationError`` for anything but a JSON boolean."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@lru_cache
def _teller(kind: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    return kind()


def shown(kind: type[serializers.Serializer[Any]], value: Any) -> dict[str, Any]:  # noqa: ANN401
    """``value`` on the wire, by a serializer that needs no context.

    One of each kind tells all: to make one copies all its fields, which for each row of a list costs more than the row.
    """
    return dict(_teller(kind).to_representation(value))


DEVICES_MAX: Final = 1_000_000
"""More devices than any platform has: what exceeds it is a slip, and too much for a column."""
_DAYS: Final = (date(2000, 1, 1), date(2999, 12, 31))


class Count(serializers.IntegerField):
    """A whole number; neither text nor a fraction is one."""

    def to_internal_value(self, data: Any) -> int:  # noqa: ANN401
        """The number; raises ``ValidationError`` for anything but a JSON integer."""
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class Day(serializers.DateField):
    """A day in UTC, as ``2026-12-31``; of this millennium, so that days may be added to it."""

    default_error_messages = {"far": "give a day between 2000-01-01 and 2999-12-31"}

    def to_internal_value(self, value: Any) -> date:  # noqa: ANN401
        """The day; raises ``ValidationError`` for anything else."""
        found: date = super().to_internal_value(value)
        if not _DAYS[0] <= found <= _DAYS[1]:
            self.fail("far")
        return found


class Place(CamelSerializer):
    """A node pool and the host it is on."""

    host = Text(source="host.name", max_length=63)
    name = Text(max_length=63)


class Duration(serializers.RegexField):
    """``30s``, ``10m`` or ``1h``, as a number of seconds."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - DRF's options
        message = "give a number with its unit, for example '30s', '10m' or '1h'"
        super().__init__(f"^{durations.PATTERN}$", error_messages={"invalid": message}, **options)

    def run_validation(self, data: Any = empty) -> Any:  # noqa: ANN401
        """Seconds; the default as it is."""
        text = super().run_validation(data)
        return durations.seconds(text) if isinstance(text, str) else text


def choices(kind: type[StrEnum]) -> list[tuple[str, str]]:
    """The words of a vocabulary, for a ``ChoiceField``; the settings give each its name in OpenAPI."""
    return [(member.value, member.name) for member in kind]
