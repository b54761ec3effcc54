"""Helm 4 through pyhelm3, with the command line hardened: no shell, no orphan, no credential in sight."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING, Any, Final, TypeVar

import semver
import yaml
from pyhelm3 import Client, Command, errors
from pyhelm3.models import Chart, ChartMetadata

from provisioner.adapters import process
from provisioner.ports import HOST_NAMESPACE, HOST_RELEASE, Busy, Refused, Rejected, Unreachable
from provisioner.release.state import DIGEST_LABEL
from tenancy.enums import Reason
from tenancy.rules.names import RELEASE

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from pathlib import Path

    from provisioner.ports import Guard, Object

T = TypeVar("T")
DEADLINE: Final = 40.0
"""Seconds for one Helm, and never more than what is left of the lease."""
_MARGIN: Final = 2 * process.GRACE
_HISTORY: Final = 5
_VERSION: Final = semver.Version.parse("4.0.0")

# What Helm says → the error it means. First match wins; checked in lower case.
_MEANINGS: Final[tuple[tuple[tuple[str, ...], type[Exception] | Reason], ...]] = (
    (("release: not found",), errors.ReleaseNotFoundError),
    (
        (
            "cluster unreachable",
            "connection refused",
            "i/o timeout",
            "no such host",
            "no route to host",
            "tls handshake timeout",
            "connection reset",
            "etcdserver",
            "http2: client connection lost",
        ),
        Unreachable,
    ),
    (("exceeded quota",), Reason.QUOTA_EXCEEDED),
    (("being terminated",), Reason.WAITING),
    (("another operation",), Reason.INSTALLING),
    (("invalid ownership metadata", "cannot be imported into the current release"), Reason.CONFLICT),
    (("forbidden", "unauthorized", "must be logged in"), Refused),
    (
        (
            "don't meet the specifications of the schema",
            "execution error",
            "failed to render",
            "parse error",
            "chart.yaml",
            "is invalid",
            "yaml to json",
        ),
        Reason.CHART_INVALID,
    ),
)
_FINAL: Final = frozenset({Reason.CONFLICT, Reason.CHART_INVALID})


class HardenedCommand(Command):  # type: ignore[misc]  # pyhelm3 has no types
    """pyhelm3's command, but started by ``process.run`` and with errors that tell what to do."""

    def __init__(self, executable: str, home: Path, kubeconfig: Path, guard: Guard, host: str) -> None:
        super().__init__(executable=executable, history_max_revisions=_HISTORY, default_timeout="30s")
        self._environment = _environment(home, kubeconfig)
        self._guard = guard
        self._host = host
        self.labels: dict[str, str] = {}
        """Put on the next revision's record."""

    async def run(self, command: list[Any], input: bytes | None = None) -> bytes:  # noqa: A002 - pyhelm3's name
        argv = [_found(self._executable), *(str(part) for part in command)]
        if command[0] == "upgrade" and self.labels:
            argv += ["--labels", ",".join(f"{k}={v}" for k, v in self.labels.items())]
        left = min(DEADLINE, self._guard.left() - _MARGIN)
        ended = await process.run(
            argv, stdin=input, environment=self._environment, deadline=max(left, 1.0), guard=self._guard
        )
        if ended.overdue:
            msg = f"Helm did not end within {left:.0f} s on host {self._host!r} and was stopped: it is tried again"
            raise Busy(msg, Reason.RELEASE_FAILED)
        if ended.code != 0:
            raise meaning(ended, self._host)
        return ended.output

    def client_version(self) -> semver.Version:
        """Without asking: it would start Helm through a shell once more for each use."""
        return _VERSION


class PyHelm:
    """``ports.Helm`` on one host, for one pass."""

    def __init__(self, command: HardenedCommand, chart: Path) -> None:
        self._command = command
        self._chart = chart

    def install(self, namespace: str, values: Mapping[str, Any], digest: str) -> None:
        metadata = ChartMetadata(**yaml.safe_load((self._chart / "Chart.yaml").read_text()))
        chart = Chart(self._command, ref=self._chart, metadata=metadata)
        self._command.labels = {DIGEST_LABEL: digest}
        client = self._client()
        _await(
            client.install_or_upgrade_release(
                RELEASE, chart, dict(values), namespace=namespace, create_namespace=False
            )
        )

    def rollback(self, namespace: str, revision: int) -> None:
        _await(self._command.rollback(RELEASE, revision, namespace=namespace))

    def uninstall(self, namespace: str) -> None:
        _await(self._client().uninstall_release(RELEASE, namespace=namespace))

    def render(
        self, chart: Path, values: Mapping[str, Any], version: str, offers: Sequence[str]
    ) -> list[Object]:
        words = ["template", HOST_RELEASE, chart, "--namespace", HOST_NAMESPACE, "--kube-version", version]
        words += [word for kind in offers for word in ("--api-versions", kind)]
        text = _await(self._command.run([*words, "--values", "-"], yaml.safe_dump(dict(values)).encode()))
        return [found for found in yaml.safe_load_all(text) if found]

    def _client(self) -> Client:
        # A client with a command of its own has no use for a binary, but insists that there is one.
        return Client(self._command, executable="/bin/sh")


def _found(executable: str) -> str:
    path = shutil.which(executable)
    if path is None:
        msg = f"there is no Helm at {executable!r}: install Helm 4, or give its path in ATOLL_HELM"
        raise Busy(msg, Reason.RELEASE_FAILED)
    return path


def meaning(ended: process.Ended, host: str) -> Exception:
    """What a failed Helm's last words mean for us."""
    said = " ".join(ended.errors.decode(errors="replace").split())
    words, lower = said[-500:], said.lower()
    for signs, kind in _MEANINGS:
        if any(sign in lower for sign in signs):
            return _error(kind, words, ended, host)
    return Busy(f"Helm failed on host {host!r}: {words}", Reason.RELEASE_FAILED)


def _error(kind: type[Exception] | Reason, words: str, ended: process.Ended, host: str) -> Exception:
    if kind is Unreachable:
        return Unreachable(f"Helm does not reach host {host!r}: {words}", Reason.HOST_UNREACHABLE)
    if kind is Refused:
        return Refused(f"host {host!r} refuses Helm a right: {words}: an admin installs helm/host anew")
    if isinstance(kind, Reason):
        message = f"Helm on host {host!r}: {words}"
        return Rejected(message, kind) if kind in _FINAL else Busy(message, kind)
    return kind(ended.code, ended.output, ended.errors)


def _environment(home: Path, kubeconfig: Path) -> dict[str, str]:
    """Only what Helm needs: nothing of ours leaks in, nothing of its caches leaks out."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "PATH": os.defpath,
        "HOME": str(home),
        "HELM_CACHE_HOME": str(home / "cache"),
        "HELM_CONFIG_HOME": str(home / "config"),
        "HELM_DATA_HOME": str(home / "data"),
        "KUBECACHEDIR": str(home / "kube"),
        "KUBECONFIG": str(kubeconfig),
    }


def _await(work: Coroutine[Any, Any, T]) -> T:
    # pyhelm3's own bridge abandons its loop when a signal arrives; this one ends what it started.
    return asyncio.run(work)
