"""Brings the host cluster into Atoll while everything else starts: helm/host, credential, registration.

From then on it sees to it that helm/host stays as it is (``command.keeping``).
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from command import database, host, keeping
from command.home import LAB_HOST
from command.terminal import CommandError, elapsed, say, since_start
from lab import api as lab_api
from lab import build
from lab.errors import LabError

if TYPE_CHECKING:
    import threading

    from command.home import Home
    from command.host_choice import HostChoice

LOOK_SECONDS: Final = 0.3
PAUSE_SECONDS: Final = 5.0
EVERYWHERE: Final = ("0.0.0.0/0", "::/0")
ROLE: Final = "tenancy.atoll.internal/role"


@dataclass(frozen=True)
class HostKeeper:
    """Works in a thread of its own; ``stop`` ends it."""

    home: Home
    choice: HostChoice
    environment: dict[str, str]
    url: str
    """Of the portal, which is asked what is amiss."""
    registered: list[str]
    """What Atoll was told of the host before the host was there."""
    done: threading.Event
    """Set once the host is as it should be."""
    stop: threading.Event

    def run(self) -> None:
        """Tries until it is done: a cluster that is starting refuses many things."""
        told = ""
        while not self.stop.is_set():
            try:
                admin = self._prepare()
            except (CommandError, LabError, OSError) as error:
                if not self.stop.is_set() and str(error) != told:
                    told = str(error)
                    say(f"host {self.choice.name}: {told}\n    trying again every {PAUSE_SECONDS:.0f} s")
                self.stop.wait(PAUSE_SECONDS)
            else:
                self.done.set()
                if admin:
                    self._keep(admin)
                return

    def _prepare(self) -> host.Admin | None:
        kubeconfig = self.choice.kubeconfig or self._wait_for_lab()
        if kubeconfig is None:
            return None
        began = since_start()
        admin = host.Admin(kubeconfig, helm(self.home, self.choice), self.home)
        ends = host.prepare(admin, self.choice.name, self._values())
        known = registration(self.home, self.choice)
        if known != self.registered:
            database.manage(self.environment, "register_host", *known)
        name = self.choice.name
        say(
            f"host {name}: helm/host installed, credential until {ends:%Y-%m-%d} ({elapsed(since_start() - began)})"
        )
        return admin

    def _keep(self, admin: host.Admin) -> None:
        atoll = keeping.Atoll(self.url, self.home.token("admin"))
        keeping.Keeper(atoll, admin, self.choice.name, self._values(), self.stop).run()

    def _values(self) -> dict[str, Any] | None:
        return lab_values(self.home) if self.choice.name == LAB_HOST else None

    def _wait_for_lab(self) -> Path | None:
        """The lab's kubeconfig is there once its API server has answered; ``None`` when stopped meanwhile."""
        path = self.home.lab / "kubeconfig"
        while not path.exists():
            if self.stop.wait(LOOK_SECONDS):
                return None
        return path


def registration(home: Home, choice: HostChoice) -> list[str]:
    """The arguments of ``manage.py register_host``."""
    arguments = [choice.name, "--kubeconfig", f"file:{home.host_kubeconfig(choice.name)}"]
    arguments += ["--exposure", choice.exposure]
    cidrs = lab_cidrs(home) if choice.name == LAB_HOST else EVERYWHERE
    for cidr in cidrs:
        arguments += ["--client-cidr", cidr]
    if choice.name == LAB_HOST:
        arguments += ["--progress-file", str(home.lab / "progress.json")]
        arguments += lab_audit_log(home)
        arguments += [
            "--control-plane-selector",
            f"{ROLE}=control-plane",
            "--workload-selector",
            f"{ROLE}=worker",
        ]
    return arguments


def lab_cidrs(home: Home) -> tuple[str, ...]:
    """Where this machine's connections come from; nothing while the lab was never built."""
    try:
        return (lab_api.describe(home.root).client_cidr,)
    except LabError:
        return ()


def lab_audit_log(home: Home) -> list[str]:
    """Where the lab's API server writes down who did what; nothing while the lab was never built."""
    try:
        return ["--audit-log", f"file:{lab_api.describe(home.root).audit_log}"]
    except LabError:
        return []


def lab_values(home: Home) -> dict[str, Any]:
    """Of helm/host: the lab's nodes keep everything in folders of their own."""
    lab = lab_api.describe(home.root)
    paths = lab.on_nodes
    wipe = {
        "ctr": str(lab.bin_dir / "ctr"),
        "socket": paths.socket,
        "kubelet": paths.kubelet,
        "podLogs": paths.logs,
        "volumes": [paths.volumes],
    }
    return {"wipe": wipe}


def helm(home: Home, choice: HostChoice) -> str:
    """A Helm 4, linked at a place that the workers know from the start."""
    given = choice.name != LAB_HOST and shutil.which("helm")
    program = Path(given) if given and _is_helm4(given) else _built("helm")
    link(home.helm, program)
    if choice.name == LAB_HOST:
        link(home.helm.with_name("kubectl"), program.with_name("kubectl"))
    return str(home.helm)


def link(path: Path, target: Path) -> None:
    """Puts a link in place in one step."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(path)


def _built(name: str) -> Path:
    folder = build.ensure(
        [name, "kubectl"], lambda text, done, total: say(f"{name}: {text} ({done}/{total})")
    )
    return folder / name


def _is_helm4(program: str) -> bool:
    argv = [program, "version", "--template", "{{.Version}}"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip().startswith("v4")
