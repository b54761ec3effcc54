"""Reads of host clusters' nodes and of their moves between pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Prefetch

from tenancy import policy
from tenancy.enums import OperationState, Permission
from tenancy.errors import NotFound
from tenancy.models import Node, NodeMove, Tenant
from tenancy.queries import hosts
from tenancy.queries.pools import to_pool
from tenancy.rules import nodes, pools
from tenancy.rules.moves import DesiredMove, DesiredNode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.models import HostCluster
    from tenancy.policy import Actor
    from tenancy.rules.nodes import NodeFacts


def seen(host_uid: UUID) -> tuple[NodeFacts, ...]:
    """What is known of the nodes that a host has, by name."""
    rows = Node.objects.filter(host_id=host_uid, present=True)
    return tuple(nodes.from_json(facts) for facts in rows.values_list("facts", flat=True))


def visible_to(actor: Actor, host: HostCluster) -> QuerySet[Node]:
    """The nodes of a host with their running moves, by name: platform roles only."""
    policy.check(actor, Permission.HOST_VIEW)
    rows = Node.objects.filter(host=host).select_related("host", "pool__tenant")
    return rows.prefetch_related(*with_moves())


def with_moves() -> tuple[Prefetch[Any]]:
    """For ``prefetch_related``: the moves that are ``running``."""
    running = NodeMove.objects.filter(state=OperationState.RUNNING)
    return (Prefetch("moves", running, to_attr="running"),)


def get(actor: Actor, host: HostCluster, name: str) -> Node:
    """One node of a host."""
    found = visible_to(actor, host).filter(name=name).first()
    if found is None:
        msg = f"host {host.name!r} has no node {name!r}"
        raise NotFound(msg)
    return found


def moves(actor: Actor, node: Node) -> QuerySet[NodeMove]:
    """The moves of a node, newest first."""
    policy.check(actor, Permission.HOST_VIEW)
    return NodeMove.objects.filter(node=node)


def running_move(node: Node) -> NodeMove | None:
    """The move at work on it, if any."""
    return NodeMove.objects.filter(node=node, state=OperationState.RUNNING).first()


def holders(rows: Iterable[Node]) -> dict[str, str]:
    """Holder → whose remains may be on a node, for people."""
    uids = {row.holder for row in rows} - {"", pools.SEVERAL}
    names = {str(t.uid): t.name for t in Tenant.objects.filter(uid__in=uids)}
    return {"": "", pools.SEVERAL: "several", **{uid: names.get(uid, "a deleted tenant") for uid in uids}}


def desired(uid: UUID) -> DesiredNode | None:
    """Everything a pass over a node needs; ``None`` when the row is gone."""
    row = Node.objects.select_related("host", "pool__tenant").filter(uid=uid).first()
    if row is None:
        return None
    pool, move = to_pool(row.pool) if row.pool else None, running_move(row)
    return DesiredNode(
        uid=row.uid,
        name=row.name,
        host=hosts.to_access(row.host),
        pool=pool,
        holder=row.holder,
        move=_to_desired(row, move) if move else None,
        namespaces=tuple(row.host.clusters.order_by("namespace").values_list("namespace", flat=True)),
    )


def _to_desired(node: Node, move: NodeMove) -> DesiredMove:
    after = pools.holder(to_pool(node.pool) if node.pool else None)
    return DesiredMove(
        uid=move.uid,
        wipe=pools.wipe_needed(node.holder, after),
        clear=bool(move.source) or pools.wipe_needed(node.holder, after),
        discard_volumes=move.discard_volumes,
        handed_over=move.handed_over,
        evidence=dict(move.evidence),
    )
