"""What admins do to cluster templates, and how clusters follow them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from tenancy import policy
from tenancy.actions import (
    allocations,
    audit,
    clusters,
    conditions,
    devices,
    placement,
    removed_versions,
    work,
)
from tenancy.actions.cluster_requests import TEMPLATE
from tenancy.actions.unit import atomic
from tenancy.enums import ConditionStatus, ConditionType, Permission, Reason, WorkKind
from tenancy.errors import Conflict, DomainError, FieldError, Immutable, InUse, NotFound, refuse
from tenancy.models import ClusterCondition, ClusterTemplate, TemplateVersion, Tenant, VirtualCluster
from tenancy.queries import accelerators, add_ons, impact, templates
from tenancy.queries import clusters as known
from tenancy.rules import versions
from tenancy.rules.conditions import Condition
from tenancy.rules.names import name_errors
from tenancy.rules.preconditions import ANYTHING, Expectation, etag, meet
from tenancy.rules.templates import parse_body
from tenancy.rules.wishes import differences
from tenancy.template_enums import VersionState

if TYPE_CHECKING:
    from uuid import UUID

    from tenancy.actions.work import Lease
    from tenancy.policy import Actor
    from tenancy.queries.templates import Filled
    from tenancy.rules.versions import Version

NAME_MAX: Final = 40
AT_ONCE: Final = 50
"""Clusters moved in one pass; the next begins right after it."""


@dataclass(frozen=True)
class TemplateWish:
    """A template as an admin writes it."""

    description: str = ""
    deprecated: bool = False
    tenants: tuple[str, ...] | None = None
    """Who may use it; ``None`` for all."""


@dataclass(frozen=True)
class Plan:
    """What publishing a version would do."""

    action: str
    """``create``, ``update`` or ``none``."""
    changes: tuple[tuple[str, Any, Any], ...]
    """Path, old value, new value of each field that differs."""
    version: TemplateVersion
    """As it would be."""
    clusters: tuple[VirtualCluster, ...]
    """Some of those that stand on the template."""


@atomic
def put(*, by: Actor, name: str, wish: TemplateWish) -> tuple[ClusterTemplate, bool]:
    """Makes a template or changes who may use it; True when it is new. What clusters have of it they keep."""
    policy.check(by, Permission.TEMPLATE_MANAGE)
    named = {row.name: row for row in Tenant.objects.filter(name__in=wish.tenants or ())}
    refuse([*name_errors("metadata.name", name, longest=NAME_MAX), *_unknown(wish, named)])
    row = ClusterTemplate.objects.select_for_update().filter(name=name).first()
    before = _values(row) if row else {}
    after = {
        "description": wish.description,
        "deprecated": wish.deprecated,
        "tenants": None if wish.tenants is None else sorted(named),
    }
    if row is not None and before == after:
        return row, False
    created = row is None
    row = row or ClusterTemplate(name=name, created_by=by.name, generation=0)
    row.description, row.deprecated = wish.description, wish.deprecated
    row.everybody, row.generation = wish.tenants is None, row.generation + 1
    row.save()
    row.tenants.set(named.values())
    verb = "template.create" if created else "template.update"
    _note(by, verb, name, changes=audit.changes(before, after))
    work.request(WorkKind.TEMPLATE, row.uid)
    return row, created


@atomic
def delete(*, by: Actor, name: str) -> None:
    """Removes a template that no cluster stands on, with all its versions."""
    policy.check(by, Permission.TEMPLATE_MANAGE)
    row = ClusterTemplate.objects.select_for_update().get(pk=templates.get(by, name).pk)
    advice = "give these another spec first, or set deprecated to true"
    _refuse_used(f"template {name!r}", advice, template_version__template=row)
    uid = row.uid
    row.delete()
    removed_versions.forget(_home(uid))
    work.forget(WorkKind.TEMPLATE, uid)
    _note(by, "template.delete", name)


@atomic
def withdraw(*, by: Actor, name: str, version: str) -> None:
    """Removes a version that no cluster stands on; its number may come back with the same content alone."""
    policy.check(by, Permission.TEMPLATE_MANAGE)
    template = ClusterTemplate.objects.select_for_update().get(pk=templates.get(by, name).pk)
    row = templates.versions_of(template, version).first()
    if row is None:
        raise NotFound(templates.missing_version(name, version))
    advice = "give these another version first, or set its state to 'yanked'"
    _refuse_used(f"version {version} of template {name!r}", advice, template_version=row)
    removed_versions.remember(by, _home(template.uid), row.name, _content(row.spec_text))
    row.delete()
    _note(by, "template.withdraw", f"{name}/version/{version}")
    work.request(WorkKind.TEMPLATE, template.uid)


def _refuse_used(what: str, advice: str, **used: object) -> None:
    """Clusters stand on it."""
    users = [f"cluster {c}" for c in VirtualCluster.objects.filter(**used).select_related("tenant")[:5]]
    if users:
        raise InUse(f"{what} is used by {', '.join(users)}: {advice}", users)


def _home(uid: UUID) -> str:
    return f"template/{uid}"


@atomic
def publish(*, by: Actor, name: str, version: str, text: str) -> tuple[TemplateVersion, bool]:
    """Publishes a version, or changes its state; True when it is new. Its content is for ever."""
    policy.check(by, Permission.TEMPLATE_MANAGE)
    row, action, before = _planned(by, name, version, text)
    if action == "none":
        return row, False
    row.save()
    target = f"{name}/version/{version}"
    if action == "create":
        _note(by, "template.publish", target, spec=json.loads(text))
    else:
        changes = audit.changes({"state": before.get("state")}, {"state": row.state})
        _note(by, "template.state", target, changes=changes)
    work.request(WorkKind.TEMPLATE, row.template_id)
    return row, action == "create"


@atomic
def plan(*, by: Actor, name: str, version: str, text: str, expect: Expectation = ANYTHING) -> Plan:
    """What ``publish`` would do, with the same checks and no effect; so nobody is asked who they are."""
    policy.check_look(by, Permission.TEMPLATE_MANAGE)
    row, action, before = _planned(by, name, version, text)
    meet(expect, etag(row.uid, row.generation - (action == "update")) if action != "create" else None)
    changes = differences(before, json.loads(text))
    return Plan(action, changes, row, tuple(impact.users_of(by, row.template)[: impact.PREVIEWED]))


def _planned(by: Actor, name: str, version: str, text: str) -> tuple[TemplateVersion, str, dict[str, Any]]:
    """The row as it would be, what makes it so, and its content before."""
    template = ClusterTemplate.objects.select_for_update().get(pk=templates.get(by, name).pk)
    number, state = checked(version, text)
    row = templates.versions_of(template, version).first()
    if row is None:
        removed_versions.refuse_other(_home(template.uid), str(number), _content(text))
        parts = {"major": number.major, "minor": number.minor, "patch": number.patch}
        made = TemplateVersion(
            template=template, **parts, spec_text=text, state=state.value, created_by=by.name
        )
        return made, "create", {}
    if _content(row.spec_text) != _content(text):
        msg = f"{row} is published, and what is published never changes: publish another version"
        raise Immutable(msg)
    before = json.loads(row.spec_text)
    if before == json.loads(text):
        return row, "none", before
    row.state, row.spec_text = state.value, text
    row.generation += 1
    return row, "update", before


def checked(version: str, text: str) -> tuple[Version, VersionState]:
    """A version's name and state, its content looked through; raises ``Invalid`` that names each fault."""
    number = versions.to_publish(version)
    data = json.loads(text)
    wanted = parse_body(data).cluster.get("addOns") or ()
    add_ons.check({one["name"]: one["version"] for one in wanted}, "spec.cluster.addOns")
    return number, VersionState(data.get("state", VersionState.ACTIVE))


