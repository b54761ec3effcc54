"""The same assertions against the fakes and against the lab: a fake that lies fails here."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import pytest

from lab import api
from provisioner.adapters.hosts import RealHosts
from provisioner.ports import NAMESPACES, SECRETS, Helm, Kube
from provisioner.release.state import DIGEST_LABEL, SELECTOR, Revision, record_name, revisions
from tenancy.enums import Exposure
from tenancy.rules.specs import HostAccess
from tests.fakes.world import FakeGuard, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="package")
def lab_host(lab_home) -> tuple[Path, Path]:
    """Kubeconfig and Helm of a lab."""
    found = api.describe(lab_home)
    return found.kubeconfig, found.bin_dir / "helm"


class Side(Protocol):
    """A host as a contract test sees it."""

    kube: Kube
    helm: Helm
    namespace: str
    guard: FakeGuard

    def leave(self, number: int, status: str) -> None:
        """Leaves Helm's record of a revision as a killed Helm would."""


@dataclass
class FakeSide:
    """Everything in memory."""

    world: World
    guard: FakeGuard
    namespace: str

    def __post_init__(self) -> None:
        host = self.world.hosts().open(access("file:/nowhere"), self.guard)
        self.kube, self.helm = host.kube, host.helm

    def leave(self, number: int, status: str) -> None:
        old = self.world.host.seen(SECRETS, record_name(1), self.namespace)
        labels = {**old["metadata"]["labels"], "version": str(number), "status": status} if old else {}
        metadata = {"name": record_name(number), "namespace": self.namespace, "labels": labels}
        self.world.host.put(SECRETS, {"metadata": metadata})


@dataclass
class LabSide:
    """A real API server and a real Helm."""

    guard: FakeGuard
    namespace: str
    kube: Kube
    helm: Helm

    def leave(self, number: int, status: str) -> None:
        old = self.kube.get(SECRETS, record_name(1), self.namespace)
        assert old is not None
        record = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(old["data"]["release"]))))
        record["info"]["status"], record["version"] = status, number
        packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(record).encode()))).decode()
        labels = {**old["metadata"]["labels"], "status": status, "version": str(number)}
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "helm.sh/release.v1",
            "metadata": {"name": record_name(number), "namespace": self.namespace, "labels": labels},
            "data": {"release": packed},
        }
        self.kube.apply(SECRETS, body)


@pytest.fixture(params=["fake", pytest.param("lab", marks=pytest.mark.lab)])
def side(request, tmp_path) -> Iterator[Any]:
    """A host with a namespace of this test's own."""
    guard, namespace = FakeGuard(), f"atoll-contract-{secrets.token_hex(4)}"
    if request.param == "fake":
        made: Any = FakeSide(World(), guard, namespace)
    else:
        kubeconfig, helm = request.getfixturevalue("lab_host")
        hosts = RealHosts(helm=str(helm), home=tmp_path, chart=small_chart(tmp_path))
        host = hosts.open(access(f"file:{kubeconfig}"), guard)
        made = LabSide(guard, namespace, host.kube, host.helm)
    made.kube.apply(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    yield made
    guard.held = True
    made.kube.delete(NAMESPACES, namespace)


def access(kubeconfig: str) -> HostAccess:
    return HostAccess(
        uid=uuid4(),
        name="contract",
        kubeconfig=kubeconfig,
        exposure=Exposure.CLUSTER_IP,
        client_cidrs=(),
        image_prefix="",
        control_plane_selector={},
        workload_selector={},
        progress_file="",
        facts=None,
    )


def small_chart(folder: Path) -> Path:
    """As much of a chart as Helm's ways can be seen by; its Service has the release's name, as ours."""
    chart = folder / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 0.1.0\n")
    (chart / "templates" / "service.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: cluster, annotations: {n: {{ .Values.n | quote }}}}\n"
        "spec: {ports: [{port: 443}]}\n"
    )
    return chart


def known(side: Side) -> list[tuple[int, str, str]]:
    """Helm's records as a pass reads them."""
    found: tuple[Revision, ...] = revisions(
        side.kube.find(SECRETS, side.namespace, labels=SELECTOR, brief=True)
    )
    return [(r.number, r.status.value, r.digest) for r in found]


def eventually(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


__all__ = ["DIGEST_LABEL", "Side", "eventually", "known"]
