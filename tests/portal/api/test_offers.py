from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tenancy.enums import Sandbox, Trust
from tenancy.models import HostCluster
from tenancy.rules.runtimes import Overhead, RuntimeClass
from tenancy.rules.specs import facts_to_json
from tenancy.rules.survey import survey
from tests import factories
from tests.portal.api.client import assert_problem

KATA = RuntimeClass("kata-qemu", Overhead(Decimal("0.25"), Decimal(160 * 1024**2)))


def sandboxes(client, tenant="team", model="shared"):
    (host,) = client.get(f"/tenants/{tenant}/offers").json()["hosts"]
    (found,) = (m for m in host["models"] if m["name"] == model)
    return {s["name"]: s for s in found["sandboxes"]}


def see(facts):
    """The host as it was last seen."""
    HostCluster.objects.update(facts=facts_to_json(facts))


def test_what_an_untrusted_tenant_can_have(api):
    answer = api.get("/tenants/team/offers").json()
    (host,) = answer["hosts"]
    assert (answer["tenant"], answer["trust"]) == ("team", "untrusted")
    assert (host["name"], host["preferred"], host["known"]) == ("lab", True, True)
    assert host["kubernetesVersions"] == ["1.36"]
    assert host["persistences"] == ["persistent", "ephemeral"]
    found = sandboxes(api)
    assert [name for name, one in found.items() if one["offered"]] == ["gvisor"]
    assert (found["kata"]["code"], found["kata"]["nearest"]) == ("not-offered", "gvisor")
    assert "no RuntimeClass has the handler kata" in found["kata"]["reason"]
    assert found["none"]["code"] == "not-trusted"


def test_a_model_that_cannot_be_had_says_why(api):
    (host,) = api.get("/tenants/team/offers").json()["hosts"]
    dedicated = next(m for m in host["models"] if m["name"] == "dedicated-pool")
    assert (dedicated["offered"], "ask an admin for a pool" in dedicated["reason"]) == (False, True)


def test_what_a_sandbox_costs_and_cannot_use(api):
    node = replace(
        factories.NODE,
        labels={"katacontainers.io/kata-runtime": "true"},
        handlers={"kata-qemu": False},
        resources={"nvidia.com/gpu": 2},
    )
    classes = {"kata": KATA}
    found = survey((node,), classes, "v1.36.3")
    see(replace(factories.FACTS, runtime_classes=classes, sandboxes=found))
    kata = sandboxes(api)["kata"]
    assert (kata["offered"], kata["runtimeClass"]) == (True, "kata")
    assert kata["overheadPerPod"] == {"cpu": "250m", "memory": "160Mi"}
    assert "nvidia.com/pgpu" in kata["accelerators"]["nvidia.com/gpu"]


def test_a_host_not_looked_at_yet_says_nothing_of_itself(api):
    HostCluster.objects.update(facts={})
    (host,) = api.get("/tenants/team/offers").json()["hosts"]
    assert (host["known"], host["persistences"], sandboxes(api)) == (False, [], {})


def test_a_host_that_takes_no_clusters_is_not_offered(api):
    HostCluster.objects.update(accepts_clusters=False)
    assert api.get("/tenants/team/offers").json()["hosts"] == []


@pytest.mark.parametrize(
    ("sandbox", "words"),
    [
        ("kata", "host 'lab' cannot run 'kata': no RuntimeClass has the handler"),
        ("vnode", "pool of the tenant's own: use 'gvisor'"),
        ("userns", "pool of the tenant's own: use 'gvisor'"),
        ("none", "trusted tenants only: use 'gvisor'"),
    ],
)
def test_what_cannot_be_had_is_refused_at_once(api, sandbox, words):
    answer = api.put("/tenants/team/clusters/first", {"spec": {"isolation": {"sandbox": sandbox}}})
    assert_problem(answer, 400, "invalid")
    (fault,) = answer.json()["errors"]
    assert (fault["path"], words in fault["detail"]) == ("spec.isolation.sandbox", True)


def test_a_trusted_tenant_gets_what_the_node_can_do(admin):
    factories.host()
    factories.tenant("loose", trust=Trust.TRUSTED)
    offered = [name for name, one in sandboxes(admin, "loose").items() if one["offered"]]
    assert offered == ["gvisor", "userns", "none"]


def test_the_choice_left_to_atoll_stays_when_the_host_offers_more(admin):
    """A cluster made on gVisor does not become a Kata one because the host got Kata."""
    factories.host()
    factories.tenant("team2")
    made = factories.cluster(factories.admin(), "team2")
    factories.observe(made, sandbox=Sandbox.GVISOR)
    classes = {"kata": KATA, "gvisor": RuntimeClass("runsc")}
    node = replace(factories.NODE, labels={"katacontainers.io/kata-runtime": "true"}, handlers={})
    found = survey((node,), classes, "v1.36.3")
    see(replace(factories.FACTS, runtime_classes=classes, sandboxes=found))
    assert next(n for n, one in sandboxes(admin, "team2").items() if one["offered"]) == "kata"
    effective = admin.get("/tenants/team2/clusters/first").json()["status"]["effective"]
    assert effective["isolation"]["sandbox"] == "gvisor"
