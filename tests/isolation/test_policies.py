"""Every attack is refused by the policy that is for it, its neighbour passes, and no policy is idle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.isolation.attacks import ATTACKS
from tests.isolation.host import eventually
from tests.isolation.shapes import SYNCER, named, pod

if TYPE_CHECKING:
    from tests.isolation.shapes import Request

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

TOPICS = sorted({attack.policy for attack in ATTACKS})


def sent(host, request: Request, who: str):
    """Judged in full by the API server; nothing is written."""
    node = (
        host.api.get("/api/v1/nodes").json()["items"][0]["metadata"]["name"]
        if "{node}" in request.path
        else ""
    )
    words = {
        "{ns}": host.tenant,
        "{other}": host.other,
        "{mapped}": host.mapped,
        "{label}": host.label,
        "{node}": node,
    }

    def filled(text: str) -> str:
        for mark, word in words.items():
            text = text.replace(mark, word)
        return text

    body = None if request.body is None else json.loads(filled(json.dumps(request.body)))
    return host.send(request.method, filled(request.path), body, who=filled(who), dry=True)


@pytest.fixture(scope="module")
def settled(host):
    """The host with every policy of the copy in force."""
    for topic in TOPICS:
        attack = next(a for a in ATTACKS if a.policy == topic)
        eventually(
            lambda a=attack: sent(host, a.bad, a.who).refused_by(host.names(a.policy)),
            f"{topic} is in force: {sent(host, attack.bad, attack.who)}",
        )
    return host


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: f"{a.policy}: {a.name}")
def test_attack_is_refused_and_its_neighbour_is_not(settled, attack):
    bad = sent(settled, attack.bad, attack.who)
    assert any(bad.refused_by(settled.names(p)) for p in (attack.policy, *attack.also)), bad
    good = sent(settled, attack.good, attack.who)
    assert good.status in {200, 201}, good


def test_every_policy_has_attacks(settled):
    """What mutates refuses nothing: ``test_inject`` is its test."""
    policies = {d["metadata"]["name"] for d in settled.documents() if "Mutating" not in d["kind"]}
    assert policies == {settled.policy(topic) for topic in TOPICS}


@pytest.mark.parametrize("topic", TOPICS)
def test_without_a_policy_its_attacks_get_through(settled, topic):
    attacks = [a for a in ATTACKS if a.policy == topic]
    (policy,) = (
        d
        for d in settled.documents()
        if d["metadata"]["name"] == settled.policy(topic) and "Binding" not in d["kind"]
    )
    settled.remove(policy)
    try:
        eventually(
            lambda: any(sent(settled, a.bad, a.who).status in {200, 201} for a in attacks),
            f"without {topic} an attack is admitted: {[sent(settled, a.bad, a.who) for a in attacks]}",
        )
    finally:
        settled.install(policy)
    eventually(
        lambda: all(
            sent(settled, a.bad, a.who).refused_by(settled.names(topic)) for a in attacks if not a.also
        ),
        f"{topic} is in force again",
    )


def test_whoever_deletes_a_pod_gives_it_an_hour_at_most(settled):
    """The host shortens the grace of a pod without a node to none: this one has one, which does not exist."""
    pods = f"/api/v1/namespaces/{settled.tenant}/pods"
    settled.make(pods, pod(meta={"name": "bound"}))
    target = named("Binding", "bound", target={"apiVersion": "v1", "kind": "Node", "name": settled.mark})
    settled.make(f"{pods}/bound/binding", target)

    def ended(seconds):
        # Options in a body are the only ones: those of the query are not read.
        options = {"gracePeriodSeconds": seconds, "dryRun": ["All"]}
        body = {"kind": "DeleteOptions", "apiVersion": "v1", **options}
        return settled.send("DELETE", f"{pods}/bound", body, who=SYNCER.replace("{ns}", settled.tenant))

    assert ended(3601).refused_by(settled.names("frozen"))
    assert ended(3600).status == 200
    assert ended(0).status == 200


def test_the_api_server_finds_no_fault_in_the_expressions(settled):
    for document in settled.documents():
        if document["kind"] != "ValidatingAdmissionPolicy":
            continue
        path = f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{document['metadata']['name']}"

        def status(path=path):
            return settled.api.get(path).json().get("status", {})

        eventually(lambda status=status: "typeChecking" in status(), f"{path} was checked")
        assert status()["typeChecking"] == {}, document["metadata"]["name"]
