"""Results on standard output: a table for people; JSON, YAML or names for programs."""

from __future__ import annotations

import enum
import json
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atoll_client.sending import Object

WIDE: Final = 1000
"""Columns where nobody looks: a pipe gets every word."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Terminals act on some of these; what others wrote must not."""


class Format(enum.StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "cluster": (
        "status.phase",
        "spec.kubernetesVersion",
        "status.effective.isolation.sandbox",
        "metadata.generation",
        "status.message",
    ),
    "tenant": ("spec.displayName", "spec.trust", "spec.suspended"),
    "member": ("spec.role",),
    "token": ("metadata.name", "spec.tenant", "spec.readOnly", "spec.expiresAt", "status.lastUsedAt"),
    "operation": (
        "kind",
        "state",
        "target.tenant",
        "target.name",
        "progress.done",
        "progress.total",
        "error.message",
    ),
    "gpu-request": (
        "metadata.tenant",
        "spec.class",
        "spec.amount",
        "spec.from",
        "spec.until",
        "status.state",
    ),
    "gpu-grant": ("metadata.tenant", "spec.class", "spec.amount", "spec.from", "spec.until", "status.phase"),
    "host": ("spec.exposure", "status.reachable", "spec.acceptsClusters", "status.message"),
    "node": ("status.pool", "status.present", "status.tenant", "status.holder"),
    "audit": ("at", "actor", "action", "target", "tenant"),
    "report": ("state", "verdict", "finishedAt", "expiresAt"),
    "event": ("timestamp", "type", "data.object.kind", "data.object.name", "data.actor"),
}
"""What a table shows of a noun beside its name; of all others the first plain fields."""
_MOST: Final = 6


def show(objects: Sequence[tuple[str, Object]], how: Format, noun: str, *, one: bool) -> None:
    """Objects with their references; ``one`` is written as itself, not as a list of one."""
    bodies = [body for _, body in objects]
    match how:
        case Format.JSON:
            write(json.dumps(bodies[0] if one else bodies, indent=2, ensure_ascii=False))
        case Format.YAML:
            write(yaml.safe_dump(bodies[0] if one else bodies, sort_keys=False, allow_unicode=True).rstrip())
        case Format.NAME:
            for reference, _ in objects:
                write(clean(reference))
        case Format.TABLE:
            table(objects, noun)


def table(objects: Sequence[tuple[str, Object]], noun: str) -> None:
    """One line each."""
    found = columns(noun, [body for _, body in objects])
    rows = [[reference, *(cell(at(body, path)) for path in found)] for reference, body in objects]
    lines(["name", *(path.rpartition(".")[2] for path in found)], rows)


def lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table of texts; nothing but the head where there is nothing."""
    drawn = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for title in head:
        drawn.add_column(_spaced(title).upper(), overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(clean(text)) for text in row))
    console(sys.stdout).print(drawn)


def columns(noun: str, bodies: Sequence[Object]) -> list[str]:
    """Those that were chosen, as far as anything is in them; else the first plain fields."""
    chosen = COLUMNS.get(noun) or tuple(_plain(bodies[0]))[:_MOST] if bodies else ()
    return [path for path in chosen if any(at(body, path) not in (None, "") for body in bodies)]


def at(body: Any, path: str) -> Any:  # noqa: ANN401 - JSON
    """What a dotted path leads to; None where it leads nowhere."""
    for part in path.split("."):
        body = body.get(part) if isinstance(body, dict) else None
    return body


def cell(value: object) -> str:
    """A value as a table has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(cell(one) for one in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def write(text: str) -> None:
    """One result, as it is."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def clean(text: str) -> str:
    """Without what a terminal would act on."""
    return _CONTROL.sub("�", text)


def console(stream: Any) -> Console:  # noqa: ANN401 - a text stream
    """For one stream; NO_COLOR and TERM count."""
    width = None if stream.isatty() else WIDE
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def _plain(body: Object, prefix: str = "") -> Iterable[str]:
    for key, value in body.items():
        if isinstance(value, dict) and not prefix:
            yield from _plain(value, f"{key}.")
        elif not isinstance(value, dict | list) and f"{prefix}{key}" not in {
            "metadata.uid",
            "metadata.createdAt",
        }:
            yield f"{prefix}{key}"


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
