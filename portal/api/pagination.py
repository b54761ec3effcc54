"""Pages by key, not by number: nothing is skipped or seen twice when rows come in between."""

from __future__ import annotations

import hashlib
from functools import reduce
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.core import signing
from django.db.models import Model, Q, QuerySet

from tenancy.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SALT: Final = "atoll.api.cursor"


def page(
    rows: QuerySet[Any], *, limit: int, cursor: str, path: str, filters: Mapping[str, str]
) -> tuple[list[Any], str | None]:
    """Up to ``limit`` rows after ``cursor``, and the address of the page that follows.

    ``rows`` must be ordered by columns that are unique together. A cursor is
    signed, and good for the list and filters it was made for alone.
    """
    ordering = [str(name) for name in rows.query.order_by or rows.model._meta.ordering]  # noqa: SLF001 - Django's documented API
    salt = _salt(path, filters, ordering)
    if cursor:
        rows = rows.filter(_after(ordering, _open(cursor, salt)))
    found = list(rows[: limit + 1])
    if len(found) <= limit:
        return found, None
    here = [str(_value(found[limit - 1], name)) for name in ordering]
    query = {**filters, "limit": limit, "cursor": signing.dumps(here, salt=salt)}
    return found[:limit], f"{path}?{urlencode(query)}"


def _salt(path: str, filters: Mapping[str, str], ordering: Sequence[str]) -> str:
    text = f"{path}?{urlencode(sorted(filters.items()))} by {ordering}"
    return f"{_SALT}.{hashlib.sha256(text.encode()).hexdigest()}"


def _open(cursor: str, salt: str) -> list[str]:
    try:
        return list(signing.loads(cursor, salt=salt))
    except signing.BadSignature as error:
        raise _refused() from error


def _refused() -> Invalid:
    detail = (
        "not a cursor of this list with these filters: take the address in 'next' as it is, or start anew"
    )
    return Invalid(detail, errors=(FieldError("query.cursor", "unknown-cursor", detail),))


def _after(ordering: Sequence[str], values: Sequence[str]) -> Q:
    """Rows that sort behind ``values``: a later first column, or an equal one and a later second, and so on."""
    behind, equal = Q(), Q()
    for name, value in zip(ordering, values, strict=True):
        column, step = (name[1:], "lt") if name.startswith("-") else (name, "gt")
        behind |= equal & Q(**{f"{column}__{step}": value})
        equal &= Q(**{column: value})
    return behind


def _value(row: Model, name: str) -> Any:  # noqa: ANN401 - a column of any type
    return reduce(getattr, name.lstrip("-").split("__"), row)