def follow(lease: Lease, uid: UUID) -> bool:
    """Moves clusters to the newest version that they may have; True when there may be more to move.

    In any order, so that those that cannot be moved do not keep the others waiting for ever.
    """
    behind = templates.behind(uid)
    _forget_refusals(lease, uid, behind)
    some = random.sample(behind, min(AT_ONCE, len(behind)))
    for one in some:
        if not _move(lease, one):
            return False
    return len(behind) > len(some)


@atomic
def _forget_refusals(lease: Lease, uid: UUID, behind: list[UUID]) -> None:
    """Of clusters for which there is nothing newer any more, as when it was yanked."""
    if not work.holds(lease):
        return
    told = ClusterCondition.objects.filter(
        type=ConditionType.TEMPLATE_FOLLOWED,
        status=ConditionStatus.FALSE,
        cluster__template_version__template=uid,
    )
    for one in told.exclude(cluster__in=behind).values_list("cluster", flat=True):
        _tell(one, ConditionStatus.TRUE, Reason.AS_WANTED, "")


@atomic
def _move(lease: Lease, uid: UUID) -> bool:
    """One cluster, as a change of its own; a refusal becomes its condition. False: the lease is lost."""
    row = VirtualCluster.objects.filter(pk=uid).select_related("tenant").first()
    if row is None or row.tenant.suspended:
        return True
    devices.lock(row.tenant)
    cluster = clusters.locked(uid)
    if not work.holds(lease):
        return False
    version = templates.target(cluster)
    if version is None or cluster.deleting or cluster.quarantined:
        return True
    before = str(cluster.template_version)
    try:
        _moved(cluster, version)
    except DomainError as error:
        message = f"stays at {before}, for {version.name} would be refused: {error.detail}"
        _tell(uid, ConditionStatus.FALSE, Reason.TEMPLATE_REFUSED, message)
    return True


