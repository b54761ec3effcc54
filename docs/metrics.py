"""Writes the tables of docs/metrics.md from the code: ``.venv/bin/python docs/metrics.py``.

``tests/architecture/test_documents.py`` holds the page to it.
"""

# ruff: noqa: INP001 - a script beside the page it writes, no package
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import django

PAGE: Final = Path(__file__).resolve().with_suffix(".md")
sys.path.insert(0, str(PAGE.parent.parent))
sys.path.append(str(PAGE.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from _pages import between, table  # noqa: E402 - needs the path above

from portal.metrics import CHAPTERS, Chapter  # noqa: E402 - needs the path above

BEGIN: Final = "<!-- from here on written by docs/metrics.py -->"
END: Final = "<!-- to here -->"


def written(page: str) -> str:
    """The page with its tables as the code has them."""
    return between(page, BEGIN, END, (_chapter(one) for one in CHAPTERS))


def _chapter(chapter: Chapter) -> str:
    labels = ", ".join(f"`{label}`" for label in chapter.labels)
    title = f"**{chapter.title}**, by {labels}" if labels else f"**{chapter.title}**"
    return f"{title}\n\n{table(['metric', 'what'], ([f'`{m.name}`', m.help] for m in chapter.metrics))}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
