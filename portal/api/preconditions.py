"""Entity tags in headers, as ``tenancy.rules.preconditions`` knows them."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from tenancy.errors import FieldError, Invalid
from tenancy.rules.preconditions import Expectation

if TYPE_CHECKING:
    from rest_framework.request import Request

_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_TAGS: Final = re.compile(rf"\s*{_TAG.pattern}\s*(?:,\s*{_TAG.pattern}\s*)*")


def tag_of(body: dict[str, Any]) -> str:
    """A strong tag over the wish alone: status may move under it, for people poll the status."""
    metadata = body["metadata"]
    if "generation" in metadata:
        return f'"{metadata["uid"]}-{metadata["generation"]}"'
    text = json.dumps([metadata, body["spec"]], default=str)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def expectation(request: Request) -> Expectation:
    """``If-Match`` and ``If-None-Match`` as a value; raises ``Invalid`` when they cannot be read."""
    match, none_match = request.headers.get("If-Match"), request.headers.get("If-None-Match")
    if none_match is not None and none_match.strip() != "*":
        raise _unreadable("If-None-Match", "only '*' (create, never replace) is understood")
    return Expectation(etags=None if match is None else _tags(match), absent=none_match is not None)


def _tags(header: str) -> frozenset[str]:
    if header.strip() == "*":
        return frozenset({"*"})
    if not _TAGS.fullmatch(header):
        raise _unreadable("If-Match", 'give the ETag with its quotes, for example "…-3", or *')
    return frozenset(_TAG.findall(header))


def _unreadable(header: str, detail: str) -> Invalid:
    return Invalid(f"{header}: {detail}", errors=(FieldError(f"header.{header}", "unreadable", detail),))
