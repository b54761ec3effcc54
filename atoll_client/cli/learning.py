"""The document of the Atoll that is spoken with, kept for a while so that it need not come each time."""

from __future__ import annotations

import json
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from atoll_client import contexts, document, files
from atoll_client.atoll import Atoll
from atoll_client.cli.shell import note
from atoll_client.errors import AtollError, Misconfigured, Unavailable, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from atoll_client.cli.shell import Shell
    from atoll_client.document import Api
    from atoll_client.sending import Object

FRESH_SECONDS: Final = 600.0
PATIENCE: Final = 3.0
HELP: Final = frozenset({"--help", "-h", "--install-completion", "--show-completion"})


def api(shell: Shell, words: Sequence[str], has: Callable[[Api], bool]) -> Api:
    """The verbs; asked for anew where those that are kept lack what the words want.

    Raises what hinders, unless only help is wanted: that names what works without an Atoll.
    """
    try:
        url = contexts.find(_context(words)).url
        found = document.read(_document(shell, url))
        if not has(found):
            found = document.read(_document(shell, url, anew=True))
    except AtollError as error:
        if words and not HELP & set(words):
            raise
        note(f"(the verbs of the API are left out: {error})")
        return document.read({})
    return found


def _context(words: Sequence[str]) -> str:
    """What ``--context`` says, before anything can be parsed: the verbs come from that Atoll."""
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word == "--context":
            return following
        if word.startswith("--context="):
            return word.partition("=")[2]
    return ""


def _document(shell: Shell, url: str, *, anew: bool = False) -> Object:
    place = (
        files.folder("XDG_CACHE_HOME", ".cache") / "openapi" / f"{sha256(url.encode()).hexdigest()[:32]}.json"
    )
    kept = {} if anew else _kept(place, FRESH_SECONDS)
    if kept:
        return kept
    try:
        with Atoll(url, patience=PATIENCE, transport=shell.transport) as atoll:
            found = atoll.get("/openapi.json")
    except (Unavailable, Unreachable):
        if old := _kept(place, float("inf")):
            return old
        raise
    if "paths" not in found:
        raise Misconfigured(f"{url} is no Atoll: it has no OpenAPI document")
    files.write(place, json.dumps(found))
    return found


def _kept(place: Path, seconds: float) -> Object:
    """Empty for what is not there, too old or broken."""
    try:
        if time.time() - place.stat().st_mtime < seconds:
            return dict(json.loads(place.read_text()))
    except (OSError, ValueError):
        pass
    return {}
