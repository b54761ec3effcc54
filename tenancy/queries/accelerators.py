"""Reads of the catalogue of accelerator classes, and of what hosts have of each."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from tenancy import policy
from tenancy.enums import Permission, PoolKind
from tenancy.errors import NotFound
from tenancy.grant_enums import AcceleratorKind
from tenancy.models import (
    AcceleratorClass,
    AcceleratorLimit,
    Allocation,
    Node,
    NodePool,
    PoolBalance,
    TemplateVersion,
)
from tenancy.rules import accelerators, nodes
from tenancy.rules import pools as pool_rules
from tenancy.rules.specs import facts_from_json
from tenancy.rules.templates import flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.models import HostCluster, Tenant
    from tenancy.policy import Actor
    from tenancy.rules.accelerators import Accelerator, Discovered
    from tenancy.rules.ledger import NodeRoom
    from tenancy.rules.nodes import NodeFacts

_FIELD = "accelerators"


@dataclass(frozen=True)
class Stock:
    """What one pool has of one class."""

    accelerator: AcceleratorClass
    pool: NodePool
    capacity: int
    """Healthy, uncordoned and not reserved, as last seen."""
    reserved: int
    promised: int
    """The most that grants promise on any day from today on."""
    deficit: int
    nodes: tuple[NodeRoom, ...]


def all_() -> QuerySet[AcceleratorClass]:
    """The whole catalogue, by key: whoever is signed in may read it."""
    return AcceleratorClass.objects.order_by("key")


def named_by(key: str) -> Iterator[str]:
    """Pools, and versions of templates, whose specs name a class."""
    for pool in NodePool.objects.select_related("host").order_by("host__name", "name"):
        if key in pool.accelerators or key in pool.reserved:
            yield f"pool {pool.host.name}/{pool.name}"
    for version in TemplateVersion.objects.filter(spec_text__contains=_FIELD).select_related("template"):
        asked = flat(json.loads(version.spec_text)["cluster"]).get(_FIELD)
        if any(one.get("class") == key for one in asked or ()):
            yield f"template {version}"


def get(key: str) -> AcceleratorClass:
    """One class."""
    found = AcceleratorClass.objects.filter(key=key).first()
    if found is None:
        raise NotFound(missing(key))
    return found


def missing(key: str) -> str:
    """What is said of a class that is not there: which ones are."""
    names = ", ".join(all_().values_list("key", flat=True)) or "none"
    return f"there is no accelerator class {key!r}: known are {names}"


def to_rule(row: AcceleratorClass) -> Accelerator:
    """The row as rules know it."""
    return accelerators.Accelerator(
        key=row.key,
        resource=row.resource,
        kind=AcceleratorKind(row.kind),
        labels=dict(row.labels),
        offered=row.offered,
    )


def catalogue() -> dict[str, Accelerator]:
    """Key → class."""
    return {row.key: to_rule(row) for row in all_()}


def limits_of(tenants: Iterable[Tenant], classes: Iterable[AcceleratorClass]) -> dict[tuple[UUID, UUID], int]:
    """Tenant and class → the most that may be granted; those without a limit are not in it."""
    rows = AcceleratorLimit.objects.filter(tenant__in=tenants, accelerator__in=classes)
    found = rows.values_list("tenant_id", "accelerator_id", "amount")
    return {(tenant, accelerator): amount for tenant, accelerator, amount in found}


def limits(actor: Actor, tenant: Tenant) -> QuerySet[AcceleratorLimit]:
    """A tenant's limits by class, for its members."""
    policy.check(actor, Permission.TENANT_VIEW, tenant)
    rows = AcceleratorLimit.objects.filter(tenant=tenant)
    return rows.select_related("tenant", "accelerator").order_by("accelerator__key")


def no_limit(tenant: str, key: str) -> str:
    """What is said where there is no limit."""
    return f"tenant {tenant!r} has no limit for {key!r}: it may be granted what is free"


