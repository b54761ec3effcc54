"""Which GPU software a node runs, and the label and the tenants that follow from it."""

from __future__ import annotations

import pytest

from provisioner.ports import GPU_POLICIES, NAMESPACES, NODES, PODS, RESOURCE_QUOTAS, Refused
from provisioner.reconcile import discovery, gpu_gate
from provisioner.reconcile.limits import QUOTA
from tenancy.enums import ConditionStatus, GpuComponent, GpuVerdict, Trust, VersionSource
from tenancy.rules.gpu import DECLARED, LABEL, Tenancy, judge
from tenancy.rules.specs import PlacedCluster
from tests.fakes.world import FakeGuard, World
from tests.provisioner.harness import ADVISORIES, HOST

TOOLKIT = DECLARED[GpuComponent.TOOLKIT]
SPACE = "gpu-operator"


@pytest.fixture
def world() -> World:
    made = World()
    node(made, "plain")
    node(made, "gpu-1", gpus="4")
    return made


def node(world: World, name: str, *, gpus: str = "", **labels: str) -> None:
    allocatable = {"cpu": "2", **({"nvidia.com/gpu": gpus} if gpus else {})}
    world.host.put(
        NODES,
        {"metadata": {"name": name, "uid": name, "labels": labels}, "status": {"allocatable": allocatable}},
    )


def operator(world: World, spec=None, *, namespace: str = SPACE, **status: str) -> None:
    body = {"metadata": {"name": "cluster-policy"}, "spec": spec or {}}
    world.host.put(GPU_POLICIES, {**body, "status": {"namespace": namespace, "state": "ready", **status}})


def daemon(world: World, app: str, image: str, *, on: str = "gpu-1", ready: str = "True") -> None:
    metadata = {"name": f"{app}-x", "namespace": SPACE, "labels": {"app": app}}
    spec = {"nodeName": on, "containers": [{"name": "ctr", "image": image}]}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}
    world.host.put(PODS, {"metadata": metadata, "spec": spec, "status": status})


def toolkit(world: World, tag: str, **rest: str) -> None:
    image = f"nvcr.io/nvidia/k8s/container-toolkit{tag}"
    daemon(world, "nvidia-container-toolkit-daemonset", image, **rest)


def look(world: World, *clusters: PlacedCluster):
    """What is known of the node with accelerators after one look."""
    seen, _ = discovery.look(HOST, world.hosts(), FakeGuard(), ADVISORIES, clusters)
    assert seen.status is ConditionStatus.TRUE, seen.message
    found = {n.name: n for n in seen.nodes or ()}
    assert found["plain"].gpu is None
    assert label(world, "plain") is None
    return found["gpu-1"].gpu


def label(world: World, name: str = "gpu-1") -> str | None:
    seen = world.host.seen(NODES, name)
    assert seen is not None
    found: dict[str, str] = seen["metadata"]["labels"]
    return found.get(LABEL)


def told(found) -> tuple[str, VersionSource] | None:
    return (found.version, found.source) if found else None


def test_a_node_that_nobody_tells_of_is_closed(world: World) -> None:
    seen = look(world)
    assert (seen.toolkit, seen.operator, seen.driver, seen.cdi) == (None, None, None, None)
    assert label(world) == "unknown"


def test_the_running_toolkit_tells_and_the_label_follows(world: World) -> None:
    operator(world, {"toolkit": {"version": "v1.19.1"}, "cdi": {"enabled": True}})
    toolkit(world, ":v1.17.7-ubuntu20.04")
    seen = look(world)
    assert told(seen.toolkit) == ("v1.17.7-ubuntu20.04", VersionSource.POD)
    assert seen.cdi is True
    assert label(world) == "exposed"

    toolkit(world, ":v1.19.1-ubuntu20.04")
    look(world)
    assert label(world) == "clean"

    node(world, "gpu-1", **{LABEL: "clean"})  # its accelerators are gone
    look_plain, _ = discovery.look(HOST, world.hosts(), FakeGuard(), ADVISORIES, ())
    assert [n.gpu for n in look_plain.nodes or ()] == [None, None]
    assert label(world) is None


def test_a_label_that_somebody_changed_is_put_right(world: World) -> None:
    node(world, "gpu-1", gpus="4", **{LABEL: "clean"})
    look(world)
    assert label(world) == "unknown"
    writes = len(world.host.writes)
    look(world)
    assert len(world.host.writes) == writes


