"""How far a wait is: a table of steps that is drawn anew on a terminal, one line a change elsewhere.

Where the result is for a program, only a terminal is told.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.live import Live
from rich.table import Table
from rich.text import Text

from atoll_client.cli.output import Format, clean, console
from atoll_client.cli.shell import note
from atoll_client.waiting import Look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MARKS: Final = {"done": "✓", "running": "…", "failed": "✗", "waiting": "·", "pending": "·"}


@contextmanager
def told(what: str, output: Format | None = None) -> Iterator[Callable[[Look], None]]:
    """Gives the function that is told each look; ``output`` is that of the result."""
    began, last = time.monotonic(), Look("Waiting", "")

    def see(look: Look) -> None:
        nonlocal last
        last = look

    if not sys.stderr.isatty():
        yield _lines(what) if output in {None, Format.TABLE} else see
        return

    def picture() -> Table:
        return drawn(what, last, time.monotonic() - began)

    with Live(console=console(sys.stderr), get_renderable=picture, transient=True, refresh_per_second=4):
        yield see


def drawn(what: str, look: Look, seconds: float) -> Table:
    """The steps with their marks below one line on the whole."""
    table = Table.grid(padding=(0, 1))
    table.add_row("", Text(f"{what}: {look.phase or 'no answer'} ({seconds:.0f} s)", style="bold"), "")
    for step in look.steps:
        mark = _MARKS.get(step["state"], "·")
        table.add_row(mark, Text(clean(step["name"])), Text(clean(step["message"]), style="dim"))
    if not look.steps and look.detail:
        table.add_row("", Text(clean(look.detail)), "")
    return table


def line(what: str, look: Look) -> str:
    """The same in one line."""
    now = next((one for one in look.steps if one["state"] == "running"), None)
    done = sum(one["state"] == "done" for one in look.steps)
    steps = f" {done}/{len(look.steps)}" if look.steps else ""
    doing = f": {now['name']} {now['message']}".rstrip() if now else ""
    return f"{what}: {look.phase or 'no answer'}{steps}{doing or (f': {look.detail}' if look.detail else '')}"


def _lines(what: str) -> Callable[[Look], None]:
    said = ""

    def say(look: Look) -> None:
        nonlocal said
        text = line(what, look)
        if text != said:
            note(text)
            said = text

    return say
