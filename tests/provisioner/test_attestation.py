"""Every claim by itself: what breaks it, that it alone fails and names its control, and what cannot run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from provisioner.outcomes import Wait
from provisioner.ports import PODS, RESOURCE_QUOTAS
from provisioner.reconcile import labels, packets
from provisioner.reconcile.attestation import probe, report
from provisioner.reconcile.attestation.claims import CLAIMS, HOST, NEIGHBOURLY
from tenancy.enums import ClaimResult
from tests.fakes.kube import forbidden
from tests.fakes.world import RUNC
from tests.provisioner.attested import end_probe, sound, step, whole, wish_of
from tests.provisioner.breaking import BROKEN, account, bind_on_the_host, group, lenient, weaken_policy
from tests.provisioner.harness import NS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "attestation.md"


@pytest.fixture
def attested(ready):
    return sound(ready)


def bad(made):
    """Claim → result of those that did not pass."""
    return {c.id: c.result for c in made.claims if c.result is not ClaimResult.PASSED}


def test_where_all_is_well_every_claim_passes(attested):
    made = whole(attested)
    assert bad(made) == {}
    assert [c.id for c in made.claims] == [c.id for c in CLAIMS]


@pytest.mark.parametrize(("break_", "claim"), BROKEN)
def test_what_is_broken_on_the_host_fails_its_claim_alone(attested, break_, claim):
    break_(attested)
    made = whole(attested)
    assert {k for k in bad(made) if claim != "control-plane" or k != "pods-harmless"} == {claim}
    (found,) = (c for c in made.claims if c.id == claim)
    assert found.result is ClaimResult.FAILED
    assert found.control
    assert found.source == HOST


@pytest.mark.parametrize(
    "bind",
    [
        bind_on_the_host(account("atoll-other-second-0a0b0c0d")),
        bind_on_the_host({"kind": "User", "name": "alice"}),
        bind_on_the_host(group("system:authenticated"), **{labels.KEPT: "a-dashboard"}),
    ],
)
def test_rights_of_others_on_the_host_are_no_fault_of_this_cluster(attested, bind):
    bind(attested)
    assert bad(whole(attested)) == {}


def test_a_weaker_expression_is_told_with_both(attested):
    weaken_policy(attested)
    (found,) = (c for c in whole(attested).claims if c.id == "host-policies")
    told = "ValidatingAdmissionPolicy atoll-hardening: spec.validations[0].expression is true, not object.spec.safe"
    assert found.evidence == told


def test_a_tenant_that_used_up_its_quota_fails_no_claim_about_policies(attested):
    full = {"metadata": {"name": "full", "namespace": NS}, "spec": {"hard": {"pods": "0"}}}
    attested.world.host.put(RESOURCE_QUOTAS, full)
    assert bad(whole(attested)) == {}
    lenient("atoll-hardening")(attested)
    assert bad(whole(attested)) == {"policies-refuse": ClaimResult.FAILED}


def test_the_evidence_names_the_policies_that_refused(attested):
    (found,) = (c for c in whole(attested).claims if c.id == "policies-refuse")
    assert "atoll-placement, atoll-hardening, atoll-pod-identity, atoll-devices" in found.evidence


def test_a_pod_on_a_foreign_node_fails_its_placement(attested):
    from dataclasses import replace

    host = replace(attested.wanted.host, workload_selector={"pool": "mine"})
    effective = replace(attested.wanted.effective, node_selector={"pool": "mine"})
    attested.wanted = replace(attested.wanted, host=host, effective=effective)
    attested.until_settled()
    sound(attested)
    assert "pods-placed" in bad(whole(attested))


@pytest.mark.parametrize("word", ["open", "refused", "something"])
@pytest.mark.parametrize(
    ("what", "claim"),
    [
        ("host_api", "closed-host-api"),
        ("kubelet", "closed-kubelets"),
        ("node", "closed-nodes"),
        ("metadata", "closed-metadata"),
        ("neighbour_api", "closed-neighbour-api"),
        ("neighbour_pod", "closed-neighbour-pod"),
    ],
)
def test_any_answer_fails_what_must_be_closed(attested, what, claim, word):
    """A refusal is an answer too: the packet arrived."""
    assert bad(whole(attested, **{what: word})) == {claim: ClaimResult.FAILED}


def test_an_attempt_that_failed_by_itself_did_not_run(attested):
    assert bad(whole(attested, kubelet="error")) == {"closed-kubelets": ClaimResult.NOT_RUN}


@pytest.mark.parametrize("what", ["own_dns", "own_api"])
def test_silence_proves_nothing_where_the_network_is_dead(attested, what):
    made = bad(whole(attested, **{what: "error"}))
    assert made.pop("network-works") is ClaimResult.FAILED
    assert made == {c.id: ClaimResult.NOT_RUN for c in CLAIMS if c.id.startswith("closed-")}


@pytest.mark.parametrize(
    ("words", "claim"),
    [
        ({"said": RUNC}, "sandbox"),
        ({"caps": "00000000a80425fb"}, "pod-identity"),
        ({"token": "present"}, "pod-identity"),
    ],
)
def test_what_a_pod_sees_of_itself(attested, words, claim):
    assert bad(whole(attested, **words)) == {claim: ClaimResult.FAILED}


@pytest.mark.parametrize("message", ["", "garbage", "net half"])
def test_a_probe_that_told_nothing_did_not_run(attested, message):
    wish = wish_of(attested)
    step(attested, wish)
    end_probe(attested, message)
    made = step(attested, wish)
    tenants = {c.id for c in CLAIMS if c.source != HOST}
    assert bad(made) == dict.fromkeys(tenants, ClaimResult.NOT_RUN)


def test_a_probe_that_never_ends_is_waited_for_and_then_did_not_run(attested):
    wish = wish_of(attested)
    assert isinstance(step(attested, wish), Wait)
    assert isinstance(step(attested, wish), Wait)
    attested.world.now += report.PATIENCE + timedelta(seconds=1)
    made = step(attested, wish)
    assert bad(made)["network-works"] is ClaimResult.NOT_RUN
    assert attested.world.tenants[NS].names(PODS, "atoll-system") == []


def test_a_tenants_api_that_is_gone_makes_its_claims_not_run(attested):
    attested.world.tenants.clear()
    wish = wish_of(attested)
    assert isinstance(step(attested, wish), Wait)
    attested.world.now += report.PATIENCE + timedelta(seconds=1)
    made = step(attested, wish)
    assert set(bad(made)) == {c.id for c in CLAIMS if c.source != HOST}


@pytest.mark.parametrize(
    ("plural", "claim"),
    [
        ("resourcequotas", "quota"),
        ("validatingadmissionpolicies", "host-policies"),
        ("clusterroles", "syncer-role"),
        ("networkpolicies", "network-policies"),
    ],
)
def test_a_right_that_is_missing_makes_its_claim_not_run(attested, plural, claim):
    wish = wish_of(attested)
    step(attested, wish)
    from tests.provisioner.attested import told

    end_probe(attested, told(wish, attested.world.host))
    attested.world.host.refuse = forbidden(plural)
    assert bad(step(attested, wish)) == {claim: ClaimResult.NOT_RUN}


def test_without_a_neighbour_there_is_nothing_to_claim_of_one(attested):
    made = whole(attested, wish_of(attested, neighbour=None))
    assert bad(made) == {}
    assert {c.id for c in CLAIMS} - {c.id for c in made.claims} == NEIGHBOURLY


def test_the_probe_asks_for_nothing_and_is_removed(attested):
    wish = wish_of(attested)
    step(attested, wish)
    made = attested.world.tenants[NS].seen(PODS, probe.name(wish.uid), "atoll-system")
    assert made is not None
    assert {"runtimeClassName", "nodeName", "hostNetwork", "volumes"} & made["spec"].keys() == set()
    whole(attested)
    assert attested.world.tenants[NS].names(PODS, "atoll-system") == []


def test_many_nodes_do_not_make_a_long_probe(attested):
    from provisioner.ports import NODES
    from tests.provisioner.attested import told

    for number in range(50):
        status = {"addresses": [{"type": "InternalIP", "address": f"10.0.1.{number}"}]}
        attested.world.host.put(NODES, {"metadata": {"name": f"n{number}"}, "status": status})
    text = told(wish_of(attested), attested.world.host)
    assert text.count("kubelet") == packets.NODES_TRIED
    assert len(text) < 4096


def test_every_claim_is_explained_in_the_document():
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    table = {tuple(cell.strip() for cell in row.strip("|").split("|"))[:4] for row in rows}
    assert table >= {(f"`{c.id}`", c.source, c.title, c.control) for c in CLAIMS}
    assert len({c.id for c in CLAIMS}) == len(CLAIMS)
