"""What is discovered of sandboxes, as the host's API really writes it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from provisioner.adapters.hosts import RealHosts
from provisioner.ports import RUNTIME_CLASSES
from provisioner.reconcile import discovery, runtime_classes
from tenancy.enums import Sandbox
from tenancy.rules.runtimes import Overhead, RuntimeClass
from tests.contract.conftest import access, small_chart
from tests.fakes.world import FakeGuard


def test_a_runtime_class_comes_back_as_it_was_meant(side):
    made = {
        "apiVersion": RUNTIME_CLASSES.api,
        "kind": "RuntimeClass",
        "metadata": {"name": side.namespace},
        "handler": "kata-qemu",
        "overhead": {"podFixed": {"cpu": "250m", "memory": "167772160"}},
        "scheduling": {"nodeSelector": {"katacontainers.io/kata-runtime": "true"}},
    }
    side.kube.apply(RUNTIME_CLASSES, made)
    try:
        (found,) = (c for c in side.kube.find(RUNTIME_CLASSES) if c["metadata"]["name"] == side.namespace)
    finally:
        side.kube.delete(RUNTIME_CLASSES, side.namespace)
    overhead = Overhead(Decimal("0.25"), Decimal(160 * 1024**2))
    selector = {"katacontainers.io/kata-runtime": "true"}
    assert runtime_classes.facts(found) == RuntimeClass("kata-qemu", overhead, selector)


@pytest.mark.lab
def test_the_lab_offers_gvisor_and_user_namespaces(lab_host, tmp_path):
    kubeconfig, helm = lab_host
    hosts = RealHosts(helm=str(helm), home=tmp_path, chart=small_chart(tmp_path))
    kube = hosts.open(access(f"file:{kubeconfig}"), FakeGuard()).kube
    facts, nodes = discovery.discover(kube, {"tenancy.atoll.internal/role": "worker"})
    assert {s for s, found in facts.sandboxes.items() if not found.lack} == {
        Sandbox.GVISOR,
        Sandbox.USERNS,
        Sandbox.NONE,
    }
    assert facts.runtime_classes["gvisor"].handler == "runsc"
    real = [node for node in nodes if node.handlers]  # a pretend one has no container runtime
    assert real
    assert all(node.handlers[""] and not node.handlers["runsc"] for node in real)
