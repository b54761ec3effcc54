"""Which Atoll is spoken to, and for whom: contexts kept in a file, environment, option.

The option ``--context`` wins over the environment, that over the current context. A token goes
to the address that it was given with, never to another.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import yaml

from atoll_client import files
from atoll_client.atoll import base
from atoll_client.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

URL: Final = "ATOLL_URL"
TOKEN: Final = "ATOLL_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE: Final = "ATOLL_TOKEN_FILE"  # noqa: S105 - the name of a variable
TENANT: Final = "ATOLL_TENANT"
NOBODY: Final = "no Atoll is known here: run 'atoll login URL', or set ATOLL_URL and ATOLL_TOKEN"


@dataclass(frozen=True)
class Context:
    """One Atoll, one token."""

    url: str
    token: str = field(default="", repr=False)
    tenant: str = ""
    """Whose objects are meant where no tenant is named."""
    name: str = ""
    """Empty for one that the environment made."""
    token_file: str = ""
    """Where the environment found the token."""

    @property
    def place(self) -> str:
        """What tells this Atoll from others in names."""
        return self.name or urlsplit(self.url).netloc


@dataclass(frozen=True)
class Config:
    """All contexts, and which one is current."""

    current: str = ""
    contexts: dict[str, Context] = field(default_factory=dict)

    def without(self, name: str) -> Config:
        """All but one."""
        rest = {key: kept for key, kept in self.contexts.items() if key != name}
        return Config("" if self.current == name else self.current, rest)

    def having(self, context: Context) -> Config:
        """One more, or one replaced; it becomes the current one."""
        return Config(context.name, {**self.contexts, context.name: context})


def path() -> Path:
    """The file; 0600."""
    return files.folder("XDG_CONFIG_HOME", ".config") / "config"


def read() -> Config:
    """As the file has it. Raises ``Misconfigured``."""
    where = path()
    try:
        found = yaml.safe_load(files.read_private(where)) or {}
        contexts = {name: Context(**{**one, "name": name}) for name, one in found.get("contexts", {}).items()}
        return Config(found.get("current", ""), contexts)
    except (yaml.YAMLError, TypeError, AttributeError) as error:
        raise Misconfigured(f"{where} cannot be read as contexts ({error}): mend or remove it") from error


def change(how: Callable[[Config], Config]) -> Config:
    """Rewrites the file, one process at a time."""
    where = path()
    with files.alone(where):
        config = how(read())
        contexts = {name: _kept(one) for name, one in sorted(config.contexts.items())}
        document = {"current": config.current, "contexts": contexts}
        files.write(where, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    return config


def find(name: str = "") -> Context:
    """The one to speak with. Raises ``Misconfigured`` with what to do."""
    if not name and os.environ.get(URL):
        return _with_token(Context(base(os.environ[URL]), tenant=os.environ.get(TENANT, "")))
    config = read()
    chosen = name or config.current
    if not chosen:
        raise Misconfigured(NOBODY)
    if chosen not in config.contexts:
        known = ", ".join(sorted(config.contexts)) or "none"
        raise Misconfigured(f"there is no context {chosen!r} (known: {known}): run 'atoll context list'")
    found = config.contexts[chosen]
    return found if name else replace(_with_token(found), tenant=os.environ.get(TENANT) or found.tenant)


def read_token(file: Path) -> str:
    """A token from a file. Raises ``Misconfigured``."""
    try:
        text = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{file}: the token cannot be read ({error})") from error
    return checked_token(text, str(file))


def checked_token(text: str, source: str) -> str:
    """One line that a header can carry. Raises ``Misconfigured`` without repeating it."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise Misconfigured(f"{source} holds no token: give one line as in atoll_…")
    return text


def _with_token(found: Context) -> Context:
    """The environment's token where it has one: then what is done is not the context's doing any more."""
    text, file = os.environ.get(TOKEN, ""), os.environ.get(TOKEN_FILE, "")
    if text:
        return replace(found, token=checked_token(text.strip(), f"${TOKEN}"), name="")
    if file:
        token = read_token(Path(file).expanduser())
        return replace(found, token=token, name="", token_file=str(Path(file).expanduser().resolve()))
    return found


def _kept(context: Context) -> dict[str, Any]:
    known = asdict(context)
    return {key: known[key] for key in ("url", "token", "tenant") if known[key]}
