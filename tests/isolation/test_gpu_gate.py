"""The whole gate on a real host: what runs on a node decides its label, and the label who gets its devices."""

from __future__ import annotations

import pytest

from lab import api
from lab.shell import run, succeeds
from provisioner.adapters.hosts import RealHosts
from provisioner.reconcile import discovery
from tenancy.enums import ConditionStatus, Trust
from tenancy.rules.gpu import LABEL
from tenancy.rules.specs import PlacedCluster
from tests.contract.conftest import access
from tests.fakes.world import FakeGuard
from tests.isolation.host import eventually
from tests.isolation.shapes import named, pod
from tests.provisioner.harness import ADVISORIES

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

NODE, GPU = "worker-1", "nvidia.com/gpu"
BUSYBOX = "docker.io/library/busybox:1.36.1"
TOOLKIT = "nvcr.io/nvidia/k8s/container-toolkit"
OLD, NEW = "v1.17.7-ubuntu20.04", "v1.19.1-ubuntu20.04"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
POLICIES = "/apis/nvidia.com/v1/clusterpolicies"
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "clusterpolicies.nvidia.com"},
    "spec": {
        "group": "nvidia.com",
        "scope": "Cluster",
        "names": {"kind": "ClusterPolicy", "plural": "clusterpolicies"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                },
            }
        ],
    },
}


class Gate:
    """A tenant's namespace under the policies, a node with pretend accelerators, and an operator beside."""

    def __init__(self, host, home) -> None:
        self.host = host
        self.space, self.operator = f"{host.mark}-gpu", f"{host.mark}-operator"
        kubeconfig = api.describe(home).kubeconfig
        self.access = access(f"file:{kubeconfig}")
        self.hosts = RealHosts(helm="helm", home=home, chart=home)
        self.cluster = PlacedCluster("team", "first", self.space, Trust.UNTRUSTED, {})

    def look(self):
        """One look of the provisioner; the node's facts and the label that the host now has on it."""
        seen, _ = discovery.look(self.access, self.hosts, FakeGuard(), ADVISORIES, [self.cluster])
        assert seen.status is ConditionStatus.TRUE, seen.message
        (facts,) = (n.gpu for n in seen.nodes or () if n.name == NODE)
        return facts, self.get(f"/api/v1/nodes/{NODE}")["metadata"]["labels"].get(LABEL)

    def get(self, path):
        return self.host.api.get(path).json()

    def toolkit(self, tag) -> None:
        """A pod as the operator's daemon set makes it, which runs well."""
        pods = f"/api/v1/namespaces/{self.operator}/pods"
        name = "nvidia-container-toolkit-daemonset-x"
        self.host.send("DELETE", f"{pods}/{name}")
        eventually(lambda: self.host.send("GET", f"{pods}/{name}").status == 404, "the old one is gone")
        body = named("Pod", name)
        body["metadata"]["labels"] = {"app": "nvidia-container-toolkit-daemonset"}
        container = {"name": "ctr", "image": f"{TOOLKIT}:{tag}", "command": ["sleep", "1000"]}
        body["spec"] = {"terminationGracePeriodSeconds": 0, "nodeName": NODE, "containers": [container]}
        self.host.make(pods, body)
        eventually(lambda: condition(self.get(f"{pods}/{name}"), "Ready") == "True", f"{tag} runs")

    def tenant_pod(self, name, **selector):
        """With a device, as the syncer makes it."""
        container = {"image": BUSYBOX, "command": ["sleep", "1000"], "resources": {"limits": {GPU: "1"}}}
        spec = {"runtimeClassName": "gvisor", "nodeSelector": {"pool": None, "zone": None, **selector}}
        body = pod({**spec, "terminationGracePeriodSeconds": 0}, container=container, meta={"name": name})
        return self.host.send("POST", f"/api/v1/namespaces/{self.space}/pods", body)

    def found(self, name):
        return self.get(f"/api/v1/namespaces/{self.space}/pods/{name}")


def condition(found, kind):
    """Empty as long as there is none, and where a busy API server answered something else."""
    conditions = found["status"].get("conditions", []) if found["kind"] == "Pod" else []
    return next((c["status"] for c in conditions if c["type"] == kind), "")


