"""What a version of a template, published or not, means for the clusters that stand on the template."""

from __future__ import annotations

import json
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tenancy.enums import Trust
from tenancy.errors import Invalid, refuse
from tenancy.queries import clusters, pools, templates
from tenancy.rules import offers
from tenancy.rules import pools as pool_rules
from tenancy.rules.specs import facts_from_json
from tenancy.rules.wishes import differences
from tenancy.template_enums import TemplateVerdict, VersionState

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from tenancy.models import ClusterTemplate, TemplateVersion, VirtualCluster
    from tenancy.policy import Actor
    from tenancy.queries.templates import Filled
    from tenancy.rules.specs import TemplateWish

PREVIEWED = 100
"""Clusters in the plan of a version that is not published yet."""


@dataclass(frozen=True)
class Impact:
    """On one cluster."""

    cluster: VirtualCluster
    asked: str
    verdict: TemplateVerdict
    message: str = ""
    changes: tuple[tuple[str, Any, Any], ...] = ()


def users_of(actor: Actor, template: ClusterTemplate) -> QuerySet[VirtualCluster]:
    """The clusters that stand on it, as far as the actor sees them; oldest first."""
    rows = clusters.visible_to(actor).filter(template_version__template=template, deletion_requested_at=None)
    related = rows.select_related("tenant", "pool", "template_version__template")
    return related.prefetch_related(
        "template_version__template__tenants", "template_version__template__versions"
    )


def of(cluster: VirtualCluster, version: TemplateVersion) -> Impact:
    """Without a read of its own. What grants would have to cover is told, and judged when the time comes."""
    wish, row = templates.wish_of(cluster), cluster.template_version
    if wish is None or row is None or row == version:
        return Impact(cluster, wish.versions.text if wish else "", TemplateVerdict.CURRENT)
    asked = wish.versions.text
    try:
        filled = templates.fill_with(version, json.loads(cluster.spec_text), wish)
        _refuse(cluster, filled)
    except Invalid as error:
        reason = _stays(cluster, version, wish)
        verdict = TemplateVerdict.STAYS if reason else TemplateVerdict.REFUSED
        return Impact(cluster, asked, verdict, reason or error.detail)
    changes = _changes(cluster, filled)
    reason = _stays(cluster, version, wish)
    if reason:
        return Impact(cluster, asked, TemplateVerdict.STAYS, reason, changes)
    more = any(path.startswith("accelerators") for path, _, _ in changes)
    message = "it stays where it is while the accelerators that it asks for are not granted" if more else ""
    return Impact(cluster, asked, TemplateVerdict.MOVES, message, changes)


def _changes(cluster: VirtualCluster, filled: Filled) -> tuple[tuple[str, Any, Any], ...]:
    planned = copy(cluster)
    planned.filled_text = filled.text
    return differences(clusters.effective_values(cluster), clusters.effective_values(planned), "")


def _stays(cluster: VirtualCluster, version: TemplateVersion, wish: TemplateWish) -> str:
    """Why it does not go on to this version by itself; empty when it does."""
    if cluster.quarantined or cluster.tenant.suspended:
        return "nothing of it is changed while it is in quarantine or its tenant suspended"
    return _leads_elsewhere(cluster, version, wish)


def _leads_elsewhere(cluster: VirtualCluster, version: TemplateVersion, wish: TemplateWish) -> str:
    row = cluster.template_version
    if row is not None and templates.number(version) < templates.number(row):
        return f"{row.name} is in use: clusters go back by their own spec only"
    if templates.number(version) not in wish.versions:
        return f"its spec asks for {wish.versions.text}"
    if version.state == VersionState.YANKED:
        return "it is yanked"
    if row is not None and not templates.may_use(cluster.tenant, row.template):
        return f"tenant {cluster.tenant.name} may use the template no longer"
    newest = templates.newest(row.template, wish) if row is not None else None
    if newest is not None and newest > templates.number(version):
        return f"its range leads to {newest}, whether that can be had or not"
    return ""


def _refuse(cluster: VirtualCluster, filled: Filled) -> None:
    """What can be refused without a look at what is granted."""
    facts, host = facts_from_json(cluster.host.facts), cluster.host
    own = pools.to_pool(cluster.pool) if cluster.pool and cluster.pool.tenant_id else None
    trust = Trust(cluster.tenant.trust)
    faults = offers.refusals(filled.spec, facts, trust, host.kubernetes_versions, host.name)
    refuse([*faults, *pool_rules.change_refusals(filled.spec, own)])
