"""What the scripts that write parts of these pages share."""

# ruff: noqa: INP001 - beside the scripts, no package
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def between(page: str, begin: str, end: str, parts: Iterable[str]) -> str:
    """The page with ``parts`` in place of what stands between its two marks."""
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    return "\n\n".join([f"{head}{begin}", *parts, f"{end}{tail}"])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
