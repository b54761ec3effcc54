"""What people write: references, files, ``--set`` and flags, made into addresses and bodies."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import yaml

from atoll_client.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from atoll_client.document import Field, Verb
    from atoll_client.sending import Object

LARGEST: Final = 1_000_000
"""Bytes of a file; Atoll takes less."""


class _Loader(yaml.SafeLoader):
    """JSON's types only: a day stays the text that it was written as."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parts(reference: str) -> list[str]:
    """``demo/first`` → its parts; raises ``Misconfigured`` for empty ones."""
    found = reference.split("/") if reference else []
    if any(part in {"", ".", ".."} for part in found):
        raise Misconfigured(f"{reference!r} is no reference: give names with '/' between, as in demo/first")
    return found


def choose(verbs: Sequence[Verb], given: Sequence[str], tenant: str) -> tuple[Verb, list[str]]:
    """The verb whose address these parts fill; the context's tenant stands in where only it is missing."""
    by_count = {len(verb.reference): verb for verb in verbs}
    if len(given) in by_count:
        return by_count[len(given)], list(given)
    longer = by_count.get(len(given) + 1)
    if longer and longer.reference[0] == "tenant" and tenant:
        return longer, [tenant, *given]
    raise Misconfigured(f"{'/'.join(given) or 'nothing'} is no reference here: give {shape(verbs)}")


def shape(verbs: Sequence[Verb]) -> str:
    """``TENANT/NAME``, as references of these verbs look; in brackets where none will do."""
    shapes = ["/".join(verb.reference).upper() for verb in verbs]
    named = " or ".join(filter(None, shapes))
    return f"[{named}]" if "" in shapes and named else named


def address(verb: Verb, values: Sequence[str]) -> str:
    """The path of an object."""
    return verb.address(quote(value, safe="") for value in values[: len(verb.parameters)])


def duration(text: str) -> float:
    """Seconds, of ``90s``, ``10m`` or ``1h``; raises ``Misconfigured``."""
    if not re.fullmatch(r"[0-9]{1,6}[smh]", text):
        raise Misconfigured(f"{text!r} is no time: give it as in 90s, 10m or 1h")
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def documents(file: Path) -> list[Object]:
    """The objects in a YAML or JSON file; ``-`` is standard input. Raises ``Misconfigured``."""
    try:
        text = sys.stdin.read(LARGEST + 1) if str(file) == "-" else _text(file)
        found = [one for one in yaml.load_all(text, _Loader) if one is not None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise Misconfigured(f"{file} cannot be read: {error}") from error
    if len(text) > LARGEST or not found or any(not isinstance(one, dict) for one in found):
        raise Misconfigured(f"{file}: give objects in YAML or JSON, {LARGEST} bytes at most")
    return found


def body(
    verb: Verb, given: Object | Path | None, settings: Sequence[str], flags: Mapping[Field, object]
) -> Object | None:
    """What is sent: object or file, over it ``--set``, over it the flags; None for a verb that takes nothing."""
    if not verb.body:
        return None
    made = _one(given) if isinstance(given, Path) else dict(given or {})
    for path, value in [*(_setting(verb, one) for one in settings), *_given(flags)]:
        _put(made, path, value)
    if "spec" in verb.required:
        made.setdefault("spec", {})
    return made


def with_setting(made: Object, text: str) -> Object:
    """One ``--set`` of a body that no schema is known of."""
    name, _, value = text.partition("=")
    _put(made, tuple(name.split(".")), _value(text, value))
    return made


def parsed(text: str) -> Object:
    """YAML of an answer. Raises ``Misconfigured``."""
    try:
        return dict(yaml.safe_load(text))
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise Misconfigured(
            f"Atoll answered what this release cannot read ({error}): take a newer atoll"
        ) from error


def _value(text: str, value: str) -> Any:  # noqa: ANN401 - YAML
    try:
        return yaml.load(value, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise Misconfigured(
            f"--set {text}: the value is neither a word, nor YAML or JSON: quote it"
        ) from error


def _one(file: Path) -> Object:
    found = documents(file)
    if len(found) > 1:
        raise Misconfigured(f"{file} holds {len(found)} objects: give one, or use 'atoll apply -f'")
    found[0].pop("kind", None)
    return found[0]


def _setting(verb: Verb, text: str) -> tuple[tuple[str, ...], Any]:
    """``resources.cpu=4`` → where and what; a path without ``spec`` begins there."""
    name, equals, value = text.partition("=")
    path = tuple(name.split("."))
    if not equals or not all(path):
        raise Misconfigured(f"--set {text}: give it as in --set resources.cpu=4")
    if verb.spec and path[0] not in {"spec", "metadata"}:
        path = ("spec", *path)
    if any(one.path == path and one.kind == "string" and not one.many for one in verb.fields):
        return path, value
    return path, _value(text, value)


def _given(flags: Mapping[Field, object]) -> Iterator[tuple[tuple[str, ...], object]]:
    for one, value in flags.items():
        if value is not None and value != []:
            yield one.path, value


def _put(made: Object, path: tuple[str, ...], value: object) -> None:
    here = made
    for part in path[:-1]:
        inner = here.setdefault(part, {})
        if not isinstance(inner, dict):
            raise Misconfigured(f"{'.'.join(path)}: {part} is {json.dumps(inner)}, which has no fields")
        here = inner
    here[path[-1]] = value


def _text(file: Path) -> str:
    with file.open() as stream:
        return stream.read(LARGEST + 1)
