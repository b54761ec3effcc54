"""What a pod counts, and who of several ends."""

from __future__ import annotations

import pytest

from provisioner.reconcile.reclaim.holders import Holder, devices, holders, to_go
from tenancy.rules.specs import DeviceShare

GPU = "nvidia.com/gpu"


def container(amount, *, part="limits", **more):
    return {"resources": {part: {GPU: str(amount)}} if amount else {}, **more}


def pod(*containers, first=(), **more):
    spec = {"containers": list(containers), "initContainers": list(first), **more}
    return {"metadata": {"name": "p", "uid": "u", "creationTimestamp": "2026"}, "spec": spec}


SIDECAR = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("one", "counts"),
    [
        (pod(container(1), container(2)), 3),
        (pod(container(1, part="requests")), 1),
        (pod(container(1), first=[container(4)]), 4),
        (pod(container(3), first=[container(1), container(2)]), 3),
        (pod(container(2), first=[container(1, **SIDECAR)]), 3),
        (pod(container(1), first=[container(1, **SIDECAR), container(2)]), 3),
        (pod(container(1), first=[container(2), container(1, **SIDECAR)]), 2),
        (pod(container(0)), 0),
    ],
)
def test_the_larger_of_containers_together_and_first_containers(one, counts):
    assert devices(one, GPU) == counts


def test_only_pods_that_have_not_ended_hold():
    running = pod(container(1))
    share = DeviceShare("h100", GPU, 0, held=2)
    assert [h.devices for h in holders([running], share, [share])] == [1]
    for phase in ("Succeeded", "Failed"):
        assert holders([{**running, "status": {"phase": phase}}], share, [share]) == ()


def test_classes_of_one_resource_are_told_apart_by_the_nodes_that_pods_select():
    old = DeviceShare("a100", GPU, 0, {"model": "A100"}, held=2)
    new = DeviceShare("h100", GPU, 2, {"model": "H100"}, held=2)
    of_old, of_new = (pod(container(1), nodeSelector={"model": m}) for m in ("A100", "H100"))
    both = [old, new]
    assert [len(holders([of_old, of_new, of_new], one, both)) for one in both] == [1, 2]
    assert [len(holders([pod(container(1))], one, both)) for one in both] == [1, 1]


def holder(name, amount=1, node="worker-1", ending=False):
    return Holder(name, name, amount, node, f"2026-01-0{name[-1]}", ending, f"default/{name}")


def names(found):
    return [h.name for h in found]


def test_the_youngest_go_first_and_no_more_than_must():
    found = [holder(f"p{n}") for n in (1, 3, 2)]
    assert names(to_go(found, 2)) == ["p3", "p2"]
    assert to_go(found, 0) == ()


def test_who_ends_anyway_or_has_no_node_goes_before_all_others():
    found = [holder("p1", ending=True), holder("p2", node=""), holder("p3")]
    assert names(to_go(found, 1)) == ["p1"]
    assert names(to_go(found, 2)) == ["p1", "p2"]


def test_protected_pods_are_the_last():
    found = [holder("p1"), holder("p2"), holder("p3")]
    assert names(to_go(found, 2, {"p3"})) == ["p2", "p1"]


def test_a_small_pod_is_spared_where_a_large_one_has_to_go():
    assert names(to_go([holder("p2", 1), holder("p1", 4)], 2)) == ["p1"]
