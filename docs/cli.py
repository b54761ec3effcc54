"""Writes docs/cli.md from the code and docs/openapi.yaml: ``.venv/bin/python docs/cli.py``.

``tests/architecture/test_documents.py`` holds the page to it.
"""

# ruff: noqa: INP001 - a script beside the page it writes, no package
from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

PAGE: Final = Path(__file__).resolve().with_suffix(".md")
sys.path.insert(0, str(PAGE.parent.parent))
sys.path.append(str(PAGE.parent))

from _pages import between, table  # noqa: E402 - needs the path above

from atoll_client import document  # noqa: E402 - needs the path above
from atoll_client.cli import anything, clusters, sessions  # noqa: E402 - needs the path above
from atoll_client.cli.main import ALIASES, groups  # noqa: E402 - needs the path above
from atoll_client.cli.shell import Shell, Status  # noqa: E402 - needs the path above
from atoll_client.cli.wishes import shape  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from atoll_client.document import Api

BEGIN: Final = "<!-- from here on written by docs/cli.py -->"
END: Final = "<!-- to here -->"


def written(page: str) -> str:
    """The page with its tables as the code and the OpenAPI document have them."""
    text = PAGE.with_name("openapi.yaml").read_text()
    api = document.read(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))  # noqa: S506 - both are safe
    shell = Shell(["atoll"])
    tables = [_plain(shell, api), *_nouns(shell, api), _statuses()]
    return between(page, BEGIN, END, tables)


def _plain(shell: Shell, api: Api) -> str:
    """The commands without a noun."""
    found = sessions.commands(shell) | anything.commands(shell, api)
    found["kube-credential"] = clusters.kube_credential(shell)
    rows = ([f"`atoll {name}`", _about(function)] for name, function in found.items())
    return table(["command", "what it does"], rows)


def _nouns(shell: Shell, api: Api) -> Iterable[str]:
    for noun, verbs in groups(shell, api).items():
        rows = (
            [f"`atoll {noun} {name}{_reference(api, noun, name)}`", _about(made())]
            for name, made in verbs.items()
        )
        yield f"### {noun}\n\n{table(['command', 'what it does'], rows)}"


def _reference(api: Api, noun: str, name: str) -> str:
    made = {"plan": "apply", "wait": "get", "watch": "list"}.get(name, name)
    found = api.verbs.get(ALIASES.get((noun, name), (noun, made)), [])
    return f" {shape(found)}" if any(verb.reference for verb in found) else ""


def _about(function: Callable[..., None]) -> str:
    text = (inspect.getdoc(function) or "").partition("\n")[0]
    return text.replace("|", "\\|")


def _statuses() -> str:
    rows = ([str(one.value), one.name.lower().replace("_", " ")] for one in Status)
    return f"## Exit status\n\n{table(['status', 'name'], rows)}"


if __name__ == "__main__":
    page = PAGE.read_text()
    if "--check" not in sys.argv:
        PAGE.write_text(written(page))
    elif written(page) != page:
        sys.exit("docs/cli.md is not what docs/openapi.yaml says: run 'just openapi'")
