"""What claims are judged by: read from the host at that moment, each thing once a report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import yaml

from provisioner.ports import NODES, PODS, ROLE_BINDINGS
from provisioner.reconcile import host_rails
from provisioner.reconcile.labels import SYNCED
from provisioner.reconcile.pods import ended

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from provisioner.ports import Host, Kube, Object
    from provisioner.reconcile.attestation.probe import Heard
    from provisioner.reconcile.host_rails import Rails
    from provisioner.reconcile.memory import Memory
    from tenancy.rules.specs import DesiredCluster, EffectiveSpec


class Violated(Exception):
    """The claim was looked at and does not hold; says what was seen."""


class NotRun(Exception):
    """The claim could not be looked at; says why."""


@dataclass
class Look:
    """One report's view of one cluster; ``Transient`` and ``Permanent`` faults of the host pass through."""

    desired: DesiredCluster
    opened: Host
    heard: Heard
    """What the probe pod told."""
    charts: Path
    memory: Memory

    @property
    def host(self) -> Kube:
        """The host's API."""
        return self.opened.kube

    @property
    def namespace(self) -> str:
        """On the host."""
        return self.desired.namespace

    @property
    def effective(self) -> EffectiveSpec:
        """What is wanted; raises ``NotRun`` while the host's facts are not known."""
        if self.desired.effective is None:
            msg = "what is wanted is not known: the host's facts are missing"
            raise NotRun(msg)
        return self.desired.effective

    @cached_property
    def pods(self) -> list[Object]:
        """All in the namespace that run or may yet run."""
        found = self.host.find(PODS, self.namespace)
        return [p for p in found if not ended(p)]

    @property
    def tenant_pods(self) -> list[Object]:
        """Those that the syncer made."""
        return [p for p in self.pods if SYNCED in (p["metadata"].get("labels") or {})]

    @property
    def other_pods(self) -> list[Object]:
        """Those that it did not make: the control plane's only, if all is well."""
        return [p for p in self.pods if SYNCED not in (p["metadata"].get("labels") or {})]

    @cached_property
    def nodes(self) -> dict[str, Object]:
        """All of the host, by name."""
        return {n["metadata"]["name"]: n for n in self.host.find(NODES)}

    @cached_property
    def role_bindings(self) -> dict[str, Object]:
        """All in the namespace, by name."""
        return {b["metadata"]["name"]: b for b in self.host.find(ROLE_BINDINGS, self.namespace)}

    @property
    def host_chart(self) -> Path:
        """``helm/host``."""
        return self.charts / "host"

    @cached_property
    def rails(self) -> Rails:
        """What ``helm/host`` makes of this host: policies, roles and bindings, as they have to be."""
        identity, version = self.host.whoami(), self.host.version()
        return host_rails.render(self.opened, self.host_chart, identity, version, self.memory)

    def chart(self, *path: str) -> Any:  # noqa: ANN401 - YAML
        """A YAML file of our charts: what is wanted is written there once."""
        return yaml.safe_load(self.charts.joinpath(*path).read_text())


def violated_if(faults: list[str]) -> None:
    """Raises ``Violated`` with all faults when there are any."""
    if faults:
        raise Violated("; ".join(faults))
