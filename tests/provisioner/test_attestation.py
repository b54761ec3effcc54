"""Every claim by itself: what breaks it, that it alone fails and names its control, and what cannot run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from provisioner.outcomes import Wait
from provisioner.ports import (
    CLUSTER_ROLES,
    LIMIT_RANGES,
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    POLICIES,
    POLICY_BINDINGS,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    STATEFUL_SETS,
)
from provisioner.reconcile import labels, packets
from provisioner.reconcile.attestation import probe, report
from provisioner.reconcile.attestation.claims import CLAIMS, HOST, NEIGHBOURLY
from tenancy.enums import ClaimResult
from tests.fakes.kube import forbidden
from tests.fakes.world import RUNC
from tests.provisioner.attested import end_probe, sound, step, tenant_pod, whole, wish_of
from tests.provisioner.harness import NS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "attestation.md"


@pytest.fixture
def attested(ready):
    return sound(ready)


def bad(made):
    """Claim → result of those that did not pass."""
    return {c.id: c.result for c in made.claims if c.result is not ClaimResult.PASSED}


def object_of(team, kind, name, namespace=NS):
    found = team.world.host.seen(kind, name, namespace)
    assert found is not None
    return found


def relabel(team):
    object_of(team, NAMESPACES, NS, "")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = (
        "privileged"
    )


def widen_selector(team):
    object_of(team, NAMESPACES, NS, "")["metadata"]["annotations"][labels.NODE_SELECTOR] = "any=node"


def raise_quota(team):
    object_of(team, RESOURCE_QUOTAS, "atoll-quota")["spec"]["hard"]["requests.nvidia.com/gpu"] = "8"


def uncounted_quota(team):
    object_of(team, RESOURCE_QUOTAS, "atoll-quota")["status"]["hard"].pop("pods")


def drop_limits(team):
    team.world.host.drop(LIMIT_RANGES, "atoll-defaults", NS)


def open_network(team):
    object_of(team, NETWORK_POLICIES, "atoll-tenant-pods")["spec"]["egress"].append({})


def drop_deny(team):
    team.world.host.drop(NETWORK_POLICIES, "atoll-deny", NS)


def add_policy(team):
    extra = {"metadata": {"name": "extra", "namespace": NS}, "spec": {"egress": [{}]}}
    team.world.host.put(NETWORK_POLICIES, extra)


def drop_policy(team):
    team.world.host.drop(POLICIES, "atoll-hardening")


def old_policy(team):
    object_of(team, POLICIES, "atoll-secrets", "")["metadata"]["labels"][
        "tenancy.atoll.internal/policies"
    ] = "0.0.1"


def empty_policy(team):
    object_of(team, POLICIES, "atoll-secrets", "")["spec"]["validations"] = []


def open_policy(team):
    object_of(team, POLICIES, "atoll-secrets", "")["spec"]["failurePolicy"] = "Ignore"


def drop_binding(team):
    team.world.host.drop(POLICY_BINDINGS, "atoll-placement")


def soften_binding(team):
    object_of(team, POLICY_BINDINGS, "atoll-placement", "")["spec"]["validationActions"] = ["Audit"]


def narrow_binding(team):
    match = {"namespaceSelector": {"matchLabels": {"tenancy.atoll.internal/tenant": "another"}}}
    object_of(team, POLICY_BINDINGS, "atoll-placement", "")["spec"]["matchResources"] = match


def widen_role(team):
    object_of(team, CLUSTER_ROLES, "atoll-syncer", "")["rules"].append({"verbs": ["*"]})


def bind_another(team):
    team.world.host.put(
        ROLE_BINDINGS, {"metadata": {"name": "mine", "namespace": NS}, "roleRef": {"name": "edit"}}
    )


def share_role(team):
    object_of(team, ROLE_BINDINGS, "vc-cluster")["subjects"].append({"kind": "User", "name": "eve"})


def pod(**spec):
    return lambda team: team.world.host.put(PODS, tenant_pod(**spec))


def stranger(team):
    made = tenant_pod()
    made["metadata"] = {"name": "stranger", "namespace": NS}
    team.world.host.put(PODS, made)


def other_image(team):
    spec = object_of(team, STATEFUL_SETS, "cluster")["spec"]["template"]["spec"]
    spec["containers"][0]["image"] = "docker.io/eve/vcluster:1"


def other_image_in_pod(team):
    object_of(team, PODS, "cluster-0")["spec"]["containers"] = [{"image": "docker.io/eve/vcluster:1"}]


BROKEN = [
    (relabel, "namespace"),
    (widen_selector, "namespace"),
    (raise_quota, "quota"),
    (uncounted_quota, "quota"),
    (drop_limits, "limits"),
    (open_network, "network-policies"),
    (drop_deny, "network-policies"),
    (add_policy, "network-policies"),
    (drop_policy, "host-policies"),
    (old_policy, "host-policies"),
    (empty_policy, "host-policies"),
    (open_policy, "host-policies"),
    (drop_binding, "host-policies"),
    (soften_binding, "host-policies"),
    (narrow_binding, "host-policies"),
    (widen_role, "syncer-role"),
    (bind_another, "syncer-role"),
    (share_role, "syncer-role"),
    (pod(runtimeClassName=None), "pods-sandboxed"),
    (pod(runtimeClassName="runc"), "pods-sandboxed"),
    (pod(hostNetwork=True), "pods-harmless"),
    (pod(volumes=[{"name": "root", "hostPath": {"path": "/"}}]), "pods-harmless"),
    (pod(serviceAccountName="vc-cluster"), "pods-harmless"),
    (pod(volumes=[{"name": "t", "projected": {"sources": [{"serviceAccountToken": {}}]}}]), "pods-harmless"),
    (pod(containers=[{"image": "i", "securityContext": {"privileged": True}}]), "pods-harmless"),
    (stranger, "pods-harmless"),
    (other_image, "control-plane"),
    (other_image_in_pod, "control-plane"),
]


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
