"""What may be asked of whoever uses a template: JSON Schema (2020-12), the part of it that is safe.

Each parameter is one typed, constrained value. Nothing refers to anything outside, and no
value costs more than its length to check.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from jsonschema import Draft202012Validator

from tenancy.errors import FieldError
from tenancy.rules import patterns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PARAMETERS_MAX: Final = 32
CHOICES_MAX: Final = 50
LENGTH_MAX: Final = 253
"""Characters of a value: the longest name that Kubernetes knows."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_PROSE_MAX: Final = 500
_INTEGER_MAX: Final = 10**9
_TOP: Final = ("$schema", "type", "properties", "required", "additionalProperties", "title", "description")
_COMMON: Final = ("type", "title", "description", "default", "enum")
_KEYWORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "string": (*_COMMON, "pattern", "minLength", "maxLength"),
    "integer": (*_COMMON, "minimum", "maximum", "multipleOf"),
    "boolean": _COMMON,
}
_TYPES: Final[Mapping[str, type]] = {"string": str, "integer": int, "boolean": bool}


def schema_faults(schema: Any, path: str) -> Iterator[FieldError]:  # noqa: ANN401 - input from outside
    """Why a schema is not taken; each with its place and fix."""
    if not isinstance(schema, dict):
        yield FieldError(path, "wrong-type", 'give {"type": "object", "properties": {…}, "required": […]}')
        return
    yield from _unknown(schema, _TOP, path)
    for key, only in (("$schema", DIALECT), ("type", "object"), ("additionalProperties", False)):
        if schema.get(key, only) != only:
            yield FieldError(f"{path}.{key}", "not-a-choice", f"it is {only!r}: leave it out, or say so")
    yield from _prose(schema, path)
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, dict) or len(properties) > PARAMETERS_MAX:
        detail = f"give an object of at most {PARAMETERS_MAX} parameters, each by its name"
        yield FieldError(f"{path}.properties", "wrong-type", detail)
        return
    if not isinstance(required, list) or not all(isinstance(n, str) and n in properties for n in required):
        yield FieldError(f"{path}.required", "unknown-field", "list names of properties")
        return
    for name, one in properties.items():
        here = f"{path}.properties.{name}"
        if not _NAME.fullmatch(name):
            detail = "begin with a letter and go on with letters, digits, - and _, 63 characters at most"
            yield FieldError(here, "malformed", detail)
        yield from _parameter(one, here, required=name in required)


