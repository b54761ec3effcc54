"""Columns that more than one table has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from enum import StrEnum


def choice_field(kind: type[StrEnum], *, default: StrEnum | None = None) -> models.CharField[str, str]:
    """A text column for a word of ``kind``; pair it with ``one_of``.

    No ``choices``: they would put the vocabulary into migrations a second time.
    """
    longest = max(32, *(len(member) for member in kind))
    if default is None:
        return models.CharField(max_length=longest)
    return models.CharField(max_length=longest, default=default.value)


def one_of(table: str, column: str, kind: type[StrEnum]) -> models.CheckConstraint:
    """The database refuses words that are not in the vocabulary."""
    allowed = [member.value for member in kind]
    return models.CheckConstraint(
        condition=models.Q(**{f"{column}__in": allowed}), name=f"tenancy_{table}_{column}_known"
    )
