"""``./atoll test``: all that gates a landing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import IO, TYPE_CHECKING, Final

from command.environment import CHECKOUT, FOLDER
from command.terminal import CommandError, complain, elapsed, say, since_start
from lab import build, images, reap
from lab.cache import cache_root

if TYPE_CHECKING:
    import argparse

JUST: Final = str(FOLDER / "bin" / "just")
NOT_LONG: Final = "not long"
ONCE: Final = "not lab and not browser and not matrix and not long"
"""Of the tests on PostgreSQL: what asks the same of each route and kind of person ran on SQLite."""
WORKERS: Final = 2
"""One waits for the lab most of the time while the other computes, and PostgreSQL's tests in what is left; a third's load makes waits too short."""


def run(asked: argparse.Namespace) -> int:
    """All of it; with arguments for pytest only the tests that these choose."""
    try:
        with tempfile.TemporaryDirectory(prefix="atoll-test-", ignore_cleanup_errors=True) as home:
            environment = _environment(home)
            if asked.pytest:
                return _just(environment, "test", *asked.pytest)
            return _everything(environment, everything=asked.all)
    finally:
        if os.geteuid() == 0:
            reap.leftovers()  # of tests that were cut short: their homes are gone now


def _everything(environment: dict[str, str], *, everything: bool) -> int:
    _build_lab()
    failed = _beside(environment, _plan(everything=everything))
    if failed:
        complain(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _beside(environment: dict[str, str], recipes: list[list[str]]) -> list[str]:
    """Runs them beside each other; those that failed. The last is seen at work, the others when they end."""
    quiet = [words is not recipes[-1] for words in recipes]
    with ThreadPoolExecutor() as beside:
        statuses = beside.map(partial(_recipe, environment), recipes, quiet)
        return [words[0] for words, status in zip(recipes, statuses, strict=True) if status]


def _recipe(environment: dict[str, str], words: list[str], quiet: bool) -> int:  # noqa: FBT001 - one of map's columns
    began = since_start()
    say(f"just {' '.join(words)}")
    with tempfile.TemporaryFile() as told:
        status = _just(environment, *words, told=told if quiet else None)
        told.seek(0)
        sys.stdout.write(told.read().decode(errors="replace"))
    outcome = "passed" if status == 0 else f"failed (exit status {status})"
    say(f"{words[0]}: {outcome} in {elapsed(since_start() - began)}")
    return status


def _plan(*, everything: bool) -> list[list[str]]:
    """Recipes, of which the last takes longest: its closing lines are the run's."""
    marked = [] if everything else ["-m", NOT_LONG]
    if os.geteuid() != 0:
        say("not root: what needs the real lab is left out")
        marked = ["-m", " and ".join([*marked[1:], "not lab"])]
    # The last -m counts: that of the recipe is what PostgreSQL never runs.
    once = [] if everything else ["-m", ONCE]
    # The labs are the longest part, so they begin first: in the order in which they were collected.
    workers = ["-n", str(WORKERS), "--no-loadscope-reorder"]
    return [
        ["check"],
        ["test-postgres", "-q", *once],
        ["test", "-v", "--durations=15", *workers, *marked],
    ]


def _build_lab() -> None:
    """Before any test's own time limit runs; at once where it is cached."""

    def tell(text: str, done: int, total: int) -> None:
        say(f"lab: {done}/{total} {text}")

    say("lab: looking for its programs and images")
    images.ensure(build.ensure(None, tell), tell)


def _just(environment: dict[str, str], *words: str, told: IO[bytes] | None = None) -> int:
    """The exit status; what it says goes to ``told``, where one is given."""
    # Pytest empties its folder when it starts: no two may have the same.
    temporary = f"{environment.get('PYTEST_ADDOPTS', '')} --basetemp={environment['ATOLL_HOME']}/{words[0]}"
    environment = {**environment, "PYTEST_ADDOPTS": temporary}
    try:
        done = subprocess.run(  # noqa: S603
            [JUST, *words], cwd=CHECKOUT, env=environment, check=False, stdout=told, stderr=told
        )
    except FileNotFoundError as error:
        raise CommandError(f"{JUST} is missing: remove .venv and run ./atoll test again") from error
    return done.returncode


def _environment(home: str) -> dict[str, str]:
    """The person's own settings of Atoll must not change what is tested."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ATOLL_")}
    cache = {"ATOLL_CACHE": os.environ["ATOLL_CACHE"]} if "ATOLL_CACHE" in os.environ else {}
    # What was checked in another checkout is looked at again only where its text differs: 50 s of a core.
    types = str(cache_root() / "mypy")
    return {**kept, **cache, "ATOLL_HOME": home, "MYPY_CACHE_DIR": types}
