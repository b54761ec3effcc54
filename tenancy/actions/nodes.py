"""Nodes: moved between pools by admins, seen and wiped by the provisioner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from tenancy import policy
from tenancy.actions import audit, progress, work
from tenancy.actions.unit import atomic
from tenancy.enums import OperationState, Permission, WorkKind
from tenancy.errors import Conflict, FieldError, Invalid
from tenancy.models import HostCluster, Node, NodeMove, NodePool
from tenancy.queries import hosts, nodes, pools
from tenancy.rules import nodes as node_rules
from tenancy.rules import pools as pool_rules

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from tenancy.actions.work import Lease
    from tenancy.models import Tenant
    from tenancy.policy import Actor
    from tenancy.rules.moves import NodeObservation
    from tenancy.rules.nodes import NodeFacts

PROVISIONER = "provisioner"


@atomic
def move(
    *, by: Actor, host_name: str, name: str, pool_name: str | None, discard_volumes: bool = False
) -> Node:
    """Asks for a node to be in a pool, or in none; what others left on it is wiped on the way."""
    policy.check(by, Permission.HOST_MANAGE)
    host = hosts.get(by, host_name)
    found = nodes.get(by, host, name)
    node = (
        Node.objects.select_for_update(of=("self",)).select_related("host", "pool__tenant").get(pk=found.pk)
    )
    pool = _target(host, pool_name)
    _refuse_misfit(node, pool)
    running = nodes.running_move(node)
    if node.pool != pool or (running is not None and running.discard_volumes != discard_volumes):
        cause = f"asked for by {by.name}"
        before = node.pool.tenant if node.pool else None
        open_move(node, pool, by=by.name, cause=cause, tenant_before=before, discard_volumes=discard_volumes)
    return nodes.get(by, host, name)


def open_move(
    node: Node,
    pool: NodePool | None,
    *,
    by: str,
    cause: str,
    tenant_before: Tenant | None = None,
    discard_volumes: bool = False,
) -> NodeMove:
    """Starts a move, in the transaction that wants it; the one that ran is superseded."""
    source = node.pool.name if node.pool else ""
    before = tenant_before.name if tenant_before else ""
    running = nodes.running_move(node)
    if running is not None:
        if not running.handed_over:  # it has not come to where that one was to bring it
            source, before = running.source, running.tenant_before
        _close(running, OperationState.SUPERSEDED)
    node.pool = pool
    node.save(update_fields=["pool"])
    made = NodeMove.objects.create(
        node=node,
        source=source,
        target=pool.name if pool else "",
        tenant_before=before,
        tenant_after=pool.tenant.name if pool and pool.tenant else "",
        cause=cause,
        discard_volumes=discard_volumes,
        created_by=by,
    )
    _note(by, "node.move", node, from_pool=source, to_pool=made.target, cause=cause, discard=discard_volumes)
    work.request(WorkKind.NODE, node.uid)
    return made


@atomic
def record(lease: Lease, uid: UUID, seen: NodeObservation) -> bool:
    """What one pass saw of a move; False when the lease is lost or the move is no longer wanted."""
    node = _held(lease, uid)
    move = nodes.running_move(node) if node else None
    if node is None or move is None or move.uid != seen.move:
        return False
    move.steps = progress.merged(move.steps, seen.steps)
    move.evidence = seen.evidence
    move.save(update_fields=["steps", "evidence"])
    if seen.done:
        _close(move, OperationState.SUCCEEDED)
        _note(PROVISIONER, "node.moved", node, from_pool=move.source, to_pool=move.target, uid=str(move.uid))
    return True


@atomic
def hand_over(lease: Lease, uid: UUID, move_uid: UUID) -> bool:
    """The node is the next holder's from here on; False when that is no longer wanted.

    Before its marks are set on the host: whatever comes after counts as the next holder's.
    """
    node = _held(lease, uid)
    move = nodes.running_move(node) if node else None
    if node is None or move is None or move.uid != move_uid:
        return False
    node.holder = pool_rules.holder(pools.to_pool(node.pool) if node.pool else None)
    node.save(update_fields=["holder"])
    move.handed_over = True
    move.save(update_fields=["handed_over"])
    _note(PROVISIONER, "node.hand-over", node, to_pool=move.target, tenant_after=move.tenant_after)
    return True


def merge(host: HostCluster, seen: tuple[NodeFacts, ...]) -> None:
    """What the host's nodes are now: one row for each, kept for those that vanish with something to remember."""
    now = timezone.now()
    known = {node.name: node for node in host.nodes.select_related("pool__tenant").all()}
    for facts in seen:
        _merge_one(host, known.get(facts.name), facts, now)
    gone = host.nodes.exclude(name__in=[facts.name for facts in seen])
    gone.filter(pool=None).exclude(moves__state=OperationState.RUNNING).delete()
    gone.update(present=False)