@pytest.fixture(scope="module")
def gate(host, lab_home):
    made = Gate(host, lab_home)
    instance, programs = api.instance_of(lab_home)
    (node,) = (n for n in instance.nodes if n.name == NODE)
    ctr = [str(programs / "ctr"), "-a", str(node.containerd), "-n", "k8s.io", "images"]
    body = named("Namespace", made.space)
    body["metadata"]["labels"] = {host.label: "", "tenancy.atoll.internal/runtime-class": "gvisor"}
    body["metadata"]["annotations"] = {
        "tenancy.atoll.internal/node-selector": "",
        "tenancy.atoll.internal/extended-resources": GPU,
        "tenancy.atoll.internal/image-registries": "docker.io/library",
        "tenancy.atoll.internal/image-digests": "any",
    }
    host.make("/api/v1/namespaces", body)
    host.make("/api/v1/namespaces", named("Namespace", made.operator))
    for space, names in {made.space: ["default", "vc-workload-cluster"], made.operator: ["default"]}.items():
        accounts = f"/api/v1/namespaces/{space}/serviceaccounts"
        if "vc-workload-cluster" in names:
            host.make(accounts, named("ServiceAccount", "vc-workload-cluster"))
        eventually(lambda a=accounts: host.send("GET", f"{a}/default").status == 200, "an account")
    for tag in (OLD, NEW):
        run([*ctr, "tag", "--force", BUSYBOX, f"{TOOLKIT}:{tag}"])
    yield made
    for tag in (OLD, NEW):
        succeeds([*ctr, "delete", f"{TOOLKIT}:{tag}"])
    for path in (made.space, made.operator):
        host.send("DELETE", f"/api/v1/namespaces/{path}")
    host.send("DELETE", f"{CRDS}/{CRD['metadata']['name']}")
    host.send("PATCH", f"/api/v1/nodes/{NODE}", {"metadata": {"labels": {LABEL: None}}})


def test_a_node_takes_untrusted_gpu_pods_once_its_software_is_clean_and_only_then(gate):
    facts, label = gate.look()
    assert (facts.toolkit, label) == (None, "unknown")

    gate.host.make(CRDS, CRD)
    policy = {**named("ClusterPolicy", "cluster-policy", "nvidia.com/v1"), "spec": {"cdi": {"enabled": True}}}
    policy["status"] = {"namespace": gate.operator, "state": "ready"}
    eventually(lambda: gate.host.send("GET", POLICIES).status == 200, "the kind is served")
    gate.host.make(POLICIES, policy)
    gate.toolkit(OLD)
    facts, label = gate.look()
    assert (facts.toolkit.version, facts.cdi, label) == (OLD, True, "exposed")

    for verdict in ("exposed", "unknown", ""):
        refused = gate.tenant_pod("sly", **{LABEL: verdict})
        assert refused.refused_by(gate.host.names("gpu-gate")), refused
    assert gate.tenant_pod("train").status == 201
    eventually(lambda: condition(gate.found("train"), "PodScheduled") == "False", "it waits for a clean node")
    assert "nodeName" not in gate.found("train")["spec"]
    facts, _ = gate.look()
    assert facts.tenancies == ()

    gate.toolkit(NEW)
    assert gate.look()[1] == "clean"
    eventually(lambda: gate.found("train")["spec"].get("nodeName") == NODE, "the pod has its node")
    eventually(lambda: condition(gate.found("train"), "Ready") == "True", "it runs")

    gate.toolkit(OLD)
    facts, label = gate.look()
    assert label == "exposed"
    assert [(t.tenant, t.cluster, t.pods) for t in facts.tenancies] == [("team", "first", ("train",))]
    assert condition(gate.found("train"), "Ready") == "True"


def test_a_kubelet_cannot_call_its_node_clean(gate):
    _, label = gate.look()
    who = {"Impersonate-User": f"system:node:{NODE}", "Impersonate-Group": "system:nodes"}

    def says(**labels):
        headers = {"Content-Type": "application/merge-patch+json", **who}
        body = {"metadata": {"labels": labels}}
        return gate.host.api.patch(f"/api/v1/nodes/{NODE}", json=body, headers=headers)

    refused = says(**{LABEL: "clean"})
    assert (refused.status_code, "is not allowed to modify labels" in refused.text) == (403, True), (
        refused.text
    )
    assert says(**{"iso.test/mine": "too"}).status_code == 200
    assert says(**{"iso.test/mine": None}).status_code == 200
    assert gate.get(f"/api/v1/nodes/{NODE}")["metadata"]["labels"][LABEL] == label
