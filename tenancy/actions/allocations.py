"""Which clusters have which of a tenant's devices: taken anew from grants and specs, under the tenant's lock."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.utils import timezone

from tenancy.actions import audit, balances, conditions, events, work
from tenancy.actions.unit import atomic
from tenancy.enums import ConditionStatus, ConditionType, FindingKind, Reason, WorkKind
from tenancy.grant_enums import Rung
from tenancy.models import Allocation, Finding, Grant, VirtualCluster
from tenancy.queries import accelerators, calendar, clusters
from tenancy.queries.grants import covering, steps_of
from tenancy.rules.allocations import Share, Want, assign, came_back, shortfall, steps
from tenancy.rules.conditions import Condition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

    from tenancy.actions.work import Lease
    from tenancy.models import AcceleratorClass, NodePool, Tenant
    from tenancy.rules.allocations import Step
    from tenancy.rules.specs import DeviceShare

PROVISIONER = "provisioner"
HOLDING_BACK = (FindingKind.DEVICES_OVER, FindingKind.DEVICES_MISPLACED)
"""While one of these is open, a tenant's clusters get nothing more."""


@dataclass(frozen=True)
class Account:
    """One class in one pool of one tenant."""

    pool: UUID
    accelerator: UUID


@dataclass
class Books:
    """What was read of a tenant, and what its grants lack for its clusters."""

    tenant: Tenant
    clusters: dict[UUID, VirtualCluster]
    asked: dict[UUID, dict[UUID, int]]
    """Cluster → class → devices."""
    open: dict[tuple[UUID, UUID], Allocation]
    """Cluster and class → its allocation."""
    grants: list[Grant]
    classes: dict[UUID, AcceleratorClass]
    lacking: dict[Account, int] = field(default_factory=lambda: defaultdict(int))


def settle(tenant: Tenant) -> Books:
    """Gives clusters what grants cover, takes what they cover no more; the caller holds the tenant's lock.

    Nothing on a host has changed by this: raises count at once, lowerings when the host was seen to follow.
    """
    rows = _clusters(tenant)
    if not rows:
        return Books(tenant, {}, {}, {}, [], {})
    books = _read(tenant, rows)
    touched: set[UUID] = set()
    frozen = _frozen(tenant)
    for account in sorted(_accounts(books), key=str):
        wants = _wants(books, account)
        entitled, endings = covering(_grants(books, account))
        books.lacking[account] = shortfall(entitled, wants)
        shares = assign(entitled, wants, frozen=frozen)
        ways = steps(entitled, endings, wants, {share.cluster: share.target for share in shares})
        for share in shares:
            if _write(books, account, share, ways[share.cluster]):
                touched.add(share.cluster)
    told = [
        c.uid for c in books.clusters.values() if _tell(books, c, changed=c.uid in touched, frozen=frozen)
    ]
    if told:
        work.request_all(WorkKind.CLUSTER, told)
    return books


def settle_all(tenants: Iterable[Tenant]) -> None:
    """The same for those of these tenants that have clusters at all."""
    known = {tenant.pk: tenant for tenant in tenants}
    rows = VirtualCluster.objects.filter(tenant__in=list(known)).order_by("tenant")
    for uid in rows.values_list("tenant", flat=True).distinct():
        settle(known[uid])


def foresee(
    tenant: Tenant, pool: NodePool, cluster: VirtualCluster | None, wish: Mapping[UUID, int]
) -> dict[UUID, tuple[int, int]]:
    """Class → what a cluster with this wish would lack, and all clusters together; changes nothing."""
    books, found = _read(tenant, _clusters(tenant)), {}
    me = cluster.uid if cluster else uuid4()
    for accelerator, asked in wish.items():
        account = Account(pool.pk, accelerator)
        wants = [replace(w, asked=asked) if w.cluster == me else w for w in _wants(books, account)]
        if all(want.cluster != me for want in wants):
            wants.append(Want(me, asked))
        entitled, _ = covering(_grants(books, account))
        shares = assign(entitled, wants, frozen=_frozen(tenant))
        mine = next(share.lacking for share in shares if share.cluster == me)
        found[accelerator] = (mine, shortfall(entitled, wants))
    return found


