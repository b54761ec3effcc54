"""Figures for people, and for docs/performance.md."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Final

from command.environment import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

PAGE: Final = CHECKOUT / "docs" / "performance.md"
BEGIN: Final = "<!-- bench create: written by ./atoll bench create -->"
END: Final = "<!-- end of bench create -->"
SHARE: Final = 0.10
SECONDS: Final = 2.0
TITLE: Final = "# Performance\n\nHow long things take, measured; how to repeat each is beside it.\n"


@dataclass
class Result:
    """Seconds of each round."""

    atoll: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    @property
    def difference(self) -> float:
        """Of the medians, in seconds."""
        return median(self.atoll) - median(self.bare)

    @property
    def allowed(self) -> float:
        """A tenth, or two seconds where that is more."""
        return max(SHARE * median(self.bare), SECONDS)

    @property
    def kept(self) -> bool:
        """Whether Atoll costs no more than allowed."""
        return self.difference <= self.allowed

    def table(self) -> str:
        """Markdown."""
        rows = [
            f"| {number} | {atoll:.1f} | {bare:.1f} |"
            for number, (atoll, bare) in enumerate(zip(self.atoll, self.bare, strict=True), 1)
        ]
        share = self.difference / median(self.bare)
        verdict = "kept" if self.kept else "not kept"
        difference = f"Difference of the medians: {self.difference:+.1f} s ({share:+.0%})"
        return "\n".join(
            [
                "| round | through Atoll (s) | bare Helm (s) |",
                "|--:|--:|--:|",
                *rows,
                f"| **median** | **{median(self.atoll):.1f}** | **{median(self.bare):.1f}** |",
                "",
                f"{difference}; allowed are {self.allowed:.1f} s: {verdict}.",
            ]
        )


def write(result: Result, page: Path = PAGE) -> Path:
    """Puts the figures between the page's markers, making them where they are missing."""
    text = page.read_text() if page.exists() else TITLE
    section = f"{BEGIN}\n{_heading()}\n\n{result.table()}\n{END}"
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    found = pattern.search(text)
    page.write_text(pattern.sub(lambda _: section, text) if found else f"{text.rstrip()}\n\n{section}\n")
    return page


def _heading() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    machine = f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}"
    return (
        "## Create → Ready\n\n"
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine}, load {os.getloadavg()[0]:.1f} at the end. "
        "Repeat it: `./atoll up` in one terminal, `./atoll bench create` in another.\n\n"
        "Both columns create the same release (same chart, same values) and wait for the same: the tenant's API "
        "answers as ready, its DNS is available, a credential can be issued, and a pod that asks for no runtime "
        "class ran inside the sandbox, seen from its kernel. The client looks every 0.5 s in both."
    )