def test_a_toolkit_that_is_being_replaced_counts_for_nothing_yet(world: World) -> None:
    operator(world, {"toolkit": {"version": "v1.19.1"}})
    node(world, "gpu-1", gpus="4", **{TOOLKIT: "1.19.1"})
    toolkit(world, ":v1.19.1", ready="False")
    seen = look(world)
    assert seen.toolkit is None
    assert "is not ready" in judge(seen, ADVISORIES).why
    assert label(world) == "unknown"


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("@sha256:00ff", ""),
        (":v1.17.8@sha256:00ff", "v1.17.8"),
        (":latest", "latest"),
        ("", ""),
    ],
)
def test_tags_tell_and_digests_do_not(world: World, tag: str, version: str) -> None:
    operator(world)
    toolkit(world, tag)
    assert told(look(world).toolkit) == (version, VersionSource.POD)


def test_without_a_version_the_next_witness_is_heard(world: World) -> None:
    operator(world)
    toolkit(world, "@sha256:00ff")
    node(world, "gpu-1", gpus="4", **{TOOLKIT: "1.19.1"})
    assert told(look(world).toolkit) == ("1.19.1", VersionSource.NODE_LABEL)
    operator(world, {"toolkit": {"version": "v1.17.7"}})
    assert told(look(world).toolkit) == ("v1.17.7", VersionSource.CLUSTER_POLICY)


def test_what_the_operator_does_not_install_it_does_not_tell(world: World) -> None:
    operator(world, {"toolkit": {"version": "v1.19.1", "enabled": False}, "driver": {"version": "sha256:1"}})
    seen = look(world)
    assert (seen.toolkit, told(seen.driver)) == (None, ("", VersionSource.CLUSTER_POLICY))


def test_pods_of_other_nodes_and_ended_ones_tell_nothing(world: World) -> None:
    operator(world)
    toolkit(world, ":v1.19.1", on="elsewhere")
    assert look(world).toolkit is None


def test_operator_and_driver_have_their_witnesses(world: World) -> None:
    operator(world)
    daemon(world, "gpu-operator", "nvcr.io/nvidia/gpu-operator:v26.3.2", on="plain")
    daemon(world, "nvidia-driver-daemonset", "nvcr.io/nvidia/driver:570.148.08-ubuntu22.04")
    seen = look(world)
    assert told(seen.operator) == ("v26.3.2", VersionSource.POD)
    assert told(seen.driver) == ("570.148.08-ubuntu22.04", VersionSource.POD)
    parts = {"major": "580", "minor": "126", "rev": "20"}
    node(world, "gpu-1", gpus="4", **{f"nvidia.com/cuda.driver.{k}": v for k, v in parts.items()})
    assert told(look(world).driver) == ("580.126.20", VersionSource.FEATURE_DISCOVERY)
    node(world, "gpu-1", gpus="4", **{"nvidia.com/cuda.driver-version.full": "580.126.21"})
    assert told(look(world).driver) == ("580.126.21", VersionSource.FEATURE_DISCOVERY)


def test_the_operators_chart_tells_where_its_pod_cannot(world: World) -> None:
    operator(world)
    seen = world.host.seen(GPU_POLICIES, "cluster-policy")
    assert seen is not None
    seen["metadata"]["labels"] = {"app.kubernetes.io/version": "v25.3.1"}
    assert told(look(world).operator) == ("v25.3.1", VersionSource.CLUSTER_POLICY)


def test_a_second_cluster_policy_that_is_ignored_says_nothing(world: World) -> None:
    operator(world, {"toolkit": {"version": "v1.19.1"}}, state="ignored")
    assert look(world).toolkit is None


def test_a_right_that_is_missing_is_named_and_closes(world: World) -> None:
    operator(world)
    toolkit(world, ":v1.19.1")
    world.host.refuse = lambda _verb, key: Refused("no") if key[:2] == ("pods", SPACE) else None
    seen = look(world)
    assert "gpuOperator.namespace=gpu-operator" in judge(seen, ADVISORIES).why
    assert label(world) == "unknown"


