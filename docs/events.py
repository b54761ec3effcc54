"""Writes the types of docs/events.md from the code: ``.venv/bin/python docs/events.py``.

``tests/architecture/test_documents.py`` holds the page to it.
"""

# ruff: noqa: INP001 - a script beside the page it writes, no package
from __future__ import annotations

import ast
import sys
from itertools import pairwise
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).resolve().with_suffix(".md")
ROOT: Final = PAGE.parent.parent
sys.path.insert(0, str(ROOT))
sys.path.append(str(PAGE.parent))

from _pages import between, table  # noqa: E402 - needs the path above

from tenancy.event_enums import EventType  # noqa: E402 - needs the path above
from tenancy.rules.events import OF_ACTION, camel  # noqa: E402 - needs the path above

BEGIN: Final = "<!-- from here on written by docs/events.py -->"
END: Final = "<!-- to here -->"
_ELSEWHERE: Final = {
    EventType.CLUSTER_PHASE_CHANGED: (
        "uid",
        "generation",
        "observed_generation",
        "old_phase",
        "new_phase",
    ),
    EventType.OPERATION_FINISHED: ("operation", "state", "code", "cluster", "uid", "generation"),
    EventType.GRANT_ENDING: ("ends_on", "days_left"),
    EventType.PING: ("actor",),
}
"""Of events that are no audit rows; the others' members are those of ``OF_ACTION`` and ``actor``."""


def written(page: str) -> str:
    """The page with its table as the code has it."""
    return between(page, BEGIN, END, (_types(),))


def _types() -> str:
    words = _explained()
    told = {kind: ("actor", *facts) for kind, facts in OF_ACTION.values()} | _ELSEWHERE
    rows = (
        [f"`{kind}`", words[kind.name], ", ".join(f"`{camel(name)}`" for name in told[kind])]
        for kind in EventType
    )
    return table(["type", "what happened", "in `data`, beside `object`"], rows)


def _explained() -> dict[str, str]:
    tree = ast.parse((ROOT / "tenancy" / "event_enums.py").read_text())
    body = next(one.body for one in tree.body if isinstance(one, ast.ClassDef) and one.name == "EventType")
    return {
        member.targets[0].id: after.value.value.partition("\n")[0]
        for member, after in pairwise(body)
        if isinstance(member, ast.Assign)
        and isinstance(member.targets[0], ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