def stock(actor: Actor, host: HostCluster) -> tuple[Stock, ...]:
    """What each pool of a host has of each class, for admins and auditors."""
    policy.check(actor, Permission.HOST_VIEW)
    pools = list(NodePool.objects.filter(host=host).prefetch_related("nodes").order_by("name"))
    balances = {(row.pool_id, row.accelerator_id): row for row in PoolBalance.objects.filter(pool__host=host)}
    found = []
    for one in all_():
        rule, able = to_rule(one), [pool for pool in pools if has(pool, one)]
        used = used_on_nodes(one, able)
        for pool in able:
            row = balances.get((pool.pk, one.pk))
            found.append(
                Stock(
                    accelerator=one,
                    pool=pool,
                    capacity=row.capacity if row else 0,
                    reserved=int(pool.reserved.get(one.key, 0)),
                    promised=row.held if row else 0,
                    deficit=row.deficit if row else 0,
                    nodes=accelerators.rooms(rule, nodes_of(pool), used[str(pool.uid)]),
                )
            )
    return tuple(found)


def pools_with(accelerator: AcceleratorClass, *tenants: Tenant) -> list[NodePool]:
    """Pools in which the class can be granted to tenants: shared ones and theirs; to anybody without any."""
    rows = NodePool.objects.select_related("host", "tenant").prefetch_related("nodes")
    if tenants:
        rows = rows.filter(Q(kind=PoolKind.SHARED) | Q(tenant__in=tenants))
    return [row for row in rows.order_by("host__name", "name") if has(row, accelerator)]


def named(able: Iterable[NodePool], place: tuple[str, str]) -> NodePool | None:
    """The pool of this host and name among those; ``None`` when it is not."""
    return next((pool for pool in able if (pool.host.name, pool.name) == place), None)


def listed(able: Iterable[NodePool]) -> str:
    """Pools for people to choose among, as ``host/name``."""
    return ", ".join(f"{pool.host.name}/{pool.name}" for pool in able)


def usable(pool: NodePool, tenant: Tenant) -> bool:
    """Whether a tenant's clusters may run in a pool: it is shared, or the tenant's own."""
    return pool.kind == PoolKind.SHARED or pool.tenant_id == tenant.pk


def has(pool: NodePool, accelerator: AcceleratorClass) -> bool:
    """Whether a pool has, or is named to have, devices of a class."""
    if pool.accelerators:
        return accelerator.key in pool.accelerators
    rule = to_rule(accelerator)
    return any(accelerators.on_node(rule, node) for node in nodes_of(pool))


def nodes_of(pool: NodePool) -> list[NodeFacts]:
    """The nodes that are in a pool: those on their way into it count once they wear its marks."""
    present = (nodes.from_json(node.facts) for node in pool.nodes.all() if node.present)
    return [node for node in present if node.labels.get(pool_rules.POOL) == pool.name]


def used_on_nodes(accelerator: AcceleratorClass, pools: Iterable[NodePool]) -> dict[str, Counter[str]]:
    """Pool uid → node → devices that pods held when the host was last looked at."""
    found: dict[str, Counter[str]] = {str(pool.uid): Counter() for pool in pools}
    rows = Allocation.objects.filter(pool__in=list(found), accelerator=accelerator, released_at=None)
    for allocation in rows:
        used = found[str(allocation.pool_id)]
        used.update({node: n for node, n in allocation.used.items() if isinstance(n, int)})
    return found


def discovered(actor: Actor, host: HostCluster) -> tuple[Discovered, ...]:
    """What a host has that no class names, for admins and auditors."""
    policy.check(actor, Permission.HOST_VIEW)
    facts = facts_from_json(host.facts)
    seen = [nodes.from_json(node.facts) for node in Node.objects.filter(host=host, present=True)]
    known = list(catalogue().values())
    return accelerators.discovered(seen, facts.device_classes if facts else (), known)