def test_a_host_that_takes_no_labels_yet_is_looked_at_all_the_same(world: World, caplog) -> None:
    world.host.refuse = lambda verb, _key: Refused("nodes is forbidden") if verb == "label" else None
    assert look(world) is not None
    assert label(world) is None
    assert "install helm/host anew" in caplog.text


def cluster(name: str, trust: Trust = Trust.UNTRUSTED, **selector: str) -> PlacedCluster:
    return PlacedCluster("team", name, f"atoll-team-{name}-0", trust, selector)


def settle(world: World, where: PlacedCluster, hard: dict[str, str]) -> None:
    world.host.put(NAMESPACES, {"metadata": {"name": where.namespace}})
    metadata = {"name": QUOTA, "namespace": where.namespace}
    world.host.put(RESOURCE_QUOTAS, {"metadata": metadata, "status": {"hard": hard}})


def run(
    world: World, where: PlacedCluster, name: str, *, on: str = "gpu-1", device: str = "nvidia.com/gpu"
) -> None:
    container = {"name": "c", "resources": {"limits": {device: "1"}}}
    body = {"metadata": {"name": name, "namespace": where.namespace}, "status": {"phase": "Running"}}
    world.host.put(PODS, {**body, "spec": {"nodeName": on, "containers": [container]}})


NONE, TWO = {"requests.nvidia.com/gpu": "0"}, {"requests.nvidia.com/gpu": "2"}


def test_tenants_with_pods_on_a_bad_node_are_named_with_evidence(world: World) -> None:
    has, hasnt = cluster("has"), cluster("hasnt")
    for one in (has, hasnt):
        settle(world, one, NONE)
    run(world, has, "train")
    run(world, hasnt, "elsewhere", on="plain")
    run(world, hasnt, "no-device", device="cpu")
    found = look(world, has, hasnt, cluster("not-made-yet"))
    assert found.tenancies == (
        Tenancy(
            "team", "has", has.namespace, Trust.UNTRUSTED, ("train",), "1 pods with devices are on the node"
        ),
    )


@pytest.mark.parametrize(
    ("where", "hard", "words"),
    [
        (cluster("c", Trust.TRUSTED), TWO, "allows nvidia.com/gpu: 2"),
        (cluster("c", Trust.TRUSTED), {}, "allows nvidia.com/gpu: no limit"),
        (cluster("c", Trust.TRUSTED, zone="b"), TWO, ""),
        (cluster("c", Trust.TRUSTED), NONE, ""),
        (cluster("c"), TWO, ""),
    ],
    ids=["quota", "no limit", "other nodes", "none", "the gate holds it"],
)
def test_trusted_tenants_that_may_come_are_named_too(
    world: World, where: PlacedCluster, hard: dict[str, str], words: str
) -> None:
    settle(world, where, hard)
    found = look(world, where).tenancies
    assert [words in t.evidence for t in found] == ([True] if words else [])


def test_a_namespace_that_cannot_be_read_counts_as_concerned(world: World) -> None:
    where = cluster("c")
    settle(world, where, NONE)
    world.host.refuse = lambda _verb, key: Refused("no") if key[0] == "resourcequotas" else None
    assert ["could not be read" in t.evidence for t in look(world, where).tenancies] == [True]


def test_a_namespace_that_is_going_counts_as_concerned_and_is_not_asked(world: World) -> None:
    where = cluster("c")
    metadata = {"name": where.namespace, "deletionTimestamp": "2026-11-21T08:00:00Z"}
    world.host.put(NAMESPACES, {"metadata": metadata})
    world.host.refuse = lambda _verb, key: pytest.fail("asked") if key[0] == "resourcequotas" else None
    assert ["it is being deleted" in t.evidence for t in look(world, where).tenancies] == [True]


def test_a_clean_node_concerns_nobody_and_nobody_is_asked(world: World) -> None:
    node(world, "gpu-1", gpus="4", **{TOOLKIT: "1.19.1"})
    where = cluster("c", Trust.TRUSTED)
    settle(world, where, TWO)
    world.host.refuse = lambda _verb, key: pytest.fail("asked") if key[0] == "resourcequotas" else None
    assert look(world, where).tenancies == ()
    assert judge(look(world), ADVISORIES).verdict is GpuVerdict.CLEAN
    assert gpu_gate.keep(world.hosts().open(HOST, FakeGuard()).kube, (), ADVISORIES, (where,)) == ()
