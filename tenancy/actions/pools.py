"""What admins do to node pools: make them, assign them, remove them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.actions import audit, balances, nodes, work
from tenancy.actions.unit import atomic
from tenancy.enums import Permission, PoolKind, Sandbox, WorkKind
from tenancy.errors import FieldError, InUse, refuse
from tenancy.models import NodePool, Tenant
from tenancy.queries import accelerators, hosts, pools, tenants
from tenancy.rules.names import name_errors
from tenancy.rules.pools import NAME_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenancy.models import HostCluster
    from tenancy.policy import Actor


@dataclass(frozen=True)
class PoolWish:
    """A node pool as an admin writes it; see ``NodePool`` for each field."""

    kind: PoolKind = PoolKind.SHARED
    selector: dict[str, str] = field(default_factory=dict)
    tainted: bool = True
    sandboxes: tuple[Sandbox, ...] = ()
    accelerators: tuple[str, ...] = ()
    reserved: dict[str, int] = field(default_factory=dict)
    """Accelerator class → devices of the pool that nobody is granted."""
    tenant: str = ""


@atomic
def put(*, by: Actor, host_name: str, name: str, wish: PoolWish) -> tuple[NodePool, bool]:
    """Makes a pool or changes it; True when it is new. Another tenant means that its nodes are wiped."""
    policy.check(by, Permission.HOST_MANAGE)
    host = hosts.get(by, host_name)
    old = NodePool.objects.select_for_update().filter(host=host, name=name).first()
    refuse(_faults(name, wish, old))
    tenant = tenants.get(by, wish.tenant) if wish.tenant else None
    values = {**_plain(wish), "tenant": tenant}
    if old is None:
        made = NodePool.objects.create(host=host, name=name, created_by=by.name, **values)
        _note(by, "pool.create", host, made, spec=_plain(wish))
        balances.recount(made, list(accelerators.all_()))
        return made, True
    changed = {key: value for key, value in values.items() if getattr(old, key) != value}
    if changed:
        _change(by, old, changed)
    return old, False


@atomic
def delete(*, by: Actor, host_name: str, name: str) -> None:
    """Removes a pool that holds no node and carries no cluster."""
    policy.check(by, Permission.HOST_MANAGE)
    pool = pools.get(by, hosts.get(by, host_name), name)
    pool = NodePool.objects.select_for_update().get(pk=pool.pk)
    _refuse_used(pool, "removed")
    held = [node.name for node in pool.nodes.all()]
    if held:
        msg = f"pool {name!r} still has {', '.join(held)}: move them to another pool, or to none, first"
        raise InUse(msg, [f"node {host_name}/{one}" for one in held])
    kept = [f"gpu-request {one.uid}" for one in pool.requests.all()[:5]]
    kept = kept or [f"gpu-grant {one.uid}" for one in pool.grants.all()[:5]]
    if kept:
        msg = f"pool {name!r} is named by grants or requests, which are kept: leave it without nodes"
        raise InUse(msg, kept)
    _note(by, "pool.delete", pool.host, pool)
    pool.delete()


def _change(by: Actor, pool: NodePool, changed: dict[str, object]) -> None:
    """A pool that changes hands is refused while it carries clusters; else each node is moved within it."""
    before = pool.tenant
    told = audit.changes(_told({key: getattr(pool, key) for key in changed}), _told(changed))
    if "tenant" in changed:
        _refuse_used(pool, "given to another tenant")
    for key, value in changed.items():
        setattr(pool, key, value)
    pool.generation += 1
    pool.save(update_fields=[*changed, "generation"])
    _note(by, "pool.update", pool.host, pool, changes=told)
    if changed.keys() & {"accelerators", "reserved"}:
        balances.recount(pool, list(accelerators.all_()))
    for node in pool.nodes.select_related("host").all():
        if "tenant" in changed:
            cause = f"pool {pool.name} went from {_named(before)} to {_named(pool.tenant)}"
            nodes.open_move(node, pool, by=by.name, cause=cause, tenant_before=before)
        else:
            work.request(WorkKind.NODE, node.uid)


def _refuse_used(pool: NodePool, done: str) -> None:
    used = [str(cluster) for cluster in pool.clusters.select_related("tenant")[:5]]
    if used:
        msg = (
            f"pool {pool.name!r} carries {', '.join(used)}: it is {done} when they are deleted and gone;"
            " delete them first"
        )
        raise InUse(msg, [f"cluster {one}" for one in used])
    granted = list(pool.grants.filter(closed_at=None).select_related("tenant", "accelerator")[:5])
    if granted:
        msg = (
            f"devices of pool {pool.name!r} are granted ({'; '.join(str(one) for one in granted)}): it is {done} when these"
            " grants have ended and their devices are back; the tenant can return them early"
        )
        raise InUse(msg, [f"gpu-grant {one.uid}" for one in granted])


def _faults(name: str, wish: PoolWish, old: NodePool | None) -> Iterator[FieldError]:
    yield from name_errors("metadata.name", name, longest=NAME_MAX)
    if old is not None and old.kind != wish.kind:
        detail = f"a pool stays {old.kind}: make another pool and move the nodes there"
        yield FieldError("spec.kind", "immutable", detail)
    if wish.kind is PoolKind.SHARED and wish.tenant:
        detail = "a shared pool is everybody's: leave it out, or make a dedicated pool"
        yield FieldError("spec.tenant", "contradiction", detail)
    if wish.kind is PoolKind.DEDICATED and not wish.tainted:
        detail = "a dedicated pool is always tainted, or others' pods would come: leave it out"
        yield FieldError("spec.tainted", "contradiction", detail)
    if wish.tenant and not Tenant.objects.filter(name=wish.tenant).exists():
        detail = f"there is no tenant {wish.tenant!r}: make it first, or leave it out"
        yield FieldError("spec.tenant", "unknown-tenant", detail)
    known = set(accelerators.all_().values_list("key", flat=True)) if wish.reserved else set()
    for key in wish.reserved:
        if key not in known:
            detail = f"there is no accelerator class {key!r}: known are {', '.join(sorted(known)) or 'none'}"
            yield FieldError(f"spec.reserved.{key}", "unknown-class", detail)


def _plain(wish: PoolWish) -> dict[str, object]:
    return {
        "kind": wish.kind.value,
        "selector": dict(wish.selector),
        "tainted": wish.tainted,
        "sandboxes": [sandbox.value for sandbox in wish.sandboxes],
        "accelerators": list(wish.accelerators),
        "reserved": dict(wish.reserved),
    }


def _told(values: dict[str, object]) -> dict[str, object]:
    """As audit rows have it: a tenant by its name."""
    return {key: value.name if isinstance(value, Tenant) else value for key, value in values.items()}


def _named(tenant: Tenant | None) -> str:
    return f"tenant {tenant.name}" if tenant else "nobody"


def _note(by: Actor, action: str, host: HostCluster, pool: NodePool, **facts: object) -> None:
    tenant = pool.tenant.name if pool.tenant else ""
    target = f"host/{host.name}/pool/{pool.name}"
    audit.note(actor=by.name, action=action, target=target, tenant=tenant, kind=pool.kind, **facts)
