"""What the host policies read of a namespace, and the quota that closes every device by name."""

from __future__ import annotations

from dataclasses import replace

import yaml

from provisioner.ports import NAMESPACES, RESOURCE_QUOTAS
from provisioner.reconcile import devices, nodes, parameters
from provisioner.reconcile.limits import QUOTA
from provisioner.release import values
from tests.provisioner.harness import CHART, EFFECTIVE, FACTS, HOST, NS, WANTED, Team

PREFIX = "tenancy.atoll.internal/"


def given(**host):
    found = parameters.of(replace(WANTED, host=replace(HOST, **host)), EFFECTIVE)
    return {key.removeprefix(PREFIX): value for key, value in found.items()}


def test_a_host_without_wishes_allows_every_image():
    found = given()
    assert (found["image-registries"], found["image-digests"]) == ("*", "any")


def test_registries_and_digests_of_the_host_bind_its_tenants():
    found = given(allowed_registries=("ghcr.io", "docker.io/library"), require_digests=True)
    assert (found["image-registries"], found["image-digests"]) == ("docker.io/library,ghcr.io", "required")


def test_the_platforms_own_images_pass_from_the_mirror_too():
    found = given(image_prefix="mirror.example.com/")["platform-images"].split(",")
    assert "mirror.example.com/docker.io/library/busybox:1.36.1" in found
    assert f"mirror.example.com/docker.io/coredns/coredns:{values.COREDNS_TAGS['1.36']}" in found
    assert all(image.startswith("mirror.example.com/") for image in found)


def test_the_dns_that_passes_is_the_charts():
    chart = yaml.safe_load((CHART / "values.yaml").read_text())
    assert chart["images"]["coredns"]["repository"] == values.COREDNS


def test_nodes_services_and_the_api_are_closed_to_endpoints():
    facts = replace(FACTS, node_addresses=("172.30.0.11", "fd00::11"), pod_cidrs=("10.244.0.0/24",))
    found = given(facts=facts)
    assert found["closed-cidrs"] == "10.96.0.0/16,172.30.0.1/32,172.30.0.11/32,fd00::11/128"
    assert found["pod-cidrs"] == "10.244.0.0/24"


def node(cidrs, *addresses):
    listed = [{"type": kind, "address": address} for kind, address in addresses]
    return {"spec": {"podCIDRs": cidrs} if cidrs else {}, "status": {"addresses": listed}}


def test_ranges_of_pods_count_only_when_every_node_tells_its_own():
    told, silent = node(["10.0.0.0/24", "fd00::/64"]), node(None)
    assert nodes.pod_cidrs([told]) == {"10.0.0.0/24", "fd00::/64"}
    assert nodes.pod_cidrs([told, silent]) == set()
    assert nodes.pod_cidrs([]) == set()


def test_addresses_of_nodes_are_those_and_not_names():
    found = [node(None, ("InternalIP", "10.0.0.1"), ("ExternalIP", "1.2.3.4"), ("Hostname", "worker"))]
    assert nodes.addresses(found) == {"10.0.0.1", "1.2.3.4"}


def hard(team):
    return team.world.host.seen(RESOURCE_QUOTAS, QUOTA, NS)["spec"]["hard"]


def test_a_device_that_appears_on_the_host_is_closed_in_an_existing_cluster_by_its_next_pass():
    team = Team()
    team.until_settled()
    assert {"requests.nvidia.com/gpu", "requests.amd.com/gpu"} <= hard(team).keys()
    assert "requests.vendor.example/new" not in hard(team)
    seen = replace(FACTS, accelerators=("vendor.example/new",), device_classes=("gpu.example.com",))
    team.wanted = replace(team.wanted, host=replace(team.wanted.host, facts=seen))
    team.until_settled()
    closed = {
        "requests.vendor.example/new",
        "gpu.example.com.deviceclass.resource.k8s.io/devices",
        "requests.deviceclass.resource.kubernetes.io/gpu.example.com",
        "count/resourceclaims.resource.k8s.io",
    }
    assert {key: hard(team)[key] for key in closed} == dict.fromkeys(closed, "0")


def test_nothing_is_closed_but_by_zero():
    assert set(devices.closed(None).values()) == {"0"}


def test_the_parameters_reach_the_namespace():
    team = Team()
    team.until_settled()
    seen = team.world.host.seen(NAMESPACES, NS)["metadata"]["annotations"]
    assert parameters.of(team.wanted, team.wanted.effective).items() <= seen.items()
