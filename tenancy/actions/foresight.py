"""What a cluster's wish for devices would come to: the ledger's own functions, and no effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tenancy import policy
from tenancy.actions import allocations
from tenancy.actions.cluster_requests import helps
from tenancy.enums import Permission
from tenancy.grant_enums import Approval
from tenancy.queries import accelerators, calendar, grants, weighing
from tenancy.rules import requests as rules
from tenancy.rules.requests import Terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tenancy.models import AcceleratorClass, NodePool, Tenant, VirtualCluster
    from tenancy.policy import Actor
    from tenancy.rules.specs import ClusterSpec

_WHO: Final = {
    Approval.POLICY: "they are granted at once by the policy of the class",
    Approval.ADMIN: "an admin is asked, and the cluster waits as AwaitingApproval until then",
    Approval.TWO_ADMINS: "two admins are asked, and the cluster waits as AwaitingApproval until then",
}


@dataclass(frozen=True)
class DevicePlan:
    """What would come of asking for devices of one class."""

    key: str
    count: int
    lacking: int
    """How many the grants lack for this and the tenant's other clusters."""
    approval: Approval
    fits: bool
    """Whether the pool and the tenant's limit allow as many as would be asked for, from today on."""
    message: str


def foresee(
    spec: ClusterSpec, pool: NodePool | None, tenant: Tenant, cluster: VirtualCluster | None
) -> tuple[DevicePlan, ...]:
    """One plan for each class of the spec; the caller holds the tenant's lock."""
    if pool is None or not spec.accelerators:
        return ()
    if spec.releases:
        return tuple(_given_back(key, count) for key, count in spec.accelerators.items())
    return tuple(_plans(spec, pool, tenant, cluster))


def check_asking(by: Actor, tenant: Tenant, pool: NodePool | None, plans: Iterable[DevicePlan]) -> None:
    """Raises as the write would where more would be asked for than is: that needs a right of its own."""
    open_ = grants.open_requests([tenant.pk])
    asked = {row.accelerator.key: row.lacked for row in open_ if pool and helps(row, pool.pk)}
    if any(plan.lacking > asked.get(plan.key, 0) for plan in plans):
        policy.check(by, Permission.GPU_REQUEST, tenant)


def _plans(
    spec: ClusterSpec, pool: NodePool, tenant: Tenant, cluster: VirtualCluster | None
) -> Iterator[DevicePlan]:
    rows = {row.key: row for row in accelerators.all_().filter(key__in=spec.accelerators)}
    lacks = allocations.foresee(
        tenant, pool, cluster, {rows[key].pk: n for key, n in spec.accelerators.items()}
    )
    for key, count in spec.accelerators.items():
        mine, together = lacks[rows[key].pk]
        yield _plan(rows[key], count, together if mine else 0, pool, tenant, late=mine > 0)


def _given_back(key: str, count: int) -> DevicePlan:
    message = f"{count} {key}: given back while it sleeps; it asks for them again when it wakes"
    return DevicePlan(key, count, 0, Approval.NONE, fits=True, message=message)


def _plan(
    row: AcceleratorClass, count: int, lacking: int, pool: NodePool, tenant: Tenant, *, late: bool
) -> DevicePlan:
    today = calendar.today()
    terms = Terms(max(1, lacking), today, today + timedelta(days=row.default_days))
    weighed = weighing.weigh(tenant, row, terms, [pool], today)
    room, verdict = weighed.places[0].room, weighed.places[0].verdict
    approval = rules.approval(lacking, row.two_approvers_from, at_once=weighed.modest)
    if approval is Approval.NONE:
        once = ", once another cluster of the team has given them back" if late else ""
        message = f"{count} {row.key}: within your grant{once}"
        return DevicePlan(row.key, count, 0, approval, fits=True, message=message)
    free = room.free(terms.starts_on, terms.ends_on)
    rest = f"{free} are free" if verdict.granted else verdict.reason
    message = f"{count} {row.key}: {lacking} more than is granted, so {_WHO[approval]}; {rest}"
    return DevicePlan(row.key, count, lacking, approval, fits=verdict.granted, message=message)
