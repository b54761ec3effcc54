"""Nothing of a tenant runs before its guard rails were seen to refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.ports import NAMESPACES, POLICIES, POLICY_BINDINGS, STATEFUL_SETS
from provisioner.reconcile import labels
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
