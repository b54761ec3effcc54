"""Kubeconfigs that hold no secret: their user is this program, asked by kubectl for a token when it needs one."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from atoll_client import files
from atoll_client.credentials import API
from atoll_client.errors import Misconfigured, TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atoll_client.contexts import Context

_PARTS: Final = ("clusters", "users", "contexts")
_LOCK_SECONDS: Final = 10.0
HINT: Final = (
    "Atoll's command-line client is not where it was: install it, then run 'atoll cluster kubeconfig' anew."
)


def entry(
    context: Context, tenant: str, name: str, reached: dict[str, Any], program: Sequence[str]
) -> dict[str, Any]:
    """A kubeconfig of one cluster; ``program`` is how this client is started."""
    title = f"{tenant}/{name}@{context.place}"
    user = {"name": title, "user": {"exec": _plugin(context, tenant, name, program)}}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": title, "cluster": reached}],
        "users": [user],
        "contexts": [{"name": title, "context": {"cluster": title, "user": title}}],
        "current-context": title,
    }


def default_path() -> Path:
    """Where kubectl writes: the first of $KUBECONFIG, else ~/.kube/config."""
    for part in os.environ.get("KUBECONFIG", "").split(os.pathsep):
        if part:
            return Path(part)
    return Path.home() / ".kube" / "config"


def merge(path: Path, new: dict[str, Any], *, use: bool = True) -> None:
    """Adds ``new`` to the file, in place of entries of the same names; with ``use`` it becomes the current context."""
    path.resolve().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked_as_kubectl_does(path.resolve()):
        document = _read(path)
        for part in _PARTS:
            names = {one["name"] for one in new[part]}
            others = [one for one in document.get(part) or [] if one.get("name") not in names]
            document[part] = [*others, *new[part]]
        if use or not document.get("current-context"):
            document["current-context"] = new["current-context"]
        files.write(path, dump(document))


def dump(document: dict[str, Any]) -> str:
    """As people read it."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _plugin(context: Context, tenant: str, name: str, program: Sequence[str]) -> dict[str, Any]:
    """The very Atoll that it was made with, whatever is current when kubectl runs."""
    command, *arguments = program
    chosen = ["--context", context.name] if context.name else []
    settings = {} if context.name else {"ATOLL_URL": context.url}
    if context.token_file and not context.name:
        settings |= {"ATOLL_TOKEN_FILE": context.token_file, "ATOLL_TOKEN": ""}  # which would win otherwise
    return {
        "apiVersion": API,
        "command": command,
        "args": [*arguments, "kube-credential", f"{tenant}/{name}", *chosen],
        "env": [{"name": key, "value": value} for key, value in settings.items()],
        "interactiveMode": "Never",
        "provideClusterInfo": False,
        "installHint": HINT,
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError:
        found = {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Misconfigured(f"{path} cannot be read ({error}): mend it, or give --file") from error
    lists = isinstance(found, dict) and all(isinstance(found.get(part) or [], list) for part in _PARTS)
    if not lists or any(not isinstance(one, dict) for part in _PARTS for one in found.get(part) or []):
        raise Misconfigured(f"{path} is no kubeconfig: mend it, or give --file")
    return {"apiVersion": "v1", "kind": "Config", **found}


@contextmanager
def _locked_as_kubectl_does(path: Path) -> Iterator[None]:
    """Kubectl makes this very file while it writes."""
    lock, until = path.with_name(f"{path.name}.lock"), time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > until:
                raise TimedOut(f"{lock} has been there for a while: remove it if no kubectl runs") from None
            time.sleep(0.1)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            lock.unlink()
