"""Writes docs/states.md from the code: ``.venv/bin/python docs/states.py``.

``tests/architecture/test_documents.py`` holds the page to it.
"""

# ruff: noqa: INP001 - a script beside the page it writes, no package
from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).resolve().with_suffix(".md")
sys.path.insert(0, str(PAGE.parent.parent))
sys.path.append(str(PAGE.parent))

from _pages import between, table  # noqa: E402 - needs the path above

from tenancy.grant_enums import RequestState, RequestVerb  # noqa: E402 - needs the path above
from tenancy.rules.requests import OPEN, PARTIES, TRANSITIONS  # noqa: E402 - needs the path above

BEGIN: Final = "<!-- from here on written by docs/states.py -->"
END: Final = "<!-- to here -->"


def written(page: str) -> str:
    """The page with its tables as the code has them."""
    return between(page, BEGIN, END, (_transitions(), _parties()))


def _transitions() -> str:
    """The state that follows each state and verb; an empty cell is refused."""
    verbs = [verb for verb in RequestVerb if any(v is verb for _, v in TRANSITIONS)]
    states = [state for state in RequestState if state in OPEN]
    rows = ([f"`{s.value}`", *(_to(s, verb) for verb in verbs)] for s in states)
    return table(["state", *(f"`{verb.value}`" for verb in verbs)], rows)


def _to(state: RequestState, verb: RequestVerb) -> str:
    found = TRANSITIONS.get((state, verb))
    return found.value if found else ""


def _parties() -> str:
    return table(["verb", "whose it is"], ([f"`{verb.value}`", who.value] for verb, who in PARTIES.items()))


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
