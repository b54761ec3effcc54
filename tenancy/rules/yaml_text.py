"""YAML as people write it, read as what JSON can say; it costs no more than its length, whatever it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

DEEPEST: Final = 40
"""Levels; more than any Kubernetes object has."""
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.CSafeLoader):
    """As Kubernetes reads it: a date is text, and a key is given once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - of the library
        seen = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else id(key)
            if name in seen:
                raise ValueError(_told(f"key {name!r} is given twice", key.start_mark))
            seen.add(name)
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def documents(text: str) -> list[Any]:
    """Each document of a text (JSON is YAML, too); empty ones are left out.

    Raises ``ValueError``, which tells the line where there is one. An alias could stand for more than anybody
    wants to read, so there are none.
    """
    try:
        for fault in _faults(text):
            raise ValueError(fault)
        return [_plain(found) for found in yaml.load_all(text, _Loader) if found is not None]
    except yaml.MarkedYAMLError as error:
        raise ValueError(
            _told(error.problem or error.context or "it cannot be read", error.problem_mark)
        ) from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())[:200]) from error


def document(text: str) -> Any:  # noqa: ANN401 - whatever is written
    """The only document of a text; raises ``ValueError``."""
    found = documents(text)
    if len(found) != 1:
        msg = f"give one document, these are {len(found)}" if found else "there is nothing in it"
        raise ValueError(msg)
    return found[0]


def _faults(text: str) -> Iterator[str]:
    """Without building anything, so that depth and aliases cost nothing."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            yield _told("aliases (*name) are not taken: write it out", event.start_mark)
        elif getattr(event, "tag", None) is not None:
            yield _told("tags (!name) are not taken: write plain values", event.start_mark)
        elif depth > DEEPEST:
            yield _told(f"more than {DEEPEST} levels", event.start_mark)


def _plain(found: Any) -> Any:  # noqa: ANN401
    """What JSON has no word for is a fault: bytes, sets, infinities."""
    try:
        return json.loads(json.dumps(found, allow_nan=False))
    except (TypeError, ValueError) as error:
        msg = "it has a value or key that JSON cannot say (bytes, a set, an infinite number, a key that is no text)"
        raise ValueError(msg) from error


def _told(problem: str, mark: Any) -> str:  # noqa: ANN401 - of the library, which has no types for it
    return f"line {mark.line + 1}: {problem}" if mark is not None else problem
