"""What admins do to the catalogue: name classes, set the policy for requests, limit tenants, reserve devices."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q

from tenancy import policy
from tenancy.actions import audit, balances
from tenancy.actions.unit import atomic
from tenancy.enums import Permission
from tenancy.errors import FieldError, InUse, refuse
from tenancy.grant_enums import AcceleratorKind
from tenancy.models import AcceleratorClass, AcceleratorLimit, NodePool
from tenancy.queries import accelerators, tenants
from tenancy.rules import accelerators as rules
from tenancy.rules.accelerators import KEY_MAX
from tenancy.rules.names import name_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenancy.policy import Actor

_RESOURCE: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_DEVICE_CLASS: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


@dataclass(frozen=True)
class ClassWish:
    """A class as an admin writes it; see ``AcceleratorClass`` for each field."""

    resource: str
    kind: AcceleratorKind = AcceleratorKind.EXTENDED_RESOURCE
    title: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    weight: int = 1
    offered: bool = True
    auto_approve_up_to: int = 0
    two_approvers_from: int = 0
    default_days: int = 30
    longest_days: int = 365
    grace_seconds: int = 900


@atomic
def put(*, by: Actor, key: str, wish: ClassWish) -> tuple[AcceleratorClass, bool]:
    """Names a class or changes it; True when it is new. What it is on a host stays while it is granted."""
    policy.check(by, Permission.GPU_MANAGE)
    # no_key: approvals, which hold the pools that recounting needs, may refer to it meanwhile.
    old = AcceleratorClass.objects.select_for_update(no_key=True).filter(key=key).first()
    refuse(_faults(key, wish, old))
    values = {**asdict(wish), "kind": wish.kind.value}
    if old is None:
        made = AcceleratorClass.objects.create(key=key, created_by=by.name, **values)
        _note(by, "accelerator.create", key, **values)
        _recount(made)
        return made, True
    changed = {k: v for k, v in values.items() if getattr(old, k) != v}
    if changed:
        before = {k: getattr(old, k) for k in changed}
        for k, v in changed.items():
            setattr(old, k, v)
        old.generation += 1
        old.save(update_fields=[*changed, "generation"])
        _note(by, "accelerator.update", key, before=before, after=changed)
        _recount(old)
    return old, False


@atomic
def delete(*, by: Actor, key: str) -> None:
    """Removes a class that nobody ever asked for, and that nothing names; one that was used is only offered no more."""
    policy.check(by, Permission.GPU_MANAGE)
    found = accelerators.get(key)
    if found.requests.exists() or found.grants.exists():
        some = [f"gpu-request {row.uid}" for row in found.requests.all()[:5]]
        some = some or [f"gpu-grant {row.uid}" for row in found.grants.all()[:5]]
        raise InUse(f"{key!r} has requests or grants, which name it: set offered to false instead", some)
    some = list(islice(accelerators.named_by(key), 5))
    if some:
        raise InUse(f"{key!r} is named by {', '.join(some)}: take it out of these first", some)
    found.limits.all().delete()
    found.delete()
    _note(by, "accelerator.delete", key)


@atomic
def set_limit(*, by: Actor, tenant_name: str, key: str, amount: int | None) -> None:
    """The most that a tenant may be granted of a class; ``None`` takes the limit away. Takes nothing back."""
    policy.check(by, Permission.GPU_MANAGE)
    tenant, found = tenants.get(by, tenant_name), accelerators.get(key)
    rows = AcceleratorLimit.objects.filter(tenant=tenant, accelerator=found)
    old = rows.first()
    before = old.amount if old else None
    if before == amount:
        return
    if amount is None:
        rows.delete()
    else:
        changed = {"amount": amount, "generation": old.generation + 1 if old else 1}
        AcceleratorLimit.objects.update_or_create(tenant=tenant, accelerator=found, defaults=changed)
    audit.note(
        actor=by.name,
        action="accelerator.limit",
        target=f"tenant/{tenant.name}/accelerator/{key}",
        tenant=tenant.name,
        before=before,
        after=amount,
    )


def _recount(made: AcceleratorClass) -> None:
    for pool in NodePool.objects.select_related("host").order_by("pk"):
        balances.recount(pool, [made])


def _faults(key: str, wish: ClassWish, old: AcceleratorClass | None) -> Iterator[FieldError]:
    yield from name_errors("metadata.name", key, longest=KEY_MAX)
    shape, example = (
        (_DEVICE_CLASS, "gpu.nvidia.com")
        if wish.kind is AcceleratorKind.DEVICE_CLASS
        else (_RESOURCE, "nvidia.com/gpu")
    )
    if not shape.fullmatch(wish.resource):
        yield FieldError("spec.resource", "malformed", f"give the name on the host, such as {example!r}")
    if wish.weight < 1:
        yield FieldError("spec.weight", "out-of-range", "give at least 1")
    if not 1 <= wish.default_days <= wish.longest_days:
        detail = f"give 1 to {wish.longest_days} (longestDays)"
        yield FieldError("spec.defaultDays", "out-of-range", detail)
    if 0 < wish.two_approvers_from <= wish.auto_approve_up_to:
        detail = f"what two admins must agree to cannot pass without any: give at most {wish.two_approvers_from - 1}"
        yield FieldError("spec.autoApproveUpTo", "contradiction", detail)
    yield from _overlaps(key, wish)
    same = old is None or (old.kind, old.resource, old.labels) == (wish.kind, wish.resource, wish.labels)
    if old is not None and not same and old.grants.filter(closed_at=None).exists():
        detail = "it is granted now: make another class, and stop offering this one"
        yield FieldError("spec.resource", "immutable", detail)


def _overlaps(key: str, wish: ClassWish) -> Iterator[FieldError]:
    """One device of two classes would be promised twice; a class that gives nothing any more counts none."""
    mine = rules.Accelerator(key, wish.resource, wish.kind, wish.labels, offered=wish.offered)
    used = Q(offered=True) | Q(grants__closed_at=None, grants__isnull=False)
    for other in AcceleratorClass.objects.filter(used).exclude(key=key).distinct():
        if rules.overlap(mine, accelerators.to_rule(other)):
            detail = (
                f"a node can have devices of both {key!r} and {other.key!r} ({wish.resource}), which would be granted"
                " twice: give each the node label of its model"
            )
            yield FieldError("spec.labels", "contradiction", detail)


def _note(by: Actor, action: str, key: str, **facts: Any) -> None:  # noqa: ANN401 - facts are JSON
    audit.note(actor=by.name, action=action, target=f"accelerator/{key}", **facts)
