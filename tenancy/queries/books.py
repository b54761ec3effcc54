"""Whether the books of devices are right: looked at after every step in tests, and every minute in production."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tenancy.grant_enums import RequestState
from tenancy.models import Allocation, Grant, GrantRequest, PoolBalance
from tenancy.queries import calendar, weighing
from tenancy.rules import ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from tenancy.rules.ledger import Promise


def faults() -> list[str]:
    """What contradicts the ledger's rules, each with where to look; all is to be read in one snapshot."""
    counted = list(Grant.objects.filter(closed_at=None).select_related("tenant"))
    opened = list(Allocation.objects.filter(released_at=None).select_related("cluster", "tenant"))
    return [*_pools(counted, opened), *_tenants(counted, opened), *_clusters(opened), *_decisions()]


def _pools(counted: list[Grant], opened: list[Allocation]) -> Iterator[str]:
    """No more is promised, or given, than there is; and the kept sums are the true ones."""
    today = calendar.today()
    promises: dict[tuple[UUID, UUID], list[Promise]] = defaultdict(list)
    given: Counter[tuple[UUID, UUID]] = Counter()
    for grant in counted:
        promises[(grant.pool_id, grant.accelerator_id)].append(weighing.promise(grant, today))
    for row in opened:
        given[(row.pool_id, row.accelerator_id)] += row.held
    balances = PoolBalance.objects.select_related("pool__host", "accelerator")
    known = {(one.pool_id, one.accelerator_id): one for one in balances}
    for account in {*promises, *given}:
        balance = known.get(account)
        if balance is None:
            yield f"devices of a pool without a balance are promised: pool {account[0]}, class {account[1]}"
            continue
        most, where = (
            balance.capacity + balance.deficit,
            f"{balance.accelerator} in {balance.pool.host}/{balance.pool}",
        )
        committed = ledger.committed(promises[account], today)
        if committed > most:
            yield f"{where}: {committed} are promised, {balance.capacity} there (known deficit {balance.deficit})"
        if balance.held < committed:
            yield f"{where}: the kept sum is {balance.held}, {committed} are promised"
        if given[account] > most:
            yield f"{where}: clusters hold {given[account]}, {balance.capacity} are there"


def _tenants(counted: list[Grant], opened: list[Allocation]) -> Iterator[str]:
    """Clusters are to have no more than grants give now, and hold no more than counts."""
    gives: Counter[tuple[UUID, UUID, UUID]] = Counter()
    counts: Counter[tuple[UUID, UUID, UUID]] = Counter()
    for grant in counted:
        account = (grant.tenant_id, grant.pool_id, grant.accelerator_id)
        if grant.activated_at is not None:
            counts[account] += grant.amount
            gives[account] += grant.amount if grant.ended_at is None else 0
    wanted: Counter[tuple[UUID, UUID, UUID]] = Counter()
    held: Counter[tuple[UUID, UUID, UUID]] = Counter()
    names = {}
    for row in opened:
        account = (row.tenant_id, row.pool_id, row.accelerator_id)
        wanted[account] += row.target
        held[account] += row.held
        names[account] = row.tenant.name
    for account, name in names.items():
        if wanted[account] > gives[account]:
            yield f"tenant {name}: clusters are to have {wanted[account]}, grants give {gives[account]}"
        if held[account] > counts[account]:
            yield f"tenant {name}: clusters hold {held[account]}, of grants that count {counts[account]}"


def _clusters(opened: list[Allocation]) -> Iterator[str]:
    for row in opened:
        cluster = row.cluster
        if cluster is None:
            yield f"allocation {row.uid} of tenant {row.tenant} holds {row.held} for a cluster that is gone"
        elif (cluster.tenant_id, cluster.pool_id) != (row.tenant_id, row.pool_id):
            yield f"allocation {row.uid} is of another tenant or pool than its cluster {cluster.name}"


def _decisions() -> Iterator[str]:
    """Every grant came of a decision, and nobody decided what they asked for."""
    orphans = Grant.objects.filter(closed_at=None, requests__isnull=True)
    yield from (f"grant {grant.uid} came of no request" for grant in orphans)
    approved = GrantRequest.objects.filter(state=RequestState.APPROVED, grant__closed_at=None)
    for request in approved:
        if request.decided_by in {request.requested_by, *request.asked_by}:
            yield f"request {request.uid} was approved by {request.decided_by}, who had asked for it"
