"""Answers, held against the OpenAPI document."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from portal.api import schema

if TYPE_CHECKING:
    from django.http import HttpResponse


def assert_documented(operation: str, response: HttpResponse) -> None:
    """The status, media type and body are those that the document has for ``operation``, as ``GET /api/v1/me``."""
    kind = response["Content-Type"].partition(";")[0]
    judge = _judge(operation, response.status_code, kind)
    if judge is not None:
        judge.validate(response.json())  # type: ignore[attr-defined] # of Django's test client


@cache
def _judge(operation: str, status: int, kind: str) -> Any:
    """Of the body, where it is JSON; a status or media type that is not documented is a ``KeyError``."""
    method, path = operation.split()
    document = schema.document()
    found = document["paths"][path][method.lower()]["responses"][str(status)]["content"][kind]["schema"]
    if not kind.endswith("json") or kind.endswith("ndjson"):
        return None
    return jsonschema_rs.validator_for({**found, "components": document["components"]})
