"""A host cluster that is played: what is asked for becomes so a moment later, through the provisioner's actions."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import yaml
from django.utils import timezone

from tenancy.actions import access, work
from tenancy.enums import Phase, WorkKind
from tenancy.models import AccessRequest, VirtualCluster
from tenancy.queries.work import due
from tests import factories

if TYPE_CHECKING:
    from uuid import UUID

LOOK_EVERY: Final = 0.1
"""Seconds."""
TAKES: Final = timedelta(seconds=0.6)
"""From a wish to its being so: long enough that whoever does not wait is told 503."""


def play() -> None:
    """Begins to play, in a thread that ends with the process."""
    threading.Thread(target=_play, daemon=True).start()


def _play() -> None:
    since: dict[tuple[UUID, int], float] = {}
    while True:
        for item in due(100):
            if item.kind is WorkKind.ACCESS:
                _mint(item.object_id)
            elif item.kind is WorkKind.CLUSTER:
                _build(VirtualCluster.objects.get(uid=item.object_id), since)
        time.sleep(LOOK_EVERY)


def _build(cluster: VirtualCluster, since: dict[tuple[UUID, int], float]) -> None:
    """Not before a wish has waited its time; deleting is a wish of its own."""
    wish = (cluster.uid, -1 if cluster.deleting else cluster.generation)
    began = since.setdefault(wish, time.monotonic())
    if time.monotonic() - began < TAKES.total_seconds():
        return
    if cluster.deleting:
        factories.observe(cluster, gone=True)
    elif cluster.phase == Phase.AWAITING_APPROVAL:
        factories.observe(cluster)
    else:
        factories.ready(cluster, endpoint=f"https://10.180.0.7:443/{cluster.name}")


def _mint(uid: UUID) -> None:
    row = AccessRequest.objects.select_related("cluster").get(uid=uid)
    lease = work.claim(WorkKind.ACCESS, row.uid)
    if lease is None:
        return
    expires = timezone.now() + timedelta(seconds=row.lifetime)
    text = kubeconfig(row.cluster.name, row.cluster.endpoint, f"token-{row.uid}")
    assert access.hand_over(lease, row.uid, kubeconfig=text, expires_at=expires)
    work.finish(lease)


def kubeconfig(name: str, server: str, token: str) -> str:
    """Of the shape that the worker mints."""
    cluster = {"server": server, "certificate-authority-data": "Y2E="}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
    )