@atomic
def stepped(
    lease: Lease, uid: UUID, share: DeviceShare, rung: Rung, evidence: Mapping[str, Any], left: int
) -> bool:
    """A step of the ladder was seen done on the host; the last one gives devices back. False: lease lost.

    ``share`` is what the host was brought to: where the ledger wants another amount by now,
    what was seen says nothing about that one and is dropped. ``left`` is the most that pods hold as of
    the last step: more than the share's amount while further grants that are over still cover it.
    """
    tenant = VirtualCluster.objects.filter(uid=uid).values_list("tenant_id", flat=True).first()
    balances.lock([], tenant)
    rows = VirtualCluster.objects.select_for_update(of=("self",), no_key=True).select_related("tenant")
    cluster = rows.filter(uid=uid).first()
    if not work.holds(lease):
        return False
    opened = Allocation.objects.filter(cluster=cluster, accelerator__key=share.key, released_at=None)
    row = opened.select_related("accelerator").first()
    if cluster is None or row is None or row.target != share.amount or rung.value in row.rungs:
        return True
    row.rungs = _climbed(row, rung, evidence)
    row.save(update_fields=["rungs"])
    _note(row, cluster, f"allocation.{rung.value}", to=max(left, row.target), **evidence)
    if rung is Rung.CONFIRM:
        _give_back(row, cluster, max(left, row.target))
        settle(cluster.tenant)
    return True


@atomic
def seen(lease: Lease, used: Mapping[UUID, Mapping[str, Mapping[str, int]]]) -> bool:
    """What pods held at a look at a host: cluster → class → node → devices. False: lease lost."""
    if not work.holds(lease):
        return False
    rows = Allocation.objects.filter(cluster__in=list(used), released_at=None).select_related("accelerator")
    for row in rows:
        now = dict(used[row.cluster_id].get(row.accelerator.key, {})) if row.cluster_id else {}
        if row.used != now:
            Allocation.objects.filter(pk=row.pk).update(used=now)
    return True


def needs_none(cluster: VirtualCluster) -> None:
    """A cluster without accelerators is approved as it is."""
    _approved(cluster, ConditionStatus.TRUE, Reason.AS_WANTED, "")


def release_all(cluster: VirtualCluster) -> bool:
    """The cluster's end was proved on the host: whether it had any; the caller holds the tenant's lock."""
    rows = list(Allocation.objects.filter(cluster=cluster, released_at=None).select_related("accelerator"))
    for row in rows:
        _note(row, cluster, "allocation.released", to=0, cause="the cluster is gone")
        row.target = 0
        row.rungs = _climbed(row, Rung.CONFIRM, {"namespace": cluster.namespace, "absent": True})
        _give_back(row, cluster, 0)
    return bool(rows)


def _clusters(tenant: Tenant) -> dict[UUID, VirtualCluster]:
    """Oldest first."""
    mine = VirtualCluster.objects.filter(tenant=tenant).order_by("created_at", "uid")
    return {cluster.uid: cluster for cluster in mine.prefetch_related("conditions")}


def _read(tenant: Tenant, rows: dict[UUID, VirtualCluster]) -> Books:
    known = {row.uid: row for row in accelerators.all_()}
    by_key = {row.key: uid for uid, row in known.items()}
    opened = Allocation.objects.filter(tenant=tenant, released_at=None, cluster__isnull=False)
    found: dict[tuple[UUID, UUID], Allocation] = {}
    for row in opened:
        if row.cluster_id is not None:
            found[(row.cluster_id, row.accelerator_id)] = row
    asked: dict[UUID, dict[UUID, int]] = {}
    for cluster in rows.values():
        wish = {} if cluster.deleting else clusters.spec(cluster).claims
        asked[cluster.uid] = {by_key[key]: n for key, n in wish.items() if key in by_key}
    counted = Grant.objects.filter(tenant=tenant, closed_at=None)
    return Books(tenant, rows, asked, found, list(counted), known)


def _frozen(tenant: Tenant) -> bool:
    kinds = [kind.value for kind in HOLDING_BACK]
    return Finding.objects.filter(tenant=tenant.name, kind__in=kinds, restored_at=None).exists()


def _accounts(books: Books) -> set[Account]:
    """All that somebody asks for or has, or that is granted."""
    wanted = {
        Account(pool, accelerator)
        for cluster, wish in books.asked.items()
        for accelerator in wish
        if (pool := books.clusters[cluster].pool_id) is not None
    }
    return wanted | {Account(row.pool_id, row.accelerator_id) for row in books.open.values()}


def _grants(books: Books, account: Account) -> Iterator[Grant]:
    mine = (account.pool, account.accelerator)
    return (grant for grant in books.grants if (grant.pool_id, grant.accelerator_id) == mine)


def _wants(books: Books, account: Account) -> list[Want[UUID]]:
    found = []
    for uid, cluster in books.clusters.items():
        row = books.open.get((uid, account.accelerator))
        asked = books.asked[uid].get(account.accelerator, 0) if cluster.pool_id == account.pool else 0
        if asked or (row is not None and row.pool_id == account.pool):
            found.append(Want(uid, asked, row.target if row else 0, row.held if row else 0))
    return found