def value_faults(schema: Mapping[str, Any], values: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Why these values are not what the schema asks for."""
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in values:
            yield FieldError(
                f"{path}.{name}", "required", f"the template needs it: give {told(properties[name])}"
            )
    for name, value in values.items():
        if name not in properties:
            known = ", ".join(properties) or "none"
            yield FieldError(f"{path}.{name}", "unknown-field", f"no such parameter: known are {known}")
        elif not fits(properties[name], value):
            yield FieldError(f"{path}.{name}", "not-allowed", f"give {told(properties[name])}")


def filled(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the defaults of those that are left out."""
    properties = schema.get("properties", {})
    defaults = {name: one["default"] for name, one in properties.items() if "default" in one}
    return {**defaults, **values}


def fits(one: Mapping[str, Any], value: Any) -> bool:  # noqa: ANN401 - any JSON
    """Whether a value is what a parameter's own schema asks for."""
    if type(value) is not _TYPES[one["type"]]:  # 1.0 and true are integers to some; here they are not
        return False
    if isinstance(value, str) and (len(value) > LENGTH_MAX or not value.isprintable()):
        return False
    return bool(Draft202012Validator(dict(one)).is_valid(value))


def samples(one: Mapping[str, Any]) -> tuple[Any, ...]:
    """Values that stand for all: each choice, or both ends."""
    if "enum" in one:
        return tuple(one["enum"])
    ends = {"boolean": (True, False), "integer": (one.get("minimum"), one.get("maximum"))}
    found = [*ends.get(one["type"], ()), *([one["default"]] if "default" in one else [])]
    return tuple(value for value in found if fits(one, value))


def told(one: Mapping[str, Any]) -> str:
    """What a parameter takes, in words."""
    if "enum" in one:
        return f"one of {', '.join(str(choice) for choice in one['enum'])}"
    if one["type"] == "integer":
        step = f" in steps of {one['multipleOf']}" if "multipleOf" in one else ""
        return f"a whole number from {one['minimum']} to {one['maximum']}{step}"
    if one["type"] == "boolean":
        return "true or false"
    return f"text of at most {one['maxLength']} characters that matches {one['pattern']}"


def _parameter(one: Any, path: str, *, required: bool) -> Iterator[FieldError]:  # noqa: ANN401
    """Of one property; stops at the first kind of fault, for the rest would follow from it."""
    kind = one.get("type") if isinstance(one, dict) else None
    if not isinstance(kind, str) or kind not in _KEYWORDS:
        yield FieldError(f"{path}.type", "not-a-choice", f"give one of {', '.join(_KEYWORDS)}")
        return
    faults = [*_unknown(one, _KEYWORDS[kind], path), *_prose(one, path), *_choice_faults(one, kind, path)]
    faults = faults or list(_BOUNDS[kind](one, path) if "enum" not in one else ())
    yield from faults
    if faults:
        return
    if "default" in one and not fits(one, one["default"]):
        yield FieldError(f"{path}.default", "not-allowed", f"give {told(one)}")
    if "default" not in one and not required:
        yield FieldError(f"{path}.default", "required", "give one, or put the name into required")


def _choice_faults(one: Mapping[str, Any], kind: str, path: str) -> Iterator[FieldError]:
    if "enum" not in one:
        return
    choices = one["enum"]
    good = isinstance(choices, list) and 0 < len(choices) <= CHOICES_MAX
    if not good or any(type(c) is not _TYPES[kind] or _too_long(c) for c in choices):
        detail = f"give 1 to {CHOICES_MAX} values of type {kind}, of at most {LENGTH_MAX} characters each"
        yield FieldError(f"{path}.enum", "wrong-type", detail)
    beside = [key for key in one if key in _KEYWORDS[kind] and key not in _COMMON]
    if beside:
        yield FieldError(f"{path}.{beside[0]}", "contradiction", "an enum says it all: leave this out")


def _string(one: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    longest, least, pattern = one.get("maxLength"), one.get("minLength", 0), one.get("pattern")
    if not _is_whole(longest) or not 1 <= longest <= LENGTH_MAX:
        yield FieldError(f"{path}.maxLength", "required", f"give 1 to {LENGTH_MAX}, or an enum")
    elif not _is_whole(least) or not 0 <= least <= longest:
        yield FieldError(f"{path}.minLength", "out-of-range", f"give 0 to {longest}, or leave it out")
    elif not isinstance(pattern, str):
        yield FieldError(f"{path}.pattern", "required", "give a pattern such as '^[a-z0-9-]+$', or an enum")
    elif why := patterns.fault(pattern, longest):
        yield FieldError(f"{path}.pattern", "unsafe-pattern", why)


def _integer(one: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    least, most, step = one.get("minimum"), one.get("maximum"), one.get("multipleOf", 1)
    if not _is_whole(least) or not -_INTEGER_MAX <= least <= _INTEGER_MAX:
        yield FieldError(f"{path}.minimum", "required", "give a whole number, or an enum")
    elif not _is_whole(most) or not least <= most <= _INTEGER_MAX:
        yield FieldError(f"{path}.maximum", "required", f"give a whole number from {least} on, or an enum")
    if not _is_whole(step) or step < 1:
        yield FieldError(f"{path}.multipleOf", "out-of-range", "give a whole number from 1 on")


_BOUNDS: Final[Mapping[str, Callable[[Mapping[str, Any], str], Iterator[FieldError]]]] = {
    "string": _string,
    "integer": _integer,
    "boolean": lambda one, path: iter(()),  # noqa: ARG005 - two values are constraint enough
}


def _unknown(given: Mapping[str, Any], known: tuple[str, ...], path: str) -> Iterator[FieldError]:
    for key in given:
        if key not in known:
            detail = f"it is not taken here: known are {', '.join(known)}"
            yield FieldError(f"{path}.{key}", "unknown-field", detail)


def _prose(given: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for key in ("title", "description"):
        text = given.get(key, "")
        if not isinstance(text, str) or len(text) > _PROSE_MAX:
            yield FieldError(f"{path}.{key}", "wrong-type", f"give text of at most {_PROSE_MAX} characters")


def _is_whole(value: Any) -> TypeGuard[int]:  # noqa: ANN401
    return isinstance(value, int) and not isinstance(value, bool)


def _too_long(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, str) and (len(value) > LENGTH_MAX or not value.isprintable())
