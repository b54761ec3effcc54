"""Opens host clusters and tenants' APIs; connections are kept per process and made after fork."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from provisioner.adapters import kubeconfig
from provisioner.adapters.auditlog import FileAuditLog
from provisioner.adapters.helm import HardenedCommand, PyHelm
from provisioner.adapters.kube import RestKube
from provisioner.adapters.transport import Peer, Transport
from provisioner.ports import Host, HostMisconfigured, NoAuditLog
from tenancy.enums import Reason

if TYPE_CHECKING:
    from collections.abc import Hashable

    from provisioner.adapters.kubeconfig import Credentials
    from provisioner.ports import AuditLog, Guard, TenantCredentials
    from tenancy.rules.specs import HostAccess

_KEPT: Final = 64
"""Open connections of a process; the longest unused are closed."""
_RENEWED: Final = 600
"""Seconds after which a credential's file that another took the place of is of no use."""
_BUILDING: Final = frozenset({"building", "starting"})
_FAILED: Final = "failed"
"""States a progress file may tell; any other means that nobody is at work."""


class _Pool:
    """Transports by what they speak with, least recently used first."""

    def __init__(self) -> None:
        self._open: dict[Hashable, Transport] = {}
        self._process = os.getpid()

    def get(self, peer: Peer, credentials: Credentials) -> Transport:
        """The kept transport, or a new one; what was opened before a fork stays the parent's."""
        if self._process != os.getpid():
            self._open, self._process = {}, os.getpid()
        key = (peer, credentials)
        transport = self._open.pop(key, None) or Transport(peer, credentials)
        self._open[key] = transport
        if len(self._open) > _KEPT:
            self._open.pop(next(iter(self._open))).close()
        return transport


class RealHosts:
    """``ports.Hosts`` by kubeconfig."""

    def __init__(self, *, helm: str, home: Path, chart: Path) -> None:
        self._helm = helm
        self._home = home / "helm"
        self._chart = chart
        self._pool = _Pool()

    def open(self, access: HostAccess, guard: Guard) -> Host:
        credentials = kubeconfig.read(access.kubeconfig)
        if credentials is None:
            raise _missing(access)
        transport = self._pool.get(_host_peer(access), credentials)
        command = HardenedCommand(self._helm, self._home, self._file(access, credentials), guard, access.name)
        return Host(RestKube(transport, guard), PyHelm(command, self._chart), audit_log(access))

    def starting(self, access: HostAccess) -> str:
        return progress(access)

    def _file(self, access: HostAccess, credentials: Credentials) -> Path:
        """A kubeconfig of our own for Helm: nothing in it is not in ``credentials``."""
        text = kubeconfig.document(credentials)
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        path = self._home / f"host-{access.uid.hex[:8]}-{name}.yaml"
        if not path.exists():
            _write(path, text)
            _forget_old(path.parent, f"host-{access.uid.hex[:8]}-")
        return path


class RealTenants:
    """``ports.Tenants`` over TLS with the tenant's own authority."""

    def __init__(self) -> None:
        self._pool = _Pool()

    def open(self, credentials: TenantCredentials, guard: Guard) -> RestKube:
        known = kubeconfig.Credentials(
            server=f"https://{credentials.address}",
            authority=credentials.authority,
            certificate=credentials.certificate,
            key=credentials.key,
            server_name=credentials.server_name,
        )
        return RestKube(self._pool.get(_TENANT, known), guard)


_TENANT: Final = Peer(
    name="the cluster's API server",
    reason=Reason.NOT_READY,
    advice="it is asked again",
    rights="the platform's key is read anew; what the tenant took from it comes back with a new cluster",
    connect=2.0,
    read=5.0,
    total=8.0,
    cap=8 * 1024**2,
)


def progress(access: HostAccess) -> str:
    """How far the host is being built, from the file its builder writes; empty when it is not."""
    if not access.progress_file:
        return ""
    try:
        told = json.loads(Path(access.progress_file).read_text())
        state, step, done, total = told["state"], told["step"], int(told["done"]), int(told["total"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    if state == _FAILED:
        return f"host {access.name} could not be built: {step}; see its log and start it again"
    if state not in _BUILDING:
        return ""
    return f"host {access.name} is being built: step {min(done + 1, total)} of {total} ({step})"


def audit_log(access: HostAccess) -> AuditLog:
    """The host's, where a worker can read it."""
    path = access.audit_log.removeprefix("file:")
    return FileAuditLog(Path(path)) if path else NoAuditLog()


def _missing(access: HostAccess) -> HostMisconfigured:
    path = access.kubeconfig.removeprefix("file:")
    return HostMisconfigured(
        f"kubeconfig {path} of host {access.name!r} is not there: start the host, or register it with another file"
    )


def _host_peer(access: HostAccess) -> Peer:
    return Peer(
        name=f"host {access.name!r}",
        reason=Reason.HOST_UNREACHABLE,
        advice="check that it runs and that the workers reach it",
    )


def _forget_old(folder: Path, prefix: str) -> None:
    """Credentials renewed long ago; what a Helm may just be reading is younger."""
    for path in folder.glob(f"{prefix}*.yaml"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _RENEWED:
                path.unlink()


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and for us alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    draft.replace(path)
