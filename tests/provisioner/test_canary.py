"""Nothing of a tenant runs before its guard rails were seen to refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.ports import NAMESPACES, PODS, POLICIES, POLICY_BINDINGS, SERVICES, STATEFUL_SETS
from provisioner.reconcile import canary_packets, labels
from tenancy.enums import ConditionType, Reason, Sandbox
from tests.fakes import policies
from tests.provisioner.harness import NS, Team

PROVEN = ConditionType.GUARD_RAILS_PROVEN


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
    return [*team.world.host.names(PODS, NS), *team.world.host.names(SERVICES, NS)]


def test_packets_are_tried_before_the_release_and_nothing_of_them_stays():
    team = Team()
    while not canaries(team):
        team.once()
    assert set(canaries(team)) == {"atoll-canary", "atoll-canary-listens", "atoll-canary-tries"}
    assert team.world.host.seen(STATEFUL_SETS, "cluster", NS) is None
    team.until_settled()
    assert not [name for name in canaries(team) if "canary" in name]


def test_a_canary_is_under_what_a_tenants_pod_is_under():
    team = Team()
    while not canaries(team):
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
def test_packets_that_go_where_they_must_not_stop_before_the_release(what, word, told):
    team = Team()
    team.world.reached[what] = word
    assert told in held_up(team)
    team.world.reached = {"fellow": "open"}
    team.until_settled()
    assert team.condition(PROVEN).true


def test_a_canary_without_a_word_is_sent_anew():
    team = Team()
    while not canaries(team):
        team.once()
    first = team.world.host.seen(PODS, canary_packets.TRIES, NS)
    first["status"] = {"phase": "Failed"}
    team.once()
    assert not canaries(team)
    team.until_settled()
    assert team.condition(PROVEN).true


def test_a_cluster_in_use_sends_no_canaries():
    team = Team()
    team.until_settled()
    team.world.host.writes.clear()
    team.wanted = replace(team.wanted, ever_ready=True)
    team.change(sandbox=Sandbox.GVISOR)
    team.until_settled()
    assert annotation(team) == f"2 {policies.VERSION}"
    assert not [key for _, key in team.world.host.writes if "canary" in key[2]]
