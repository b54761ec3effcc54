"""How far an object is, whatever its kind; what has no case here is in force as soon as it is written."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from tenancy.enums import ConditionStatus, OperationState, Phase, ReportState
from tenancy.event_enums import DeliveryState, WebhookPhase
from tenancy.grant_enums import GrantPhase, RequestState
from tenancy.models import (
    ApiToken,
    Delivery,
    Grant,
    GrantRequest,
    HostCluster,
    IsolationReport,
    Node,
    NodePool,
    Operation,
    User,
    VirtualCluster,
    Webhook,
)
from tenancy.queries import calendar, clusters, grants, nodes, pools, webhooks
from tenancy.rules import requests
from tenancy.rules.readiness import IN_FORCE, LATER, Readiness, in_vain, not_yet, ready

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from django.db.models import Model

_NEVER_READY: Final = frozenset({Phase.PAUSED, Phase.FAILED, Phase.DELETING})
"""Every other phase of a cluster may still become Ready."""


@singledispatch
def of(row: Model) -> Readiness:  # noqa: ARG001 - for the kinds below
    """Of one object, as its own query reads it; asks the database for no more than that read already."""
    return IN_FORCE


def phases(kind: type[Any], uids: Iterable[UUID]) -> dict[UUID, str]:
    """The phase of each that still exists; for those who look often at many, in few small reads."""
    if kind is VirtualCluster:
        return clusters.phases(uids)
    beside = {NodePool: pools.with_moves, Node: nodes.with_moves}.get(kind, tuple)()
    rows = kind.objects.filter(uid__in=list(uids)).prefetch_related(*beside)
    return {row.uid: of(row).phase for row in rows}


@of.register(VirtualCluster)
def _cluster(row: VirtualCluster) -> Readiness:
    phase = Phase(row.phase)
    if phase is Phase.READY:
        return ready(phase.value)
    told = {condition.type: condition for condition in row.conditions.all()}
    seen = told.get("Stalled") if phase is Phase.FAILED else told.get("Available")
    reason = f": {seen.message or seen.reason}" if seen else ""
    judge = in_vain if phase in _NEVER_READY else not_yet
    return judge(phase.value, f"{row} is {phase}{reason}")


@of.register(HostCluster)
def _host(row: HostCluster) -> Readiness:
    if row.observed_generation < row.generation:
        return not_yet("Pending", f"host {row} was not looked at by its last registration yet")
    if row.reachable != ConditionStatus.TRUE:
        return not_yet("Unreachable", f"host {row} is not reachable: {row.message or row.reason}")
    return ready("Ready")


@of.register(NodePool)
def _pool(row: NodePool) -> Readiness:
    """Its rules are in force at once; its nodes take their time to be emptied and wiped."""
    moving = ", ".join(node.name for node in row.nodes.all() if node.running)  # type: ignore[attr-defined] # prefetched
    return (
        not_yet("Settling", f"pool {row} waits for {moving}, on the way into it")
        if moving
        else ready("Settled")
    )


@of.register(Node)
def _node(row: Node) -> Readiness:
    if row.running:  # type: ignore[attr-defined] # prefetched
        return not_yet("Moving", f"node {row} is on its way into another pool, or out of all")
    return ready("Settled") if row.present else not_yet("Absent", f"the host does not have node {row} now")


@of.register(GrantRequest)
def _request(row: GrantRequest) -> Readiness:
    state = RequestState(row.state)
    if state is RequestState.APPROVED:
        return ready(state.value)
    if state in requests.OPEN:
        party = "the tenant takes it or not" if state is RequestState.COUNTERED else "an admin decides"
        return not_yet(state.value, f"the request is {state}: {party}", LATER)
    return in_vain(state.value, f"the request is {state}: {row.decision or 'make a new one'}")


@of.register(Grant)
def _grant(row: Grant) -> Readiness:
    phase = grants.phase(row, calendar.shown())
    match phase:
        case GrantPhase.ACTIVE | GrantPhase.EXPIRING:
            return ready(phase.value)
        case GrantPhase.PENDING:
            why = f"the grant begins on {row.starts_on}, once its devices are free of the one before"
            return not_yet(phase.value, why, LATER)
        case GrantPhase.RECLAIMING | GrantPhase.RECLAIMED:
            return in_vain(phase.value, f"the grant is over ({row.cause}): ask for another")


@of.register(Webhook)
def _webhook(row: Webhook) -> Readiness:
    phase = webhooks.phase(row)
    match phase:
        case WebhookPhase.ACTIVE | WebhookPhase.OFF:  # off is what its spec says
            return ready(phase.value)
        case WebhookPhase.FAILING:
            return not_yet(phase.value, "its receiver takes nothing at the moment: it is tried again", LATER)
        case WebhookPhase.DISABLED:
            fix = "send a test that its receiver takes, or give another address"
            return in_vain(phase.value, f"Atoll disabled it ({row.disabled_reason}): {fix}")


@of.register(Delivery)
def _delivery(row: Delivery) -> Readiness:
    match DeliveryState(row.state):
        case DeliveryState.DELIVERED as state:
            return ready(state.value)
        case DeliveryState.PENDING as state:
            return not_yet(state.value, f"it was tried {row.tries} times, and is tried again")
        case DeliveryState.FAILED as state:
            return in_vain(state.value, "it was given up: have it sent again")


@of.register(ApiToken)
def _token(row: ApiToken) -> Readiness:
    over = row.expires_at is not None and row.expires_at <= timezone.now()
    return (
        in_vain("Expired", f"the token ended at {row.expires_at}: make another") if over else ready("Active")
    )


@of.register(User)
def _user(row: User) -> Readiness:
    if row.is_active:
        return ready("Active")
    return in_vain("Suspended", f"{row.username!r} is suspended, until an admin lets them in again")


@of.register(Operation)
def _operation(row: Operation) -> Readiness:
    match OperationState(row.state):
        case OperationState.SUCCEEDED as state:
            return ready(state.value)
        case OperationState.RUNNING as state:
            return not_yet(state.value, f"the operation on {row.target_name} is at work")
        case OperationState.FAILED | OperationState.SUPERSEDED as state:
            return in_vain(state.value, f"the operation {state}: {row.error_message or row.error_code}")


@of.register(IsolationReport)
def _report(row: IsolationReport) -> Readiness:
    match ReportState(row.state):
        case ReportState.READY as state:
            return ready(state.value)
        case ReportState.PENDING as state:
            return not_yet(state.value, "the report is being made")
        case ReportState.FAILED as state:
            return in_vain(state.value, f"there is no report: {row.error}")
