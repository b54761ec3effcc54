"""What the world does in random lives (gpu_life): days pass, hosts follow or do not, nodes fall ill."""

from __future__ import annotations

import logging
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tenancy.actions import allocations, balances, findings, grants, requests, work
from tenancy.actions.unit import atomic
from tenancy.enums import FindingKind, WorkKind
from tenancy.grant_enums import Rung
from tenancy.models import Allocation, Finding, Node, VirtualCluster
from tenancy.queries import grants as known
from tenancy.rules.drift import Culprit, Drift, Place
from tests import factories as make
from tests.support.gpu_facts import NODES
from tests.support.gpu_people import NAMES

WELL, NOT_READY, CORDONED = (
    {"ready": ready, "schedulable": schedulable}
    for ready, schedulable in ((True, True), (False, True), (True, False))
)
"""What may be seen of a node."""


class Heard(logging.Handler):
    """What goes wrong with one grant stops no other: it is only logged."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.faults = []

    def emit(self, record):
        self.faults.append(record.getMessage())


class World:
    """Rules of a ``Life``."""

    @rule(days=st.sampled_from([1, 1, 2, 3, 31]), seen=st.sampled_from([True, True, False]))
    def days_pass(self, days, seen):
        self.move_to(self.day + days)
        self.facts.look()
        if seen:
            self.tick()

    @rule()
    def tick(self):
        before = self.facts.grants
        heard = Heard()
        grants.log.addHandler(heard)
        self.act("tick", None, grants.tick)
        grants.log.removeHandler(heard)
        assert heard.faults == [], "a grant whose day could not be seen to"
        self.act("tick", None, requests.lapse_old)
        self.facts.the_clock_was_followed(before)

    @rule(name=NAMES)
    def pods_start(self, name):
        """As many as the host admits."""
        self.facts.pods[name] = max(self.facts.pods[name], self.facts.quota[name])

    @rule(name=NAMES, rungs=st.sampled_from([5, 5, 2, 4]))
    def provisioner_follows(self, name, rungs=5):
        """The host's quota first; at the fourth rung pods beyond it are gone, the fifth gives the devices back."""
        cluster = VirtualCluster.objects.filter(name=name).first()
        for share in known.shares(cluster) if cluster else ():
            lowered = share.amount < share.held
            self.facts.quota[name] = share.amount
            if rungs >= 4:
                self.facts.pods[name] = min(self.facts.pods[name], share.amount)
            if lowered:
                self._stepped(cluster, share, list(Rung)[:rungs])

    def _stepped(self, cluster, share, rungs):
        lease = work.claim(WorkKind.CLUSTER, cluster.uid)
        for rung in rungs:
            self.act("", None, allocations.stepped, lease, cluster.uid, share, rung, {"used": 0}, 0)
        work.wait(lease, 0)

    @rule(name=NAMES)
    def provisioner_saw_another_amount(self, name):
        for row in Allocation.objects.filter(cluster__name=name, released_at=None):
            before = (row.target, row.held)
            cluster = VirtualCluster.objects.get(name=name)
            for share in known.shares(cluster):
                self._stepped(cluster, replace(share, amount=share.amount + 1), list(Rung))
            row.refresh_from_db()
            assert (row.target, row.held) == before

    @rule(name=NAMES)
    def cluster_is_gone(self, name):
        found = VirtualCluster.objects.filter(name=name, deletion_requested_at__isnull=False).first()
        if found is not None:
            self.facts.quota[name] = self.facts.pods[name] = 0
            self.facts.frozen = self.frozen(but=name)
            self.act("clusters", None, make.observe, found, gone=True)

    @rule(name=NAMES, over=st.sampled_from([True, True, False]))
    def reality(self, name, over):
        """A host is seen to hold more than the ledger has of a cluster, or no more."""
        found = VirtualCluster.objects.filter(name=name, deletion_requested_at=None).first()
        if found is None:
            return
        place = Place("lab", found.namespace, found.tenant.name, name, found.uid)
        drift = Drift(
            FindingKind.DEVICES_OVER, "Devices nvidia.com/gpu", (), Culprit("mallory"), "end the pods"
        )
        lease = work.claim(WorkKind.CLUSTER, found.uid)
        findings.noticed(lease, place, drift) if over else findings.restored(lease, place, drift.subject)
        work.wait(lease, 0)
        self.facts.look()
        self.facts.frozen = self.frozen()

    def frozen(self, but=""):
        found = Finding.objects.filter(kind=FindingKind.DEVICES_OVER, restored_at=None)
        return set(found.exclude(cluster_name=but).values_list("tenant", flat=True))

    @rule(name=st.sampled_from(list(NODES)), state=st.sampled_from([WELL, NOT_READY, CORDONED]))
    def node(self, name, state):
        row = Node.objects.get(name=name)
        Node.objects.filter(pk=row.pk).update(facts={**row.facts, **state})
        (self.facts.lost.discard if state == WELL else self.facts.lost.add)(name)
        with atomic():
            balances.recount_host(row.host)