@atomic
def _moved(cluster: VirtualCluster, version: TemplateVersion) -> None:
    """The move itself, or nothing of it."""
    data, wish = json.loads(cluster.spec_text), templates.wish_of(cluster)
    if wish is None:
        return
    filled = templates.fill_with(version, data, wish)
    pool = placement.pool_for(filled.spec, cluster.host, cluster.tenant, cluster)
    _refuse_ungranted(cluster, filled)
    concerned = devices.concern(filled.spec, cluster)
    facts = {"template": {"from": str(cluster.template_version), "to": str(version)}}
    clusters.change(TEMPLATE, cluster, cluster.spec_text, filled, pool, **facts)
    devices.settled(None, cluster.tenant, cluster, concerned=concerned)


def _refuse_ungranted(cluster: VirtualCluster, filled: Filled) -> None:
    """Nobody is asked for devices by a template: a cluster that would have to wait for them stays."""
    claims = filled.spec.claims
    if not claims or claims == known.spec(cluster).claims:
        return  # what it waits for already it goes on waiting for
    classes = accelerators.all_().filter(key__in=claims)
    wanted = {row.pk: claims[row.key] for row in classes}
    if cluster.pool is None:
        raise Conflict(
            "it asks for accelerators, which this cluster has none of: ask for them in its own spec"
        )
    lacking = allocations.foresee(cluster.tenant, cluster.pool, cluster, wanted)
    short = [f"{wanted[row.pk]} {row.key}" for row in classes if lacking[row.pk][0]]
    if short:
        msg = (
            f"it asks for {', '.join(short)}, more than is granted: ask for a grant, and it goes on by itself"
        )
        raise Conflict(msg)


def _tell(uid: UUID, status: ConditionStatus, reason: Reason, message: str) -> None:
    cluster = VirtualCluster.objects.get(pk=uid)
    seen = Condition(ConditionType.TEMPLATE_FOLLOWED, status, reason, message, cluster.generation)
    if seen not in known.conditions(cluster):
        conditions.merge(cluster, seen, timezone.now())


def _content(text: str) -> str:
    """What never changes; as text, for to Python 1 and true are equal."""
    data = json.loads(text)
    return json.dumps({key: value for key, value in data.items() if key != "state"}, sort_keys=True)


def _values(row: ClusterTemplate) -> dict[str, Any]:
    return {"description": row.description, "deprecated": row.deprecated, "tenants": row.named}


def _unknown(wish: TemplateWish, named: dict[str, Tenant]) -> list[FieldError]:
    strange = [(n, name) for n, name in enumerate(wish.tenants or ()) if name not in named]
    detail = "there is no tenant {!r}: make it first, or leave it out"
    return [FieldError(f"spec.tenants[{n}]", "unknown-tenant", detail.format(name)) for n, name in strange]


def _note(by: Actor, action: str, target: str, **facts: Any) -> None:  # noqa: ANN401 - facts are JSON
    audit.note(actor=by.name, action=action, target=f"template/{target}", **facts)
