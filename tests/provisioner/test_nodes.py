"""Reading a Node object."""

from __future__ import annotations

from provisioner.reconcile import nodes
from tenancy.rules.nodes import NodeFacts, Taint

SEEN = {
    "metadata": {"name": "worker-1", "uid": "7b0c", "labels": {"b": "2", "a": "1"}},
    "spec": {"unschedulable": True, "taints": [{"key": "team", "value": "a", "effect": "NoSchedule"}]},
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}],
        "nodeInfo": {
            "kernelVersion": "6.18.44",
            "containerRuntimeVersion": "containerd://2.3.3",
            "kubeletVersion": "v1.36.3",
        },
        "runtimeHandlers": [{"name": "runsc"}, {"name": "", "features": {"userNamespaces": True}}],
        "allocatable": {
            "cpu": "2",
            "hugepages-2Mi": "0",
            "attachable-volumes-csi-x": "25",
            "example.kubernetes.io/thing": "1",
            "nvidia.com/gpu": "4",
            "amd.com/gpu": "0",
        },
    },
}


def test_all_that_is_kept_of_a_node() -> None:
    assert nodes.facts(SEEN) == NodeFacts(
        name="worker-1",
        uid="7b0c",
        ready=True,
        schedulable=False,
        labels={"a": "1", "b": "2"},
        taints=(Taint("team", "NoSchedule", "a"),),
        kernel="6.18.44",
        runtime="containerd://2.3.3",
        kubelet="v1.36.3",
        handlers={"runsc": False, "": True},
        resources={"amd.com/gpu": 0, "nvidia.com/gpu": 4},
    )


def test_a_node_that_only_just_registered_is_not_ready() -> None:
    assert nodes.facts({"metadata": {"name": "new", "uid": "1"}}) == NodeFacts(
        name="new", uid="1", ready=False, schedulable=True
    )
