"""Bodies: JSON and nothing else, of bounded size and depth, without text that a database refuses."""

from __future__ import annotations

import json
import math
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser

from tenancy.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rest_framework.renderers import BaseRenderer
    from rest_framework.request import Request

BODY_MAX: Final = 256 * 1024
"""Bytes."""
DEPTH_MAX: Final = 32
DIGITS_MAX: Final = 1000
"""Of a whole number; no field takes as many, and Python reads no more than a few thousand."""


class TooLarge(APIException):
    """The body exceeds what any object of the API needs."""

    status_code = 413
    default_code = "too-large"
    default_detail = f"the body is larger than {BODY_MAX // 1024} KiB: send less"


class StrictJSONParser(BaseParser):
    """RFC 8259 to the letter: UTF-8, no NaN, no repeated keys."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:  # noqa: ANN401 - any JSON value
        """The value; raises ``ParseError``, ``TooLarge`` or ``Invalid``."""
        raw = stream.read(BODY_MAX + 1)
        if len(raw) > BODY_MAX:
            raise TooLarge
        value = _decode(raw) if raw else {}
        faults = tuple(_unstorable(value))
        if faults:
            raise Invalid("the body holds text or nesting that cannot be stored", errors=faults)
        return value


class StrictFormParser(BaseParser):
    """A form as OAuth sends it; every name once."""

    media_type = "application/x-www-form-urlencoded"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - DRF's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> dict[str, str]:
        """The fields; raises ``ParseError``, ``TooLarge`` or ``Invalid``."""
        raw = stream.read(BODY_MAX + 1)
        if len(raw) > BODY_MAX:
            raise TooLarge
        try:
            pairs = parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=bool(raw), errors="strict")
        except ValueError as error:
            raise ParseError("the body is no form: send name=value&…, percent-encoded UTF-8") from error
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ParseError("the form names the same field twice")
        faults = tuple(_unstorable(found))
        if faults:
            raise Invalid("the form holds text that cannot be stored", errors=faults)
        return found


class AlwaysJSON(BaseContentNegotiation):
    """The API speaks JSON whatever ``Accept`` says: an answer helps more than a 406."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """The JSON parser, for bodies that say they are JSON and nothing packed."""
        if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            return None
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002 - DRF's signature
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        """The JSON renderer."""
        first = next(iter(renderers))
        return first, first.media_type or ""


def storable(text: str) -> bool:
    """Whether a database and UTF-8 can hold it: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _decode(raw: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
    except UnicodeDecodeError as error:
        raise ParseError("the body is not UTF-8") from error
    except RecursionError as error:
        raise ParseError(f"the body is nested deeper than {DEPTH_MAX} levels") from error
    except ValueError as error:
        raise ParseError(f"the body is not JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object names the same key twice")
    return found


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not a JSON number")


def _whole(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise ValueError(f"the number {text[:40]}… is too large")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _unstorable(value: Any, path: str = "", depth: int = 0) -> Iterator[FieldError]:  # noqa: ANN401
    if depth > DEPTH_MAX:
        yield FieldError(path, "too-deep", f"nested deeper than {DEPTH_MAX} levels: flatten it")
    elif isinstance(value, str) and not storable(value):
        yield FieldError(path, "bad-characters", "NUL and lone surrogates cannot be stored: remove them")
    elif isinstance(value, dict):
        for key, item in value.items():
            safe = key if storable(key) else ascii(key)
            yield from _unstorable(key, f"{path}.{safe}".lstrip("."), depth)
            yield from _unstorable(item, f"{path}.{safe}".lstrip("."), depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unstorable(item, f"{path}[{index}]", depth + 1)
