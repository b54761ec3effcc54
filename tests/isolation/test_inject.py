"""A pod that leaves its placement open gets the safe values of its namespace, and keeps its own wishes."""

from __future__ import annotations

import pytest

from tests.isolation.host import eventually
from tests.isolation.pod_attacks import GATE
from tests.isolation.shapes import SYNCER, WEB, bare, context, merged, pod, toleration

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

POOL = {"key": "pool", "operator": "Equal", "value": "blue", "effect": "NoSchedule"}


def made(host, body, *, namespace=""):
    """Judged in full and answered as it would be stored."""
    namespace = namespace or host.tenant
    who = SYNCER.replace("{ns}", namespace)
    return host.send("POST", f"/api/v1/namespaces/{namespace}/pods", body, who=who, dry=True)


@pytest.fixture(scope="module")
def settled(host):
    for namespace in (host.tenant, host.mapped):
        eventually(
            lambda n=namespace: made(host, pod({"nodeName": "x"}), namespace=n).refused_by(
                host.names("placement")
            ),
            "placement is in force",
        )
    eventually(lambda: made(host, bare()).status == 201, f"injected: {made(host, bare())}")
    return host


@pytest.fixture
def without_inject(settled):
    taken = [d for d in settled.documents() if "Mutating" in d["kind"]]
    for document in taken:
        settled.remove(document)
    yield settled
    for document in taken:
        settled.install(document)
    eventually(lambda: made(settled, bare()).status == 201, "injected again")


def test_a_bare_pod_gets_sandbox_nodes_and_tolerations(settled):
    spec = made(settled, bare()).spec
    assert spec["runtimeClassName"] == "iso"
    assert spec["nodeSelector"] == {"pool": "blue", "zone": "a"}
    assert spec["tolerations"].count(POOL) == 1
    assert "hostUsers" not in spec


def test_no_container_may_send_raw_packets(settled):
    """Runtimes let it unless it is said otherwise; what a container says besides stays."""
    adds = {"capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["KILL"]}, "runAsUser": 5}
    first = {"name": "first", "image": WEB, "securityContext": {"runAsUser": 6}}
    body = pod({"initContainers": [first]}, container={"securityContext": adds})
    spec = made(settled, body).spec
    capabilities = {"add": ["NET_BIND_SERVICE"], "drop": ["KILL", "NET_RAW"]}
    assert spec["containers"][0]["securityContext"] == {"capabilities": capabilities, "runAsUser": 5}
    assert spec["initContainers"][0]["securityContext"] == {
        "capabilities": {"drop": ["NET_RAW"]},
        "runAsUser": 6,
    }
    confined = made(settled, context(capabilities={"drop": ["ALL"]})).spec
    assert confined["containers"][0]["securityContext"] == {"capabilities": {"drop": ["ALL"]}}


def test_nor_may_one_that_is_added_for_debugging(settled):
    debug = {"name": "debug", "image": WEB}
    path = f"/api/v1/namespaces/{settled.tenant}/pods/running/ephemeralcontainers"
    answer = settled.send(
        "PATCH",
        path,
        {"spec": {"ephemeralContainers": [debug]}},
        who=SYNCER.replace("{ns}", settled.tenant),
        dry=True,
    )
    assert answer.status == 200, answer
    (added,) = answer.spec["ephemeralContainers"]
    assert added["securityContext"] == {"capabilities": {"drop": ["NET_RAW"]}}


def gpu(body):
    """The same pod with a device."""
    limits = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    return merged(body, {"spec": {"containers": [{**body["spec"]["containers"][0], **limits}]}})


def test_a_pod_with_devices_gets_nodes_without_known_ways_out(settled):
    for body in (gpu(bare()), gpu(pod({"nodeSelector": {"mine": "too"}}))):
        assert made(settled, body).spec["nodeSelector"][GATE] == "clean"
    assert GATE not in made(settled, bare()).spec["nodeSelector"]
    trusted = {"metadata": {"labels": {"tenancy.atoll.internal/trust": "trusted"}}}
    path = f"/api/v1/namespaces/{settled.tenant}"
    assert settled.send("PATCH", path, trusted).status == 200
    try:
        eventually(
            lambda: GATE not in made(settled, gpu(bare())).spec["nodeSelector"], "trusted tenants are free"
        )
        assert made(settled, gpu(pod({"nodeSelector": {GATE: "exposed"}}))).status == 201
    finally:
        trusted["metadata"]["labels"]["tenancy.atoll.internal/trust"] = None
        settled.send("PATCH", path, trusted)
    eventually(lambda: GATE in made(settled, gpu(bare())).spec["nodeSelector"], "gated again")


def test_a_pod_with_devices_gets_the_nodes_of_their_model(settled):
    modelled = {"resources": {"limits": {"example.com/modelled": "1"}}}
    body = bare()
    body["spec"]["containers"][0] |= modelled
    selector = made(settled, body).spec["nodeSelector"]
    assert (selector["example.com/model"], selector["tier"], selector[GATE]) == ("X1", "fast", "clean")
    assert "tier" not in made(settled, gpu(bare())).spec["nodeSelector"]


def test_what_a_pod_says_itself_stays(settled):
    spec = made(settled, pod({"nodeSelector": {"zone": None, "mine": "too"}, "tolerations": [POOL]})).spec
    assert spec["nodeSelector"] == {"pool": "blue", "zone": "a", "mine": "too"}
    assert spec["tolerations"].count(POOL) == 1


def test_a_wish_for_more_is_not_overwritten_but_refused(settled):
    assert made(settled, bare({"runtimeClassName": "iso-other"})).refused_by(settled.names("placement"))
    assert made(settled, bare({"nodeSelector": {"pool": "red"}})).refused_by(settled.names("placement"))
    assert made(settled, toleration(operator="Exists")).refused_by(settled.names("placement"))


def test_user_namespaces_are_given_where_they_are_required(settled):
    assert made(settled, bare(), namespace=settled.mapped).spec["hostUsers"] is False
    wish = made(settled, bare({"hostUsers": True}), namespace=settled.mapped)
    assert wish.refused_by(settled.names("placement")), wish
    assert made(settled, bare({"hostUsers": False}), namespace=settled.mapped).status == 201


def test_without_injection_the_validating_policy_still_holds(without_inject):
    host, quiet = without_inject, context(capabilities={"drop": ["NET_RAW"]})
    for unset in ({"runtimeClassName": None, "nodeSelector": None}, {"nodeSelector": {"zone": None}}):
        body = merged(quiet, {"spec": unset})
        eventually(
            lambda b=body: made(host, b).refused_by(host.names("placement")), f"refused: {made(host, body)}"
        )
    assert made(host, quiet).status == 201
    assert made(host, pod()).refused_by(host.names("hardening"))
    assert made(host, gpu(quiet)).refused_by(host.names("gpu-gate"))
    unmapped = made(host, quiet, namespace=host.mapped)
    assert unmapped.refused_by(host.names("placement")), unmapped
