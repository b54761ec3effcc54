"""A shared cluster is offered what nodes can run that its pods land on; one that runs keeps what it has."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.db import transaction

from tenancy.actions import clusters, nodes, pools
from tenancy.actions.pools import PoolWish
from tenancy.enums import IsolationModel, PoolKind, Sandbox
from tenancy.errors import Invalid
from tenancy.models import HostCluster
from tenancy.queries import clusters as reads
from tenancy.queries import offers
from tenancy.rules.nodes import Taint
from tenancy.rules.pools import MOVING, POOL, TENANT
from tenancy.rules.runtimes import RuntimeClass
from tenancy.rules.specs import facts_to_json
from tenancy.rules.survey import survey
from tests import factories

pytestmark = pytest.mark.django_db

CLASSES = {"kata": RuntimeClass("kata-qemu"), "gvisor": RuntimeClass("runsc")}
KATA_LABEL = {"katacontainers.io/kata-runtime": "true"}
PLAIN = replace(factories.NODE, name="plain", uid="plain")
ABLE = replace(factories.NODE, name="able", uid="able", labels=KATA_LABEL, handlers={"kata-qemu": False})
THEIRS = replace(
    ABLE,
    labels={**KATA_LABEL, POOL: "gold", TENANT: "other"},
    taints=(Taint(POOL, "NoExecute", "gold"),),
)
UNTAINTED = replace(THEIRS, taints=())
"""Somebody took the taint off: it is still the other tenant's."""
LEAVING = replace(ABLE, taints=(Taint(MOVING, "NoExecute", "true"),))
EVERYBODYS = replace(ABLE, labels={**KATA_LABEL, POOL: "all"}, taints=(Taint(POOL, "NoSchedule", "all"),))


@pytest.fixture
def alice():
    return factories.actor("alice")


@pytest.fixture
def team(alice):
    factories.host()
    factories.tenant("other")
    return factories.tenant("team", owner=alice)


def see(*found):
    """The host as it is looked at: all its nodes, whatever they wear, and what those can run together."""
    host = HostCluster.objects.get()
    sandboxes = survey(found, CLASSES, "v1.36.3")
    host.facts = facts_to_json(replace(factories.FACTS, runtime_classes=CLASSES, sandboxes=sandboxes))
    host.save()
    with transaction.atomic():
        nodes.merge(host, found)
    return host


def shared(team):
    """Name → offer for a new shared cluster."""
    found = offers.of_host(team, HostCluster.objects.get()).shared
    return {one.profile.sandbox: one for one in found.sandboxes}


def ask(alice, name="first", **isolation):
    text = json.dumps({"isolation": isolation})
    made = clusters.put(by=alice, tenant_name="team", name=name, spec_text=text).cluster
    return reads.get(alice, "team", made.name)


@pytest.mark.parametrize("node", [THEIRS, UNTAINTED, LEAVING], ids=["theirs", "untainted", "leaving"])
def test_what_only_anothers_node_can_run_is_not_offered(team, alice, node):
    see(PLAIN, node)
    kata = shared(team)[Sandbox.KATA]
    assert (kata.code, kata.nearest) == ("not-offered", Sandbox.GVISOR)
    assert "node plain: it has no label katacontainers.io/kata-runtime=true" in kata.why_not
    with pytest.raises(Invalid, match=r"cannot run 'kata': node plain.*use 'gvisor'"):
        ask(alice, sandbox="kata")
    assert reads.effective(ask(alice)).sandbox is Sandbox.GVISOR


def test_nodes_are_counted_that_a_pod_lands_on(team):
    see(PLAIN, replace(PLAIN, name="second", uid="second"), THEIRS)
    assert shared(team)[Sandbox.GVISOR].facts.nodes == 2


def test_a_shared_pool_with_a_node_is_where_shared_clusters_run(team, alice):
    pools.put(by=factories.admin(), host_name="lab", name="all", wish=PoolWish(kind=PoolKind.SHARED))
    see(PLAIN, ABLE)
    assert shared(team)[Sandbox.KATA].facts.nodes == 1
    see(PLAIN, EVERYBODYS)
    nodes.move(by=factories.admin(), host_name="lab", name="able", pool_name="all")
    found = shared(team)
    assert found[Sandbox.KATA].facts.nodes == 1
    assert found[Sandbox.GVISOR].code == "not-offered"
    assert reads.effective(ask(alice)).node_selector == {POOL: "all"}


def test_a_cluster_that_runs_keeps_its_sandbox_while_its_nodes_are_elsewhere(team, alice):
    see(PLAIN, ABLE)
    made = factories.ready(factories.observe(ask(alice), sandbox=Sandbox.KATA))
    asked = ask(alice, "second", sandbox="kata")
    see(LEAVING, replace(THEIRS, name="plain", uid="plain"))
    for cluster in (made, asked):
        now = reads.get(alice, "team", cluster.name)
        assert reads.effective(now).sandbox is Sandbox.KATA
        assert reads.refusal(now) == ""
    again = clusters.put(by=alice, tenant_name="team", name="first", spec_text='{"resources": {"pods": 9}}')
    assert again.cluster.name == "first"


def test_a_cluster_that_runs_cannot_change_to_what_only_others_nodes_can_run(team, alice):
    see(PLAIN, THEIRS)
    factories.ready(factories.observe(ask(alice), sandbox=Sandbox.GVISOR))
    with pytest.raises(Invalid, match="cannot run 'kata'"):
        ask(alice, sandbox="kata")
    assert ask(alice, sandbox="gvisor").spec_text


@pytest.mark.parametrize("isolation", [{}, {"sandbox": "gvisor"}])
def test_without_a_node_a_shared_cluster_is_refused_at_once(team, alice, isolation):
    see(THEIRS, replace(LEAVING, name="plain", uid="plain"))
    with pytest.raises(Invalid, match="has no place for it: no node takes its pods now"):
        ask(alice, **isolation)


def test_one_that_is_not_built_waits_for_a_node_and_says_so(team, alice):
    see(PLAIN)
    made = ask(alice)
    see(replace(THEIRS, name="plain", uid="plain"))
    now = reads.get(alice, "team", made.name)
    assert reads.effective(now) is None
    assert "no node takes its pods now" in reads.refusal(now)
    see(PLAIN)
    assert reads.effective(reads.get(alice, "team", made.name)).sandbox is Sandbox.GVISOR


def test_a_host_whose_nodes_were_not_seen_is_judged_as_a_whole(team):
    assert shared(team)[Sandbox.GVISOR].code == ""


def test_a_dedicated_cluster_is_offered_what_its_own_pool_can_run(team, alice):
    see(PLAIN, ABLE)
    pools.put(
        by=factories.admin(),
        host_name="lab",
        name="mine",
        wish=PoolWish(kind=PoolKind.DEDICATED, tenant="team"),
    )
    nodes.move(by=factories.admin(), host_name="lab", name="plain", pool_name="mine")
    made = ask(alice, model=IsolationModel.DEDICATED_POOL.value)
    assert reads.effective(made).sandbox is Sandbox.GVISOR
