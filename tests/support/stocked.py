"""Random inventories (inventories.py) as rows: hosts, pools, nodes, limits and grants of one or more classes."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from tenancy.actions import balances
from tenancy.actions.unit import atomic
from tenancy.models import AcceleratorClass, AcceleratorLimit, Grant, HostCluster, Node, NodePool, Tenant
from tenancy.queries import calendar
from tests import factories as make

NODES = 3
"""Of each pool."""


def world(tenants, *keys):
    """A host with three pools in which inventories of these classes come and go; tenant → who asks for it."""
    people = {name: make.actor(f"of-{name}") for name in tenants}
    for key in keys:
        make.accelerator(key, f"nvidia.com/{key}")
    for name, person in people.items():
        make.tenant(name, member=person)
    for number in range(3):
        made = make.gpu_pool(1, f"pool{number}")
        for more in range(2, NODES + 1):
            make.gpu_node(f"pool{number}-{more}", made, 0)
    return people


@contextmanager
def for_a_while():
    """What happens in it is undone."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def write(found):
    """Class → inventory, of the same pools; capacities are taken from the nodes as after a look at the host.

    Gives the grants: class, pool and number of the deal → row.
    """
    tenants = {row.name: row for row in Tenant.objects.all()}
    classes = {row.key: row for row in AcceleratorClass.objects.filter(key__in=found)}
    one = next(iter(found.values()))
    HostCluster.objects.update(accepts_clusters=one.host_open)
    rows = {row.name: row for row in Node.objects.all()}
    for number, pile in enumerate(one.piles):
        pool = NodePool.objects.get(name=pile.name)
        pool.kind, pool.tenant = ("dedicated", tenants[pile.owner]) if pile.owner else ("shared", None)
        pool.reserved = {key: inventory.piles[number].reserved for key, inventory in found.items()}
        pool.accelerators = list(found)
        pool.save()
        _nodes(rows, {f"nvidia.com/{key}": inventory.piles[number] for key, inventory in found.items()})
    Node.objects.bulk_update(rows.values(), ["facts"])
    made = {}
    for key, inventory in found.items():
        AcceleratorClass.objects.filter(key=key).update(auto_approve_up_to=inventory.auto)
        limits = [(tenants[name], amount) for name, amount in inventory.limits.items()]
        AcceleratorLimit.objects.bulk_create(
            AcceleratorLimit(tenant=tenant, accelerator=classes[key], amount=amount)
            for tenant, amount in limits
        )
        for pile in inventory.piles:
            pool = NodePool.objects.get(name=pile.name)
            for number, deal in enumerate(pile.deals):
                made[key, pile.name, number] = _grant(deal, tenants[deal.tenant], classes[key], pool)
    Grant.objects.bulk_create(made.values())
    with atomic():
        balances.recount_host(HostCluster.objects.get())
    return made


def _nodes(rows, piles):
    """Of one pool: resource → what it has of that."""
    for number in range(NODES):
        seen = {resource: pile.nodes[number] for resource, pile in piles.items() if number < len(pile.nodes)}
        _, ready, open_ = next(iter(seen.values()), (0, True, True))
        row = rows[f"{next(iter(piles.values())).name}-{number + 1}"]
        resources = {resource: devices for resource, (devices, _, _) in seen.items()}
        row.facts = {**row.facts, "resources": resources, "ready": ready, "schedulable": open_}


def _grant(deal, tenant, accelerator, pool):
    now, today = timezone.now(), calendar.today()
    return Grant(
        tenant=tenant,
        accelerator=accelerator,
        pool=pool,
        amount=deal.amount,
        starts_on=today + timedelta(days=deal.starts),
        ends_on=today + timedelta(days=deal.ends),
        activated_at=now if deal.active else None,
        ended_at=now if deal.ended else None,
        deadline=now if deal.ended else None,
    )
