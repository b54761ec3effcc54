"""A host cluster that is played: what is asked for becomes so a moment later, through the provisioner's actions."""

from __future__ import annotations

import os
import threading
import time
import traceback
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import yaml
from django.db import DatabaseError
from django.utils import timezone

from tenancy.actions import access, observations, work
from tenancy.enums import ConditionStatus, ConditionType, Phase, Reason, WorkKind
from tenancy.models import AccessRequest, VirtualCluster
from tenancy.queries import clusters
from tenancy.queries.work import due
from tenancy.rules.conditions import BUILD_ORDER, Condition
from tenancy.rules.specs import Observation

if TYPE_CHECKING:
    from uuid import UUID

    from tenancy.actions.work import Lease

LOOK_EVERY: Final = 0.1
TAKES: Final = 0.6
"""Seconds from a wish to its being so: long enough that whoever does not wait is told 503."""
_PLAYED: Final = frozenset({WorkKind.ACCESS, WorkKind.CLUSTER})


def play() -> None:
    """Begins to play, in a thread that ends with the process."""
    threading.Thread(target=_play, daemon=True).start()


def _play() -> None:
    since: dict[tuple[UUID, int], float] = {}
    while True:
        try:
            _look(since)
        except DatabaseError:  # SQLite is busy: as a worker would, it comes again
            traceback.print_exc()
        except BaseException:  # noqa: BLE001 - whatever it is
            traceback.print_exc()
            os._exit(1)  # a test must not wait for a host that plays no more
        time.sleep(LOOK_EVERY)


def _look(since: dict[tuple[UUID, int], float]) -> None:
    """One pass over all that is due; who asks again in the same moment is looked at in the next."""
    for item in due(100):
        lease = work.claim(item.kind, item.object_id) if item.kind in _PLAYED else None
        if lease is None:
            continue
        if item.kind is WorkKind.ACCESS:
            _mint(lease)
            work.finish(lease)
            continue
        seen = _build(VirtualCluster.objects.get(uid=item.object_id), since)
        if seen is not None:
            assert observations.record(lease, item.object_id, seen)
        if seen is not None and seen.clean:
            work.finish(lease)
        else:
            work.wait(lease, LOOK_EVERY)


def _build(cluster: VirtualCluster, since: dict[tuple[UUID, int], float]) -> Observation | None:
    """What is there once a wish has waited its time, deleting being a wish of its own; None before."""
    wish = (cluster.uid, -1 if cluster.deleting else cluster.generation)
    began = since.setdefault(wish, time.monotonic())
    if time.monotonic() - began < TAKES:
        return None
    if cluster.deleting:
        return Observation(conditions=(), gone=True)
    if cluster.phase == Phase.AWAITING_APPROVAL:
        return None
    generation = cluster.generation
    made = tuple(
        Condition(kind, ConditionStatus.TRUE, Reason.AS_WANTED, "", generation)
        for kind in (*BUILD_ORDER, ConditionType.ADD_ONS_READY)
    )
    wanted = clusters.add_on_states_of(cluster)
    runs = tuple(replace(one, status=ConditionStatus.TRUE, reason=Reason.AS_WANTED) for one in wanted)
    endpoint = f"https://10.180.0.7:443/{cluster.name}"
    return Observation(conditions=made, clean=True, generation=generation, endpoint=endpoint, add_ons=runs)


def _mint(lease: Lease) -> None:
    row = AccessRequest.objects.select_related("cluster").get(uid=lease.object_id)
    expires = timezone.now() + timedelta(seconds=row.lifetime)
    text = kubeconfig(row.cluster.name, row.cluster.endpoint, f"token-{row.uid}")
    assert access.hand_over(lease, row.uid, kubeconfig=text, expires_at=expires)


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