def _merge_one(host: HostCluster, node: Node | None, facts: NodeFacts, now: datetime) -> None:
    if node is None:
        Node.objects.create(host=host, name=facts.name, facts=node_rules.to_json(facts), seen_at=now)
        return
    anew = node.facts["uid"] != facts.uid
    Node.objects.filter(pk=node.pk).update(facts=node_rules.to_json(facts), seen_at=now, present=True)
    if anew:
        # Nobody knows what is on it, or who was there before it wore its marks again.
        Node.objects.filter(pk=node.pk).update(holder=pool_rules.SEVERAL)
        node.refresh_from_db()
        if node.pool is not None:
            cause = "the host's node was made anew under the same name"
            open_move(node, node.pool, by=PROVISIONER, cause=cause, tenant_before=node.pool.tenant)
    elif node.pool is not None and _drifted(node, facts):
        work.request(WorkKind.NODE, node.uid)


def _drifted(node: Node, facts: NodeFacts) -> bool:
    """Whether a settled node does not wear what its pool gives it."""
    wanted = pool_rules.marks(pools.to_pool(node.pool)) if node.pool else pool_rules.Marks({}, ())
    return nodes.running_move(node) is None and not pool_rules.wears(facts.labels, facts.taints, wanted)


def _target(host: HostCluster, name: str | None) -> NodePool | None:
    if name is None:
        return None
    pool = NodePool.objects.select_for_update().filter(host=host, name=name).first()
    if pool is None:
        fault = FieldError(
            "spec.pool", "unknown-pool", f"host {host.name!r} has no node pool {name!r}: make it first"
        )
        raise Invalid(fault.detail, errors=(fault,))
    return pool


def _refuse_misfit(node: Node, pool: NodePool | None) -> None:
    if pool is not None and not node.present:
        msg = f"host {node.host.name!r} has no node {node.name!r} now: bring it back first"
        raise Conflict(msg)
    facts = node_rules.from_json(node.facts)
    selector = node.host.control_plane_selector
    reasons = tuple(pool_rules.entry_refusals(pools.to_pool(pool), facts, selector)) if pool else ()
    if reasons:
        raise Invalid(
            "; ".join(reasons), errors=tuple(FieldError("spec.pool", "misfit", reason) for reason in reasons)
        )


def _held(lease: Lease, uid: UUID) -> Node | None:
    """The row under lock, if the lease is still ours."""
    rows = Node.objects.select_for_update(of=("self",)).select_related("host", "pool__tenant")
    node = rows.filter(uid=uid).first()
    return node if work.holds(lease) else None


def _close(move: NodeMove, state: OperationState) -> None:
    NodeMove.objects.filter(pk=move.pk).update(state=state, finished_at=timezone.now())


def _note(by: str, action: str, node: Node, **facts: Any) -> None:  # noqa: ANN401 - facts are JSON
    audit.note(actor=by, action=action, target=f"host/{node.host.name}/node/{node.name}", **facts)
