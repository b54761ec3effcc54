"""A pass over a host: what it offers, what of ``helm/host`` is in place, and what its namespaces hold beside what was left there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from django.utils import timezone

from provisioner import config
from provisioner.outcomes import Done, Fault
from provisioner.passes import world
from provisioner.reconcile import discovery, host_rails, limits, patrol
from provisioner.reconcile.reality import check, faults, held
from provisioner.reconcile.watch import Watch
from tenancy.actions import allocations, observations
from tenancy.enums import Reason
from tenancy.queries import advisories, clusters, findings, hosts, reality
from tenancy.rules.drift import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.outcomes import Outcome
    from provisioner.ports import Host
    from provisioner.reconcile.holding import Holding
    from tenancy.actions.work import Lease
    from tenancy.rules.drift import Established
    from tenancy.rules.nodes import NodeFacts
    from tenancy.rules.specs import HostAccess


def run(lease: Lease, guard: Holding) -> Outcome:
    """A host is never looked at for the last time."""
    known = hosts.access(lease.object_id)
    if known is None:
        return Done()
    placed = clusters.placed(known.uid)
    seen, again = discovery.look(known, world.hosts(), guard, advisories.load(), placed)
    seen = replace(seen, generation=known.generation)
    if seen.facts is None:
        if seen.reason is Reason.FORBIDDEN:
            _tell_lost_rights(known, world.hosts().open(known, guard), lease)
        observations.record_host(lease, known.uid, seen)
        return again
    if known.facts is None:  # clusters wait for what it offers, not for its policies
        observations.record_host(lease, known.uid, seen)
    opened = world.hosts().open(known, guard)
    rails, message = _keep_rails(known, opened, seen.facts.version, lease)
    told = f"{seen.message}; {message}" if message else seen.message
    observations.record_host(lease, known.uid, replace(seen, message=told, guard_rails=rails))
    _compare(known, opened, seen.nodes or (), lease)
    return again


def _keep_rails(
    known: HostAccess, opened: Host, version: str, lease: Lease
) -> tuple[dict[str, Established] | None, str]:
    """What of helm/host is in place, and what an admin has to know; a host that does not tell is asked again."""
    try:
        identity = opened.kube.whoami()
        rails = host_rails.render(opened, config.HOST_CHART, identity, version, world.memory())
        watch = _watch(known, opened, identity, lease)
        message = host_rails.keep(watch, rails)
    except Fault as fault:
        return None, f"its policies could not be looked at: {fault.message}"
    return (None if watch.found == known.guard_rails else watch.found), message


def _tell_lost_rights(known: HostAccess, opened: Host, lease: Lease) -> None:
    """A host that knows us no more says so; one that does, and refuses us, lost the rights that helm/host gives us."""
    try:
        identity = opened.kube.whoami()
    except Fault:
        return
    host_rails.shut_out(_watch(known, opened, identity, lease))


def _watch(known: HostAccess, opened: Host, identity: str, lease: Lease) -> Watch:
    return Watch(
        place=Place(known.name),
        kube=opened.kube,
        audit=opened.audit,
        whoami=lambda: identity,
        findings=world.LeasedFindings(lease),
        now=timezone.now,
        known=known.guard_rails,
        drifted=findings.open_subjects(known.name),
        lists=host_rails.LISTED,
    )


def _compare(known: HostAccess, opened: Host, nodes: Iterable[NodeFacts], lease: Lease) -> None:
    """What was left on the host, and what the ledger gives, against what is there."""
    guarded, ledger = clusters.guarded(known.uid), reality.accounts(known.uid)
    places = patrol.read(opened.kube, {account.namespace for account in ledger.values()})
    observations.look_again(patrol.amiss(places, guarded))
    told, quotas = reality.open_findings(known.name), patrol.quotas(places, limits.QUOTA)
    there, amiss = patrol.standing(places), {namespace for namespace, _ in told}
    holding = held.look(opened.kube, ledger.values(), quotas, there, amiss)
    if not allocations.seen(lease, held.used(holding)):
        return
    # Once more: what was given meanwhile may be on the host already.
    now, by_name = reality.accounts(known.uid), {node.name: node for node in nodes}
    judge = check.Check(
        host=known.name,
        kube=opened.kube,
        audit=opened.audit,
        whoami=opened.kube.whoami() if ledger else "",
        findings=world.LeasedFindings(lease),
        open=told,
    )
    for one in holding:
        judge.cluster(one, faults.judge(one, now.get(one.account.uid), by_name))
    judge.pools(reality.shortages(known.uid), by_name.values())
