"""What one look at a host finds of its sandboxes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from provisioner.ports import NAMESPACES, NODES, RESOURCE_QUOTAS, RUNTIME_CLASSES, Rejected
from provisioner.reconcile import discovery, labels, limits
from provisioner.reconcile.runtime_classes import facts
from tenancy.enums import ConditionStatus, ConditionType, Reason, Sandbox
from tenancy.rules.runtimes import Overhead, RuntimeClass
from tests.provisioner.harness import ADVISORIES, EFFECTIVE, HOST, NS, WANTED

KATA = {
    "metadata": {"name": "kata"},
    "handler": "kata-qemu",
    "overhead": {"podFixed": {"cpu": "250m", "memory": "160Mi"}},
    "scheduling": {
        "nodeSelector": {"katacontainers.io/kata-runtime": "true"},
        "tolerations": [{"key": "kata"}],
    },
}
USERNS = "Linux probe 6.18.44 #1 SMP x86_64 GNU/Linux\nuid_map          0  798556160      65536"
RUNC = "Linux probe 6.18.44 #1 SMP x86_64 GNU/Linux\nuid_map          0          0 4294967295"


def node(name, **found_labels):
    return {
        "metadata": {"name": name, "uid": name, "labels": found_labels},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {
                "kernelVersion": "6.18.44",
                "kubeletVersion": "v1.36.3",
                "containerRuntimeVersion": "containerd://2.2.1",
            },
            "runtimeHandlers": [{"name": "", "features": {"userNamespaces": True}}, {"name": "runsc"}],
        },
    }


def look(team, **access):
    return discovery.look(replace(HOST, **access), team.world.hosts(), team.guard, ADVISORIES, ())


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"handler": "runsc"}, RuntimeClass("runsc")),
        ({"handler": "h", "overhead": None, "scheduling": {}}, RuntimeClass("h")),
        (
            KATA,
            RuntimeClass(
                "kata-qemu",
                Overhead(Decimal("0.25"), Decimal(160 * 1024**2)),
                {"katacontainers.io/kata-runtime": "true"},
                tolerations=1,
            ),
        ),
    ],
)
def test_a_runtime_class_is_read(found, expected):
    assert facts(found) == expected


def test_profiles_follow_from_the_nodes_that_pods_may_land_on(team):
    team.world.host.put(RUNTIME_CLASSES, {"metadata": {"name": "gvisor"}, "handler": "runsc"})
    team.world.host.put(NODES, node("worker", role="worker"))
    team.world.host.put(NODES, node("other", **{"katacontainers.io/kata-runtime": "true"}))
    team.world.host.put(RUNTIME_CLASSES, {**KATA, "scheduling": {}})
    seen, _ = look(team, workload_selector={"role": "worker"})
    found = seen.facts.sandboxes
    assert {s for s, one in found.items() if not one.lack} == {Sandbox.GVISOR, Sandbox.USERNS, Sandbox.NONE}
    assert "worker: it has no label katacontainers.io/kata-runtime=true" in found[Sandbox.KATA].lack


def test_a_host_whose_nodes_are_still_to_come_is_not_known_yet(team):
    team.world.host.put(NODES, node("control-plane"))
    seen, again = look(team, workload_selector={"role": "worker"})
    assert (seen.facts, seen.status, again.after) == (None, ConditionStatus.FALSE, discovery.ILL)
    assert "role=worker" in seen.message


def test_the_platforms_own_pods_cost_the_tenant_no_overhead():
    plain = limits.quota(WANTED, EFFECTIVE)["spec"]["hard"]
    overhead = Overhead(Decimal("0.25"), Decimal(160 * 1024**2))
    with_it = limits.quota(WANTED, replace(EFFECTIVE, overhead=overhead))["spec"]["hard"]
    grown = {key: (plain[key], with_it[key]) for key in plain if plain[key] != with_it[key]}
    assert grown == {
        "requests.cpu": ("4130m", "4630m"),
        "limits.cpu": ("10000m", "10500m"),
        "requests.memory": ("8784Mi", "9104Mi"),
        "limits.memory": ("10538Mi", "10858Mi"),
    }


def test_user_namespaces_are_required_of_the_namespace_and_of_no_other(team):
    team.world.kernel = USERNS
    team.wanted = replace(WANTED, effective=replace(EFFECTIVE, sandbox=Sandbox.USERNS, runtime_class=""))
    team.until_settled()
    marks = team.world.host.seen(NAMESPACES, NS)["metadata"]["labels"]
    assert marks[labels.USER_NAMESPACES] == "required"
    assert "user 0 is 798556160 outside" in team.condition(ConditionType.SANDBOX_ENFORCED).message
    team.world.kernel = "Linux probe 4.19.0-gvisor #1"
    team.change(sandbox=Sandbox.GVISOR)
    team.until_settled()
    assert labels.USER_NAMESPACES not in team.world.host.seen(NAMESPACES, NS)["metadata"]["labels"]


@pytest.mark.parametrize(
    ("sandbox", "said", "enforced"),
    [
        (Sandbox.USERNS, RUNC, False),
        (Sandbox.KATA, RUNC, False),
        (Sandbox.KATA, RUNC.replace("6.18.44", "6.12.47"), True),
    ],
)
def test_the_probe_is_judged_by_what_it_saw(team, sandbox, said, enforced):
    team.world.host.put(NODES, node("worker"))
    team.world.kernel = said
    team.wanted = replace(WANTED, effective=replace(EFFECTIVE, sandbox=sandbox))
    team.until_settled()
    assert team.condition(ConditionType.SANDBOX_ENFORCED).true is enforced
    assert enforced or team.reason(ConditionType.SANDBOX_ENFORCED) is Reason.SANDBOX_NOT_ENFORCED


def test_what_was_built_is_told_once_the_namespace_is_there(team):
    team.until_settled()
    assert team.world.host.seen(RESOURCE_QUOTAS, limits.QUOTA, NS) is not None
    assert team.built is Sandbox.GVISOR


def test_what_a_host_refuses_for_good_is_told_and_looked_at_again(team):
    team.world.host.refuse = lambda _verb, key: Rejected("status 422: no") if key[0] == "nodes" else None
    seen, again = look(team)
    assert (seen.status, seen.reason, seen.message) == (
        ConditionStatus.FALSE,
        Reason.UNEXPECTED,
        "status 422: no",
    )
    assert again.after == discovery.ILL
