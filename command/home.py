"""ATOLL_HOME: everything one Atoll keeps, private to who runs it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from command.environment import CHECKOUT
from command.terminal import CommandError

LAB_HOST: Final = "lab"
OWN_HOST: Final = "own"


@dataclass(frozen=True)
class Home:
    """The folder and the names in it."""

    root: Path

    @cached_property
    def id(self) -> str:
        """Eight hexadecimal digits that tell one home from another."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:8]

    @property
    def run(self) -> Path:
        """What runs now: a record a process, the lock of the supervisor, the environment for scripts."""
        return self.root / "run"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives; the kernel frees it."""
        return self.run / "up.lock"

    @property
    def up(self) -> Path:
        """Where the running portal is (JSON)."""
        return self.run / "up.json"

    @property
    def logs(self) -> Path:
        """One file a service."""
        return self.root / "logs"

    @property
    def credentials(self) -> Path:
        """Names and passwords of the first people."""
        return self.root / "credentials"

    @property
    def database(self) -> Path:
        """SQLite, unless ATOLL_DATABASE_URL is set."""
        return self.root / "atoll.sqlite3"

    @property
    def backups(self) -> Path:
        """Copies of the database, one before each change of its tables."""
        return self.root / "backups"

    @property
    def redis(self) -> Path:
        """What redis keeps."""
        return self.root / "redis"

    @property
    def helm(self) -> Path:
        """A link to the Helm that workers use; it may lead nowhere until the lab is built."""
        return self.root / "bin" / "helm"

    @property
    def lab(self) -> Path:
        """The lab's data."""
        return self.root / "lab"

    def token(self, username: str) -> Path:
        """The API token of one of the first people."""
        return self.root / f"{username}.token"

    def host_kubeconfig(self, name: str) -> Path:
        """How the provisioner reaches a host cluster: its own ServiceAccount, never an admin."""
        return self.root / "hosts" / f"{name}.kubeconfig"

    @cached_property
    def sockets(self) -> Path:
        """A short folder for sockets, whose paths may have 108 bytes only; made and checked here."""
        folder = _runtime_folder() / self.id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if folder.is_symlink() or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise CommandError(f"{folder} belongs to somebody else or is open to others: remove it")
        return folder

    @property
    def redis_socket(self) -> Path:
        """Where redis listens, and nowhere else."""
        return self.sockets / "redis.sock"

    def clear_sockets(self) -> None:
        """Removes the folder of sockets once nobody listens."""
        shutil.rmtree(self.sockets, ignore_errors=True)

    def prepare(self) -> None:
        """Makes the folders, closed to others."""
        for folder in (self.root, self.run, self.logs, self.backups, self.redis):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.root / "bin", self.root / "hosts"):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.root.chmod(0o700)


def find() -> Home:
    """The home that the environment names; it need not exist yet. Raises CommandError for one that cannot be."""
    chosen = os.environ.get("ATOLL_HOME")
    root = Path(chosen).expanduser().resolve() if chosen else CHECKOUT / ".atoll"
    if any(character.isspace() for character in str(root)):
        raise CommandError(
            f"ATOLL_HOME: {str(root)!r} has a blank in it: name a folder whose path has none", 2
        )
    return Home(root)


def write(path: Path, text: str) -> None:
    """Puts ``text`` at ``path`` in one step, readable by the owner only."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(draft).replace(path)


def _runtime_folder() -> Path:
    if os.geteuid() == 0:
        return Path("/run/atoll")
    given = os.environ.get("XDG_RUNTIME_DIR")
    return Path(given) / "atoll" if given else Path(tempfile.gettempdir()) / f"atoll-{os.geteuid()}"
