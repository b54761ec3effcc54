"""Puts a pass together: lease, adapters, steps; and turns its outcome into the queue's verbs."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from provisioner import config, messages
from provisioner.adapters.hosts import RealHosts, RealTenants
from provisioner.outcomes import Done, LeaseLost, Permanent, Stall, Transient, Wait
from provisioner.reconcile import discovery, engine, handover, host_rails, limits, patrol, stages
from provisioner.reconcile.attestation import report
from provisioner.reconcile.holding import SECONDS, Holding
from provisioner.reconcile.memory import Memory
from provisioner.reconcile.moving import passing
from provisioner.reconcile.moving.scope import NodeScope
from provisioner.reconcile.reality import check as check_devices
from provisioner.reconcile.reality import faults
from provisioner.reconcile.reality import held as held_devices
from provisioner.reconcile.reclaim import ladder
from provisioner.reconcile.scope import Scope
from provisioner.reconcile.watch import Watch
from tenancy.actions import access as kubeconfigs
from tenancy.actions import (
    allocations,
    findings,
    observations,
    reports,
    templates,
    work,
)
from tenancy.actions import nodes as node_records
from tenancy.enums import Reason, WorkKind
from tenancy.queries import access as wishes
from tenancy.queries import advisories, calendar, clusters
from tenancy.queries import findings as findings_of
from tenancy.queries import hosts as known_hosts
from tenancy.queries import nodes as known_nodes
from tenancy.queries import reality as books
from tenancy.queries import reports as known_reports
from tenancy.rules import attestation
from tenancy.rules.drift import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from uuid import UUID

    from provisioner.outcomes import Outcome
    from provisioner.ports import Host
    from tenancy.actions.work import Lease
    from tenancy.grant_enums import Rung
    from tenancy.rules.drift import Drift, Established
    from tenancy.rules.nodes import NodeFacts
    from tenancy.rules.specs import DesiredCluster, DesiredReport, DeviceShare, HostAccess, Observation

log = logging.getLogger(__name__)


@cache
def _hosts() -> RealHosts:
    given = config.load()
    return RealHosts(helm=given.helm, home=given.home, chart=given.chart)


@cache
def _tenants() -> RealTenants:
    return RealTenants()


@cache
def _memory() -> Memory:
    return Memory()


def run(kind: WorkKind, object_id: UUID) -> Outcome | None:
    """One pass under the lease; ``None`` when somebody else has it, had it, or took it away."""
    since = time.monotonic()
    lease = work.claim(kind, object_id, seconds=SECONDS)
    if lease is None:
        return None
    try:
        with Holding(lease, since) as held:
            outcome = PASSES[kind](lease, held)
    except LeaseLost as lost:
        log.warning("%s", lost)
        return None
    except Transient as fault:
        log.info("%s %s: %s; tried again", kind, object_id, fault.message)
        work.retry(lease)
        return None
    except Permanent as fault:
        log.warning("%s %s: %s; looked at again with its next wish", kind, object_id, fault.message)
        outcome = Stall(fault.reason, fault.message)
    except Exception:
        log.exception("a pass over %s %s failed; tried again", kind, object_id)
        work.retry(lease)
        return None
    _settle(lease, outcome)
    return outcome


def _settle(lease: Lease, outcome: Outcome) -> None:
    """A stall is an answer too: only a new wish, or the regular resync, looks again."""
    if isinstance(outcome, Wait):
        work.wait(lease, outcome.after)
    else:
        work.finish(lease)


def _cluster(lease: Lease, held: Holding) -> Outcome:
    desired = clusters.desired(lease.object_id)
    if desired is None or (desired.waits_for_approval and not ladder.needed(desired)):
        return Done()
    return engine.reconcile(
        _scope(desired, lease, held),
        stages.of(desired),
        beside=stages.BESIDE if ladder.needed(desired) else (),
    )


def _scope(desired: DesiredCluster, lease: Lease, held: Holding) -> Scope:
    def publish(seen: Observation) -> None:
        if not observations.record(lease, desired.uid, seen):
            msg = f"what was seen of {desired.namespace} came too late: the lease is lost"
            raise LeaseLost(msg)

    def stepped(share: DeviceShare, rung: Rung, evidence: Mapping[str, Any], left: int) -> None:
        if not allocations.stepped(lease, desired.uid, share, rung, evidence, left):
            msg = f"{rung} of {share.key} in {desired.namespace} came too late: the lease is lost"
            raise LeaseLost(msg)

    return Scope(
        desired=desired,
        hosts=_hosts(),
        tenants=_tenants(),
        guard=held,
        memory=_memory(),
        chart=config.CHART,
        now=timezone.now,
        pause=time.sleep,
        publish=publish,
        findings=LeasedFindings(lease),
        calendar=calendar.now,
        stepped=stepped,
    )


@dataclass(frozen=True)
class LeasedFindings:
    """``ports.Findings`` in the database."""

    lease: Lease

    def noticed(self, place: Place, drift: Drift) -> None:
        """See ``ports.Findings``."""
        self._kept(findings.noticed(self.lease, place, drift))

    def restored(self, place: Place, subject: str) -> None:
        """See ``ports.Findings``."""
        self._kept(findings.restored(self.lease, place, subject))

    def _kept(self, held: bool) -> None:  # noqa: FBT001 - the answer of an action
        if not held:
            msg = f"what was found came too late: the lease on {self.lease.object_id} is lost"
            raise LeaseLost(msg)


def _host(lease: Lease, held: Holding) -> Outcome:
    known = known_hosts.access(lease.object_id)
    if known is None:
        return Done()
    seen, again = discovery.look(known, _hosts(), held, advisories.load(), clusters.placed(known.uid))
    seen = replace(seen, generation=known.generation)
    if seen.facts is None:
        if seen.reason is Reason.FORBIDDEN:
            _tell_lost_rights(known, _hosts().open(known, held), lease)
        observations.record_host(lease, known.uid, seen)
        return again
    if known.facts is None:
        observations.record_host(
            lease, known.uid, seen
        )  # clusters wait for what it offers, not for its policies
    opened = _hosts().open(known, held)
    rails, message = _keep_host(known, opened, seen.facts.version, lease)
    told = f"{seen.message}; {message}" if message else seen.message
    observations.record_host(lease, known.uid, replace(seen, message=told, guard_rails=rails))
    _compare(known, opened, seen.nodes or (), lease)
    return again


def _compare(known: HostAccess, opened: Host, nodes: Iterable[NodeFacts], lease: Lease) -> None:
    """What was left on the host, and what the ledger gives, against what is there."""
    guarded, ledger = clusters.guarded(known.uid), books.accounts(known.uid)
    places = patrol.read(opened.kube, {account.namespace for account in ledger.values()})
    observations.look_again(patrol.amiss(places, guarded))
    told, quotas = books.open_findings(known.name), patrol.quotas(places, limits.QUOTA)
    there, amiss = patrol.standing(places), {namespace for namespace, _ in told}
    held = held_devices.look(opened.kube, ledger.values(), quotas, there, amiss)
    if not allocations.seen(lease, held_devices.used(held)):
        return
    # Once more: what was given meanwhile may be on the host already.
    now, by_name = books.accounts(known.uid), {node.name: node for node in nodes}
    check = check_devices.Check(
        host=known.name,
        kube=opened.kube,
        audit=opened.audit,
        whoami=opened.kube.whoami() if ledger else "",
        findings=LeasedFindings(lease),
        open=told,
    )
    for one in held:
        check.cluster(one, faults.judge(one, now.get(one.account.uid), by_name))
    check.pools(books.shortages(known.uid), by_name.values())


def _keep_host(
    known: HostAccess, opened: Host, version: str, lease: Lease
) -> tuple[dict[str, Established] | None, str]:
    """What of helm/host is in place, and what an admin has to know; a host that does not tell is asked again."""
    try:
        identity = opened.kube.whoami()
        rails = host_rails.render(opened, config.HOST_CHART, identity, version, _memory())
        watch = _watch(known, opened, identity, lease)
        message = host_rails.keep(watch, rails)
    except (Transient, Permanent) as fault:
        return None, f"its policies could not be looked at: {fault.message}"
    return (None if watch.found == known.guard_rails else watch.found), message


def _watch(known: HostAccess, opened: Host, identity: str, lease: Lease) -> Watch:
    return Watch(
        place=Place(known.name),
        kube=opened.kube,
        audit=opened.audit,
        whoami=lambda: identity,
        findings=LeasedFindings(lease),
        now=timezone.now,
        known=known.guard_rails,
        drifted=findings_of.open_subjects(known.name),
        lists=host_rails.LISTED,
    )


def _tell_lost_rights(known: HostAccess, opened: Host, lease: Lease) -> None:
    """A host that knows us no more says so; one that does, and refuses us, lost the rights that helm/host gives us."""
    try:
        identity = opened.kube.whoami()
    except (Transient, Permanent):
        return
    host_rails.shut_out(_watch(known, opened, identity, lease))


def _node(lease: Lease, held: Holding) -> Outcome:
    desired = known_nodes.desired(lease.object_id)
    if desired is None:
        return Done()
    uid = desired.uid
    scope = NodeScope(
        desired=desired,
        kube=_hosts().open(desired.host, held).kube,
        guard=held,
        now=timezone.now,
        publish=lambda seen: node_records.record(lease, uid, seen),
        commit=lambda move: node_records.hand_over(lease, uid, move.uid),
    )
    return passing.reconcile(scope)


def _access(lease: Lease, held: Holding) -> Outcome:
    wish = wishes.desired(lease.object_id)
    if wish is None:
        return Done()
    minted = handover.mint(wish, _hosts(), _tenants(), held, timezone.now())
    if isinstance(minted, handover.Minted):
        text, until = minted.kubeconfig, minted.expires_at
        kubeconfigs.hand_over(lease, wish.uid, kubeconfig=text, expires_at=until)
    else:
        kubeconfigs.refuse(lease, wish.uid, minted.message)
    return Done()


def _report(lease: Lease, held: Holding) -> Outcome:
    wish = known_reports.desired(lease.object_id)
    if wish is None:
        return Done()
    reports.begin(lease, wish.uid)
    charts = config.CHART.parent
    made = report.make(wish, _hosts(), _tenants(), held, charts=charts, memory=_memory(), now=timezone.now)
    if isinstance(made, Wait):
        return made
    if isinstance(made, report.NotMade):
        reports.refuse(lease, wish.uid, made.message)
    elif reports.finish(lease, wish.uid, made.claims, policies=made.policies):
        _alarm(wish, attestation.failures(made.claims))
    return Done()


def _alarm(wish: DesiredReport, failures: str) -> None:
    if failures:
        name = f"{wish.cluster.tenant}/{wish.cluster.name}"
        log.error("ALARM: the isolation of %s is not as claimed: %s", name, failures)


def _template(lease: Lease, _: Holding) -> Outcome:
    more = templates.follow(lease, lease.object_id)
    return Wait(0, Reason.WAITING, "more clusters follow their template") if more else Done()


PASSES: Final[dict[WorkKind, Callable[[Lease, Holding], Outcome]]] = {
    WorkKind.CLUSTER: _cluster,
    WorkKind.HOST: _host,
    WorkKind.ACCESS: _access,
    WorkKind.REPORT: _report,
    WorkKind.NODE: _node,
    WorkKind.NOTICE: messages.notice,
    WorkKind.TEMPLATE: _template,
}
