"""What a tenant may choose today: of each host that takes clusters, what it offers and why not the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.enums import IsolationModel, Permission, Persistence, Trust
from tenancy.models import HostCluster
from tenancy.queries import hosts, pools
from tenancy.rules import offers
from tenancy.rules import pools as pool_rules
from tenancy.rules.specs import ClusterSpec, facts_from_json

if TYPE_CHECKING:
    from tenancy.models import Tenant
    from tenancy.policy import Actor
    from tenancy.rules.offers import SandboxOffer
    from tenancy.rules.specs import HostFacts


@dataclass(frozen=True)
class ModelOffer:
    """One isolation model for one tenant on one host."""

    model: IsolationModel
    reason: str
    """Why it cannot be had; empty when it can."""
    sandboxes: tuple[SandboxOffer, ...]
    """Every profile, strongest first; none while the host has not been looked at."""


@dataclass(frozen=True)
class HostOffer:
    """What one tenant may have on one host."""

    host: HostCluster
    preferred: bool
    """A cluster made now lands there."""
    versions: tuple[str, ...]
    """Newest first."""
    models: tuple[ModelOffer, ...]
    persistences: tuple[Persistence, ...]

    @property
    def known(self) -> bool:
        """Whether the host was looked at; before that a cluster waits for it."""
        return facts_from_json(self.host.facts) is not None

    @property
    def shared(self) -> ModelOffer:
        """What a cluster gets that asks for nothing."""
        return next(offer for offer in self.models if offer.model is IsolationModel.SHARED)


def of_tenant(actor: Actor, tenant: Tenant) -> tuple[HostOffer, ...]:
    """By host; ``NotAllowed`` for those who may not see the tenant."""
    policy.check(actor, Permission.TENANT_VIEW, tenant)
    picked = hosts.pick()
    rows = HostCluster.objects.filter(accepts_clusters=True).order_by("name")
    return tuple(of_host(tenant, row, preferred=row == picked) for row in rows)


def of_host(tenant: Tenant, host: HostCluster, *, preferred: bool = True) -> HostOffer:
    """What this tenant may have on that host."""
    facts = facts_from_json(host.facts)
    lasting = (Persistence.PERSISTENT,) if facts and facts.default_storage_class else ()
    return HostOffer(
        host=host,
        preferred=preferred,
        versions=tuple(sorted(host.kubernetes_versions, key=offers.newest, reverse=True)),
        models=tuple(_model(tenant, host, facts, model) for model in IsolationModel),
        persistences=(*lasting, Persistence.EPHEMERAL) if facts else (),
    )


def _model(tenant: Tenant, host: HostCluster, facts: HostFacts | None, model: IsolationModel) -> ModelOffer:
    trust, asked = Trust(tenant.trust), ClusterSpec(model=model)
    rows = list(pools.of_tenant(tenant, host))
    faults = pool_rules.refusals(asked, [pools.to_pool(row) for row in rows], None, host.name)
    # Which of several pools is a choice, no refusal.
    about = (fault.detail for fault in faults if fault.code == offers.NOT_OFFERED)
    dedicated = pool_rules.is_dedicated(asked)
    within = pools.facts_in(rows, facts) if dedicated else pools.shared_facts(host, facts)
    found = offers.sandboxes(within, trust, model) if within else ()
    return ModelOffer(model, next(about, ""), found)