def _write(books: Books, account: Account, share: Share[UUID], ways: tuple[Step, ...]) -> bool:
    """Whether anything changed."""
    row = books.open.get((share.cluster, account.accelerator))
    if row is None:
        if share.target:
            made = Allocation.objects.create(
                tenant=books.tenant,
                accelerator_id=account.accelerator,
                pool_id=account.pool,
                cluster_id=share.cluster,
                target=share.target,
                held=share.target,
            )
            books.open[(share.cluster, account.accelerator)] = made
        return bool(share.target)
    if (row.target, steps_of(row)) == (share.target, ways):
        return False
    row.target, row.held = share.target, max(row.held, share.target)
    row.steps = [{"deadline": one.deadline.isoformat(), "devices": one.devices} for one in ways]
    row.rungs = {}
    row.save(update_fields=["target", "held", "steps", "rungs"])
    return True


def _tell(books: Books, cluster: VirtualCluster, *, changed: bool, frozen: bool) -> bool:
    """Whether the cluster has all it asks for, as its condition and phase; whether that is news for its host."""
    lacks = {
        books.classes[one].key: (n, has.target if (has := books.open.get((cluster.uid, one))) else 0)
        for one, n in books.asked[cluster.uid].items()
    }
    short = {key: pair for key, pair in lacks.items() if pair[1] < pair[0]}
    status = ConditionStatus.FALSE if short else ConditionStatus.TRUE
    reason = Reason.AWAITING_APPROVAL if short else Reason.AS_WANTED
    message = "; ".join(f"{key}: {n} asked for, {given} granted" for key, (n, given) in short.items())
    if message:
        message += _ways_on(books, cluster, frozen=frozen)
    row = next((c for c in cluster.conditions.all() if c.type == ConditionType.APPROVED), None)
    current = (status.value, reason.value, message, cluster.generation)
    known = row and (row.status, row.reason, row.message, row.observed_generation)
    if not changed and known == current:
        return False
    fresh = VirtualCluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
    if known != current:
        _approved(cluster, status, reason, message)
    before, fresh.phase = fresh.phase, clusters.phase(fresh)
    VirtualCluster.objects.filter(pk=cluster.pk).update(phase=fresh.phase)
    events.phase_changed(fresh, before)
    return True


def _ways_on(books: Books, cluster: VirtualCluster, *, frozen: bool) -> str:
    if frozen:
        return ": nothing more is given while devices are held beyond the ledger (see findings)"
    owed = (Account(cluster.pool_id, one) for one in books.asked[cluster.uid]) if cluster.pool_id else ()
    if cluster.pool_id and not any(books.lacking.get(account) for account in owed):
        return ": it goes on by itself once the team's other clusters have given devices back"
    if cluster.unasked:
        return (
            ": the team has another request for it open. Once that is decided, one for this cluster is made"
            " by itself if it still lacks any; or ask for less"
        )
    return (
        ": it goes on by itself once that is granted. An admin decides the open request;"
        " where none is open any more, ask for devices again, or ask for less"
    )


def _approved(cluster: VirtualCluster, status: ConditionStatus, reason: Reason, message: str) -> None:
    seen = Condition(ConditionType.APPROVED, status, reason, message, cluster.generation)
    conditions.merge(cluster, seen, timezone.now())


def _climbed(row: Allocation, rung: Rung, evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {**row.rungs, rung.value: {"at": calendar.now().isoformat(), **evidence}}


def _give_back(row: Allocation, cluster: VirtualCluster, left: int) -> None:
    """Counts no more than the host was seen to allow; what was seen is kept for the grants whose devices came back."""
    same = {"tenant": row.tenant_id, "accelerator": row.accelerator_id, "pool": row.pool_id}
    before = sum(Allocation.objects.filter(**same, released_at=None).values_list("held", flat=True))
    entitled, endings = covering(Grant.objects.filter(**same, closed_at=None))
    back = came_back(entitled, endings, before, before - row.held + left)
    if back:
        row.returns = [*row.returns, {"cluster": cluster.name, "grants": back, "rungs": row.rungs}]
    row.held = left
    row.steps = [one for one in row.steps if one["devices"] < left]
    row.rungs = row.rungs if left == row.target else {}
    row.released_at = None if left else timezone.now()
    row.save(update_fields=["held", "target", "steps", "returns", "rungs", "released_at"])


def _note(row: Allocation, cluster: VirtualCluster, action: str, **facts: Any) -> None:  # noqa: ANN401 - facts are JSON
    audit.note(
        actor=PROVISIONER,
        action=action,
        tenant=cluster.tenant.name,
        target=f"cluster/{cluster.tenant.name}/{cluster.name}",
        accelerator=row.accelerator.key,
        held=row.held,
        **facts,
    )
