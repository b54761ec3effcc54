"""Reads of cluster templates, and of what a cluster's spec comes to with the one that it names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from tenancy import policy
from tenancy.enums import Permission
from tenancy.errors import FieldError, NotFound, refuse
from tenancy.models import ClusterTemplate, TemplateVersion, VirtualCluster
from tenancy.queries import add_ons, clusters, tenants
from tenancy.rules import templates, versions
from tenancy.rules.spec_parsing import parse_spec
from tenancy.rules.versions import Version
from tenancy.template_enums import VersionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.models import Tenant
    from tenancy.policy import Actor
    from tenancy.rules.specs import ClusterSpec, TemplateWish


@dataclass(frozen=True)
class Filled:
    """A spec with its template filled in."""

    spec: ClusterSpec
    text: str = ""
    """As JSON; empty where it names no template."""
    version: TemplateVersion | None = None


@dataclass(frozen=True)
class Use:
    """The template of one cluster."""

    name: str
    asked: str
    """The version or range, as written."""
    version: str
    """In use."""
    state: VersionState
    newest: str
    """Of those that the range allows."""
    latest: str
    """Of all that may be used."""
    deprecated: bool
    """The template as a whole."""
    withdrawn: bool
    """Whether the tenant may use the template no longer: the cluster keeps the version that it has."""

    @property
    def behind(self) -> bool:
        """Whether a newer version is there that the range allows."""
        return self.newest != self.version


def visible_to(actor: Actor) -> QuerySet[ClusterTemplate]:
    """The templates that an actor's tenants may use or do use; all for platform roles; by name."""
    rows = ClusterTemplate.objects.prefetch_related("tenants", "versions")
    if policy.allows(actor, Permission.TENANT_VIEW):
        return rows
    mine = list(tenants.visible_to(actor).values_list("pk", flat=True))
    used = VirtualCluster.objects.filter(tenant__in=mine).values("template_version__template")
    return rows.filter(
        Q(everybody=True) | Q(pk__in=used) | Q(pk__in=ClusterTemplate.objects.filter(tenants__in=mine))
    )


def usable_by(tenant: Tenant) -> QuerySet[ClusterTemplate]:
    """The templates that a tenant may begin to use, by name."""
    return ClusterTemplate.objects.filter(
        Q(everybody=True) | Q(pk__in=tenant.templates.all())
    ).prefetch_related("versions")


def get(actor: Actor, name: str) -> ClusterTemplate:
    """One template; ``NotFound`` for unknown ones and others' alike."""
    found = visible_to(actor).filter(name=name).first()
    if found is None:
        raise NotFound(missing(name))
    return found


def missing(name: str) -> str:
    """What is said of a template that is not there, or not for the actor."""
    return f"there is no cluster template {name!r}, or none that you may see"


def get_version(actor: Actor, name: str, version: str) -> TemplateVersion:
    """One version of a template that the actor may see."""
    found = versions_of(get(actor, name), version).first()
    if found is None:
        raise NotFound(missing_version(name, version))
    return found


def missing_version(name: str, version: str) -> str:
    """What is said of a version that was not published."""
    return f"template {name!r} has no version {version!r}"


def versions_of(template: ClusterTemplate, version: str) -> QuerySet[TemplateVersion]:
    """The version of that name, if it was published."""
    rows = template.versions.select_related("template")
    try:
        wanted = versions.parse_version(version)
    except ValueError:
        return rows.none()
    return rows.filter(major=wanted.major, minor=wanted.minor, patch=wanted.patch)


def number(row: TemplateVersion) -> Version:
    """As rules compare it."""
    return Version(row.major, row.minor, row.patch)


def wish_of(cluster: VirtualCluster) -> TemplateWish | None:
    """The template that a cluster's own spec names."""
    if cluster.template_version_id is None:
        return None
    return parse_spec(json.loads(cluster.spec_text)).template


def fill(tenant: Tenant, spec_text: str, cluster: VirtualCluster | None = None) -> Filled:
    """What a spec comes to; raises ``Invalid`` where it or its template cannot be had by this tenant.

    A version is chosen when a cluster is made, and when another template, version or range is asked
    for; then it is the newest. Any other change of a spec leaves the version in use.
    """
    data = json.loads(spec_text)
    own = parse_spec(data)
    add_ons.check(own.add_ons, "spec.addOns")
    if own.template is None:
        return Filled(own)
    if cluster is not None and json.loads(cluster.spec_text) == data:
        return Filled(clusters.spec(cluster), cluster.filled_text, cluster.template_version)
    return fill_with(_chosen(tenant, own.template, cluster), data, own.template)


