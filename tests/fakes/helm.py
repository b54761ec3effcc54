"""Helm in memory: records in Secrets, objects of the chart, and all the states a killed Helm leaves."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from provisioner.ports import ROLE_BINDINGS, SECRETS, SERVICES, STATEFUL_SETS, Busy
from provisioner.release.state import DIGEST_LABEL, SELECTOR, Status, record_name, revisions
from tenancy.enums import Reason
from tenancy.rules.names import RELEASE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from provisioner.ports import Guard, Object
    from provisioner.release.state import Revision
    from tests.fakes.kube import Store


class FakeHelm:
    """``ports.Helm`` over a host's store; ``point`` lies between what a kill may tear apart."""

    def __init__(self, store: Store, guard: Guard, point: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._guard = guard
        self._point = point
        self.fault: Exception | None = None
        self.documents: list[Object] = []
        """What a chart is rendered to."""

    def install(self, namespace: str, values: Mapping[str, Any], digest: str) -> None:
        self._begin()
        known = self._known(namespace)
        self._refuse_busy(known)
        number = known[-1].number + 1 if known else 1
        self._record(namespace, number, Status.PENDING_UPGRADE if known else Status.PENDING_INSTALL, digest)
        self._point()
        self._objects(namespace, values)
        self._point()
        self._supersede(namespace, known)
        self._record(namespace, number, Status.DEPLOYED, digest)
        self._point()

    def rollback(self, namespace: str, revision: int) -> None:
        self._begin()
        known = self._known(namespace)
        digest = next(r.digest for r in known if r.number == revision)
        number = known[-1].number + 1
        self._record(namespace, number, Status.PENDING_ROLLBACK, digest)
        self._point()
        self._supersede(namespace, known)
        self._record(namespace, number, Status.DEPLOYED, digest)
        self._point()

    def uninstall(self, namespace: str) -> None:
        self._begin()
        known = self._known(namespace)
        if known:
            last = known[-1]
            self._record(namespace, last.number, Status.UNINSTALLING, last.digest)
            self._point()
        self._store.drop(STATEFUL_SETS, RELEASE, namespace)
        self._store.drop(SERVICES, RELEASE, namespace)
        self._store.drop(ROLE_BINDINGS, f"vc-{RELEASE}", namespace)
        self._point()
        for revision in known:
            self._store.drop(SECRETS, record_name(revision.number), namespace)
        self._point()

    def render(
        self, chart: Path, values: Mapping[str, Any], version: str, offers: Sequence[str]
    ) -> list[Object]:
        return copy.deepcopy(self.documents)

    def _begin(self) -> None:
        self._guard.check()
        self._point()
        if self.fault is not None:
            raise self.fault

    def _known(self, namespace: str) -> tuple[Revision, ...]:
        owner, name = (pair.split("=") for pair in SELECTOR.split(","))
        found = [
            o
            for k, o in self._store.objects.items()
            if k[:2] == ("secrets", namespace)
            and {owner[0]: owner[1], name[0]: name[1]}.items() <= o["metadata"].get("labels", {}).items()
        ]
        return revisions(found)

    def _refuse_busy(self, known: tuple[Revision, ...]) -> None:
        pending = {Status.PENDING_INSTALL, Status.PENDING_UPGRADE, Status.PENDING_ROLLBACK}
        if known and known[-1].status in pending:
            msg = "another operation (install/upgrade/rollback) is in progress"
            raise Busy(msg, Reason.INSTALLING)

    def _record(self, namespace: str, number: int, status: Status, digest: str) -> None:
        labels = {
            "owner": "helm",
            "name": RELEASE,
            "version": str(number),
            "status": status.value,
            DIGEST_LABEL: digest,
        }
        metadata = {"name": record_name(number), "namespace": namespace, "labels": labels}
        self._store.put(SECRETS, {"metadata": metadata, "data": {"release": "…"}})

    def _supersede(self, namespace: str, known: tuple[Revision, ...]) -> None:
        for revision in known:
            if revision.status is Status.DEPLOYED:
                self._record(namespace, revision.number, Status.SUPERSEDED, revision.digest)

    def _objects(self, namespace: str, values: Mapping[str, Any]) -> None:
        where = {"name": RELEASE, "namespace": namespace}
        old = self._store.seen(SERVICES, RELEASE, namespace)
        if old is None:
            self._store.put(SERVICES, {"metadata": dict(where), "spec": {"clusterIP": "10.96.0.7"}})
        self._store.put(STATEFUL_SETS, {"metadata": dict(where), "spec": {"values": dict(values)}})
        self._store.put(ROLE_BINDINGS, _binding(namespace))


def _binding(namespace: str) -> Object:
    """The syncer's rights."""
    name = f"vc-{RELEASE}"
    return {
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "atoll-syncer"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
