"""What a cluster has of devices, as its host is told: quota, names, nodes; all else stays closed."""

from __future__ import annotations

from dataclasses import replace

from provisioner.ports import NAMESPACES, RESOURCE_QUOTAS
from provisioner.reconcile import devices, limits
from tenancy.rules.specs import DeviceShare
from tests.provisioner.harness import EFFECTIVE, FACTS, NS, WANTED

H100 = DeviceShare("h100", "nvidia.com/gpu", 2, {"nvidia.com/gpu.product": "H100"}, held=2)
SLICE = DeviceShare("slice", "nvidia.com/mig-1g.10gb", 3, held=3)


def hard(*shares):
    facts = replace(FACTS, accelerators=("nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "x.io/npu"))
    wanted = replace(WANTED, devices=shares, host=replace(WANTED.host, facts=facts))
    return limits.quota(wanted, EFFECTIVE)["spec"]["hard"]


def test_the_quota_has_what_is_granted_and_zero_of_every_other_way():
    found = hard(H100)
    assert found["requests.nvidia.com/gpu"] == "2"
    others = ("requests.nvidia.com/mig-1g.10gb", "requests.x.io/npu", "requests.amd.com/gpu")
    assert {found[key] for key in (*others, "count/resourceclaims.resource.k8s.io")} == {"0"}
    assert hard()["requests.nvidia.com/gpu"] == "0"


def test_what_is_on_its_way_back_counts_as_what_is_left():
    leaving = replace(H100, key="a100", amount=0, labels={"nvidia.com/gpu.product": "A100"})
    assert hard(leaving, H100)["requests.nvidia.com/gpu"] == "2"
    # Pods that still have it may be changed; new ones get nodes of the other model.
    assert devices.names([replace(SLICE, amount=0)]) == ["nvidia.com/mig-1g.10gb"]
    assert devices.models([leaving, H100]) == ["nvidia.com/gpu:nvidia.com/gpu.product=H100"]


def test_the_namespace_and_the_quota_follow_a_resize(ready):
    def seen():
        space = ready.world.host.seen(NAMESPACES, NS)["metadata"]["annotations"]
        quota = ready.world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)["spec"]["hard"]
        worn = ("extended-resources", "device-nodes")
        return quota["requests.nvidia.com/gpu"], *(space[f"tenancy.atoll.internal/{k}"] for k in worn)

    assert seen() == ("0", "", "")
    ready.wanted = replace(ready.wanted, devices=(H100,))
    ready.once()
    assert seen() == ("2", "nvidia.com/gpu", "nvidia.com/gpu:nvidia.com/gpu.product=H100")
    assert ready.findings.told == []
    ready.wanted = replace(ready.wanted, devices=())
    ready.once()
    assert seen() == ("0", "", "")
