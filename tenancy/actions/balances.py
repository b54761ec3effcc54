"""The ledger's sums, taken anew under the pool's lock: capacity from the inventory, promises from the grants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F, Value
from django.db.models.functions import Greatest, Least

from tenancy.models import NodePool, PoolBalance, Tenant
from tenancy.queries import accelerators, calendar, weighing
from tenancy.rules import accelerators as rules
from tenancy.rules import ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from uuid import UUID

    from tenancy.models import AcceleratorClass, HostCluster
    from tenancy.rules.ledger import Promise


def lock(pools: Iterable[UUID], tenant: UUID | None = None) -> list[NodePool]:
    """Pools first, then the tenant, each in the order of their keys; clusters come after, the audit log last.

    Whoever changes what is promised holds these; ``no_key`` lets rows that only refer to them be made meanwhile.
    Gives the pools as they are now.
    """
    wanted, found = set(pools), []
    if wanted:
        rows = NodePool.objects.select_for_update(of=("self",), no_key=True).select_related("host")
        found = list(rows.defer("host__facts").filter(pk__in=wanted).order_by("pk"))
    if tenant is not None:
        lock_tenants([tenant])
    return found


def lock_tenants(tenants: Iterable[UUID]) -> dict[UUID, Tenant]:
    """After the pools; gives the tenants as they are now."""
    rows = Tenant.objects.select_for_update(no_key=True).filter(pk__in=set(tenants))
    return {tenant.pk: tenant for tenant in rows.order_by("pk")}


def deciding_at_once(tenant: Tenant, among: Iterable[AcceleratorClass]) -> list[NodePool]:
    """The pools that approval by policy may take devices from: to be locked before the tenant that asks."""
    able = (accelerators.pools_with(one, tenant) for one in among if one.auto_approve_up_to)
    return list({pool.pk: pool for pools in able for pool in pools}.values())


def recount_host(host: HostCluster) -> None:
    """After a look at a host: what its pools have now."""
    known = list(accelerators.all_())
    for pool in host.pools.select_related("host").order_by("pk") if known else ():
        recount(pool, known)


def recount(pool: NodePool, known: Sequence[AcceleratorClass]) -> None:
    """Takes capacity, promises and deficit of a pool anew."""
    lock([pool.pk])
    nodes, today = accelerators.nodes_of(pool), calendar.today()
    for one in known:
        reserved = int(pool.reserved.get(one.key, 0))
        here = not pool.accelerators or one.key in pool.accelerators
        capacity = rules.capacity(accelerators.to_rule(one), nodes, reserved) if here else 0
        held = ledger.committed(weighing.promises(pool, one, today), today)
        row = PoolBalance.objects.filter(pool=pool, accelerator=one).first()
        values = {"capacity": capacity, "held": held, "deficit": max(0, held - capacity)}
        if row is None and (capacity or held):
            PoolBalance.objects.create(pool=pool, accelerator=one, **values)
        elif row is not None and {k: getattr(row, k) for k in values} != values:
            PoolBalance.objects.filter(pk=row.pk).update(**values)


def promised(pool: NodePool, accelerator: AcceleratorClass, promises: Sequence[Promise], today: date) -> None:
    """After a change of grants, under the pool's lock: the database refuses more than there is.

    ``promises`` are all that count now; a deficit never grows here, as only the inventory brings one.
    """
    held = ledger.committed(promises, today)
    short = Greatest(Value(held) - F("capacity"), Value(0))
    rows = PoolBalance.objects.filter(pool=pool, accelerator=accelerator)
    if not rows.update(held=held, deficit=Least(F("deficit"), short)):
        PoolBalance.objects.create(pool=pool, accelerator=accelerator, held=held)
