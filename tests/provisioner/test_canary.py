"""Nothing of a tenant runs before its guard rails were seen to refuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from provisioner.outcomes import Wait
from provisioner.ports import (
    NAMESPACES,
    PODS,
    POLICIES,
    POLICY_BINDINGS,
    RESOURCE_QUOTAS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STATEFUL_SETS,
)
from provisioner.reconcile import canary_packets, labels
from tenancy.enums import ConditionType, Reason, Sandbox
from tests.fakes import policies
from tests.provisioner.harness import NS, Team

PROVEN = ConditionType.GUARD_RAILS_PROVEN
TRAFFIC = ConditionType.TRAFFIC_BLOCKED


def annotation(team):
    return team.world.host.seen(NAMESPACES, NS)["metadata"]["annotations"].get(labels.PROVEN)


def held_up(team):
    """Passes that do not get beyond the guard rails; what they say."""
    for _ in range(8):
        team.once()
        team.world.tick()
    assert team.world.host.seen(STATEFUL_SETS, "cluster", NS) is None
    assert team.reason(PROVEN) is Reason.GUARD_RAILS_OPEN
    return team.condition(PROVEN).message


def test_what_was_proven_is_noted_by_generation_and_version():
    team = Team()
    team.until_settled()
    assert annotation(team) == f"1 {policies.VERSION}"
    team.change(sandbox=Sandbox.GVISOR)
    team.until_settled()
    assert annotation(team) == f"2 {policies.VERSION}"


@pytest.mark.parametrize("kind", [POLICIES, POLICY_BINDINGS])
def test_a_missing_policy_stops_before_the_release_and_goes_on_when_it_is_there(kind):
    team = Team()
    team.world.host.drop(kind, "atoll-secrets")
    said = held_up(team)
    assert f"lacks {kind.name} atoll-secrets of version {policies.VERSION}" in said
    assert f"installs helm/host {policies.VERSION} anew" in said
    policies.install(team.world.host)
    team.until_settled()
    assert team.condition(PROVEN).true


def test_policies_of_another_version_stop():
    team = Team()
    policies.install(team.world.host, "0.1.0")
    assert "atoll-placement" in held_up(team)


@pytest.mark.parametrize(
    "policy", ["atoll-placement", "atoll-hardening", "atoll-pod-identity", "atoll-devices"]
)
def test_a_policy_that_refuses_nothing_stops(policy):
    team = Team()
    team.world.host.lenient.add(policy)
    assert f"policy {policy} does not refuse what it is for" in held_up(team)


def test_where_registries_are_limited_their_policy_is_tried():
    team = Team()
    team.wanted = replace(team.wanted, host=replace(team.wanted.host, allowed_registries=("docker.io",)))
    team.world.host.lenient.add("atoll-images")
    assert "policy atoll-images does not refuse" in held_up(team)


def test_a_plain_pod_must_be_given_its_sandbox():
    team = Team()
    team.world.host.lenient.add("atoll-inject")
    assert "atoll-inject does not give a plain pod runtimeClassName 'gvisor'" in held_up(team)


def test_an_older_host_fills_nothing_in_and_is_not_asked_to():
    team = Team()
    facts = replace(team.wanted.host.facts, version="v1.35.4")
    team.wanted = replace(team.wanted, host=replace(team.wanted.host, facts=facts))
    team.world.host.lenient.add("atoll-inject")
    team.until_settled()
    assert team.condition(PROVEN).true


def test_what_was_proven_is_not_tried_again_until_it_changes():
    team = Team()
    team.until_settled()
    team.world.host.lenient.add("atoll-placement")
    team.until_settled()
    assert team.condition(PROVEN).true
    team.change(sandbox=Sandbox.GVISOR)
    for _ in range(3):
        team.once()
    assert team.reason(PROVEN) is Reason.GUARD_RAILS_OPEN


def canaries(team):
    names = [*team.world.host.names(PODS, NS), *team.world.host.names(SERVICES, NS)]
    return {name for name in names if "canary" in name}


def test_packets_are_tried_before_the_first_access_and_nothing_of_them_stays():
    team = Team()
    team.once()
    assert canaries(team) == {"atoll-canary", canary_packets.LISTENS, canary_packets.TRIES}
    team.until_settled()
    assert not canaries(team)
    assert team.condition(TRAFFIC).true


def test_a_canary_is_under_what_a_tenants_pod_is_under():
    team = Team()
    team.once()
    spec = team.world.host.seen(PODS, canary_packets.TRIES, NS)["spec"]
    assert (spec["runtimeClassName"], spec["automountServiceAccountToken"]) == ("gvisor", False)
    assert spec["nodeSelector"].items() >= team.wanted.effective.node_selector.items()
    assert "169.254.169.254 80" in spec["containers"][0]["command"][-1]


@pytest.mark.parametrize(
    ("what", "word", "told"),
    [
        ("metadata", "open", "reaches metadata 169.254.169.254:80 (open)"),
        ("metadata", "refused", "enforces NetworkPolicy"),
        ("metadata", "error", "reaches metadata 169.254.169.254:80 (error)"),
        ("fellow", "silent", "do not reach one another (silent)"),
    ],
)
def test_while_packets_go_where_they_must_not_there_is_no_access(what, word, told):
    team = Team()
    team.world.reached[what] = word
    for _ in range(8):
        outcome = team.once()
        team.world.tick()
    assert isinstance(outcome, Wait)
    assert team.reason(TRAFFIC) in {Reason.GUARD_RAILS_OPEN, Reason.PROBE_RUNNING}
    assert team.condition(ConditionType.ACCESS_ISSUED) is None
    assert team.world.tenants[NS].names(SERVICE_ACCOUNTS, "atoll-system") == []
    said = [team.condition(TRAFFIC).message]
    while team.reason(TRAFFIC) is not Reason.GUARD_RAILS_OPEN:
        team.once()
        team.world.tick()
        said.append(team.condition(TRAFFIC).message)
    assert told in said[-1]
    team.world.reached = {"fellow": "open"}
    team.until_settled()
    assert team.condition(TRAFFIC).true


def test_a_canary_without_a_word_is_sent_anew():
    team = Team()
    team.once()
    team.world.host.seen(PODS, canary_packets.TRIES, NS)["status"] = {"phase": "Failed"}
    team.once()
    assert not canaries(team)
    team.until_settled()
    assert team.condition(TRAFFIC).true


def test_a_cluster_in_use_sends_no_canaries():
    team = Team()
    team.until_settled()
    team.world.host.writes.clear()
    team.wanted = replace(team.wanted, ever_ready=True)
    team.change(sandbox=Sandbox.GVISOR)
    team.until_settled()
    assert annotation(team) == f"2 {policies.VERSION}"
    assert not [key for _, key in team.world.host.writes if "canary" in key[2]]


def test_a_cluster_in_use_may_have_used_up_its_quota():
    team = Team()
    team.until_settled()
    full = {"metadata": {"name": "full", "namespace": NS}, "spec": {"hard": {"pods": "0"}}}
    team.world.host.put(RESOURCE_QUOTAS, full)
    team.change(sandbox=Sandbox.GVISOR)
    team.wanted = replace(team.wanted, ever_ready=False)
    for _ in range(3):
        team.once()
    assert team.reason(PROVEN) is Reason.GUARD_RAILS_OPEN
    assert "exceeded quota" in team.condition(PROVEN).message
    team.wanted = replace(team.wanted, ever_ready=True)
    team.until_settled()
    assert team.condition(PROVEN).true


def test_a_canary_is_given_its_minute_by_our_own_clock(monkeypatch):
    """The host's clock is an hour behind, and nothing answers: as on a node that died."""
    team = Team()
    monkeypatch.setattr(team.world, "_canaries", lambda _namespace: None)
    for _ in range(6):
        team.once()
        team.world.tick()
    (first,) = sent(team)
    first["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    team.once()
    assert sent(team) == [first]
    team.world.now += timedelta(seconds=61)
    team.once()
    team.once()
    (second,) = sent(team)
    assert second["metadata"]["uid"] != first["metadata"]["uid"]


def sent(team):
    return [seen for seen in [team.world.host.seen(PODS, canary_packets.TRIES, NS)] if seen]