def fill_with(version: TemplateVersion, data: dict[str, Any], wish: TemplateWish) -> Filled:
    """What a spec comes to with this very version."""
    content = templates.body(json.loads(version.spec_text))
    found = templates.filled(str(version), content, wish, data)
    return Filled(parse_spec(found), json.dumps(found, ensure_ascii=False), version)


def target(cluster: VirtualCluster) -> TemplateVersion | None:
    """The version that a cluster is to go on to by itself; ``None`` where it has what its range allows, or is pinned.

    Never back: what was yanked is kept until there is a newer one.
    """
    wish, row = wish_of(cluster), cluster.template_version
    if wish is None or row is None or not may_use(cluster.tenant, row.template):
        return None
    able = [v for v in published(row.template) if number(v) in wish.versions]
    found = max(able, key=number, default=row)
    return found if number(found) > number(row) else None


def newest(template: ClusterTemplate, wish: TemplateWish) -> Version | None:
    """The newest of a template's versions that may be begun with and that a wish leads to."""
    return versions.newest(wish.versions, (number(row) for row in published(template)))


def behind(template: UUID) -> list[UUID]:
    """The clusters that are to go on to a newer version of a template, where nothing keeps them from any change."""
    rows = VirtualCluster.objects.filter(template_version__template=template)
    rows = rows.filter(deletion_requested_at=None, quarantined_at=None, tenant__suspended=False)
    related = rows.select_related("tenant", "template_version__template")
    rows = related.prefetch_related(
        "template_version__template__versions", "template_version__template__tenants"
    )
    return [row.uid for row in rows if target(row) is not None]


def uses(found: Iterable[VirtualCluster]) -> dict[UUID, Use]:
    """Cluster → its template; in few reads however many there are. Clusters without one are not in it."""
    rows = [cluster for cluster in found if cluster.template_version_id is not None]
    wanted = {c.template_version.template_id for c in rows if c.template_version is not None}
    related = ClusterTemplate.objects.filter(pk__in=wanted).prefetch_related("tenants", "versions")
    known = {template.pk: template for template in related} if wanted else {}
    return {
        cluster.uid: _use(cluster, wish, row, known[row.template_id])
        for cluster in rows
        if (wish := wish_of(cluster)) is not None and (row := cluster.template_version) is not None
    }


def _use(cluster: VirtualCluster, wish: TemplateWish, row: TemplateVersion, template: ClusterTemplate) -> Use:
    usable = may_use(cluster.tenant, template)
    able = [number(row), *(number(v) for v in published(template) if usable)]
    newest = versions.newest(wish.versions, able) or number(row)
    return Use(
        name=template.name,
        asked=wish.versions.text,
        version=row.name,
        state=VersionState(row.state),
        newest=str(newest),
        latest=str(max(able)),
        deprecated=template.deprecated,
        withdrawn=not usable,
    )


def _chosen(tenant: Tenant, wish: TemplateWish, cluster: VirtualCluster | None) -> TemplateVersion:
    """The version that a wish means; raises ``Invalid`` where it means none that this tenant may use."""
    row = cluster.template_version if cluster else None
    before = wish_of(cluster) if cluster else None
    if row is not None and before is not None and before.name == wish.name:
        if before.versions == wish.versions:
            return row
        kept = [row] if number(row) in wish.versions else []
    else:
        row, kept = None, []
    template = usable_by(tenant).filter(name=wish.name).first()
    if template is None and row is None:
        refuse([_unknown(tenant, wish)])
    able = [*kept, *(v for v in (published(template) if template else ()) if number(v) in wish.versions)]
    found = max(able, key=number, default=None)
    if found is None:
        refuse([_none_in_range(wish, published(template) if template else kept)])
    return found  # type: ignore[return-value] # ``refuse`` raised


def published(template: ClusterTemplate) -> list[TemplateVersion]:
    """What may be begun with."""
    return [row for row in template.versions.all() if row.state != VersionState.YANKED]


def may_use(tenant: Tenant, template: ClusterTemplate) -> bool:
    """Whether a tenant may begin to use it, and go on to newer versions."""
    return template.everybody or tenant in template.tenants.all()


def _unknown(tenant: Tenant, wish: TemplateWish) -> FieldError:
    known = ", ".join(usable_by(tenant).values_list("name", flat=True)) or "none"
    detail = f"there is no template {wish.name!r} for tenant {tenant.name!r}: it may use {known}"
    return FieldError("spec.template.name", "not-offered", detail)


def _none_in_range(wish: TemplateWish, able: Sequence[TemplateVersion]) -> FieldError:
    known = ", ".join(row.name for row in able) or "none"
    detail = f"template {wish.name!r} has no version {wish.versions.text!r} to begin with: there are {known}"
    return FieldError("spec.template.version", "not-offered", detail)
