from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

from lab import addons, components, configs, images, network, nodes, view
from lab.instance import Instance, Options

LAB = Instance(Path("/srv/home"), 1, Options(workers=2, gpus=4, fake_nodes=2))
PROGRAMS = Path("/programs")
WORKER = LAB.nodes[1]


def test_rights_mean_something_on_the_host():
    server = components.api_server(LAB, PROGRAMS).argv
    assert "--authorization-mode=Node,RBAC" in server
    assert "--enable-admission-plugins=NodeRestriction" in server
    assert f"--audit-log-path={LAB.audit_log}" in server
    assert "--use-service-account-credentials" in components.controller_manager(LAB, PROGRAMS).argv


def test_what_people_read_is_all_in_the_audit_log():
    assert configs.AUDIT_POLICY["rules"][-1] == {"level": "Metadata"}
    silent = [rule for rule in configs.AUDIT_POLICY["rules"] if rule["level"] == "None"]
    assert all("nonResourceURLs" in rule or "leases" in str(rule["resources"]) for rule in silent)


def test_nothing_listens_on_more_than_the_lab_s_own_addresses():
    made = [components.api_server, components.controller_manager, components.scheduler]
    for component in made:
        assert f"--bind-address={LAB.ranges.machine}" in component(LAB, PROGRAMS).argv
    assert "--metrics-bind-address=0" in components.database(LAB, PROGRAMS).argv


def test_processes_of_a_node_run_in_it_and_read_only_what_is_its_own():
    made = [
        components.containerd(WORKER, PROGRAMS),
        components.kubelet(LAB, WORKER, PROGRAMS),
        components.kube_proxy(WORKER, PROGRAMS),
        components.policies(LAB, WORKER, PROGRAMS),
    ]
    for component in made:
        assert component.node == "worker-1"
        assert component.name.startswith("worker-1-")
        assert str(LAB.data) not in " ".join(component.argv)


def test_containerd_starts_pods_without_cap_sys_resource_and_finds_both_runtimes():
    parsed = tomllib.loads(configs.containerd(WORKER))
    runtime = parsed["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["restrict_oom_score_adj"] is True
    assert set(runtime["containerd"]["runtimes"]) == {"runc", "runsc"}
    assert parsed["plugins"]["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == images.PAUSE_IMAGE
    assert tomllib.loads(configs.runsc())["runsc_config"]["platform"] == "systrap"


def test_a_kubelet_has_its_own_cgroup_and_keeps_loaded_images():
    value = configs.kubelet(LAB, WORKER)
    assert value["cgroupRoot"] == f"/{LAB.cgroup}/worker-1"
    assert value["imageGCHighThresholdPercent"] == 100
    assert value["authentication"]["anonymous"]["enabled"] is False
    assert value["failCgroupV1"] is False


def test_kube_proxy_hides_no_source_and_sets_nothing_of_the_machine_s():
    value = configs.kube_proxy(LAB, WORKER)
    assert value["mode"] == "nftables"
    assert value["clusterCIDR"] == str(LAB.ranges.block)
    assert value["conntrack"]["maxPerCore"] == 0


def test_the_machine_lets_the_lab_reach_its_api_server_only():
    rules = network.filters(LAB)
    assert f'iifname "{LAB.link}" counter drop' in rules
    assert f"ip daddr {LAB.ranges.machine} tcp dport 6443 accept" in rules
    assert rules.rstrip().endswith("counter drop\n  }\n}")


@pytest.mark.parametrize("name", addons.APPLIED)
def test_every_manifest_is_whole_and_has_a_place(name):
    values = list(yaml.safe_load_all(addons.render(LAB, name)))
    assert values
    for value in values:
        assert addons.place(value).endswith(f"/{value['metadata']['name']}")
        assert "$" not in str(value).replace("$VOL_DIR", "")


def test_dns_of_the_host_asks_nobody():
    text = addons.render(LAB, "dns")
    assert f"clusterIP: {LAB.ranges.dns}" in text
    assert "forward" not in text


def test_labels_follow_roles_and_accelerators():
    control_plane, worker = (nodes.labels(LAB, node) for node in LAB.nodes[:2])
    assert control_plane["tenancy.atoll.internal/role"] == "control-plane"
    assert control_plane["nvidia.com/gpu.product"] is None
    assert worker["tenancy.atoll.internal/role"] == "worker"
    assert worker["nvidia.com/gpu.count"] == "4"


def test_a_view_covers_what_kubernetes_writes_and_changes_nothing_outside():
    lines = view.script(LAB, WORKER).splitlines()
    assert all(line.startswith("mount -n") for line in lines if line.startswith("mount"))
    for sysctl in ("vm/overcommit_memory", "kernel/panic"):
        assert any(f"/proc/sys/{sysctl}" in line for line in lines)
    assert lines[-1] == "mount -n --make-rshared /"
