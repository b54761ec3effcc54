"""Sandbox profiles: who may have them, what they need of a node, how they are proved."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tenancy.enums import IsolationModel, Sandbox, Trust, VersionSource
from tenancy.rules import drivers, isolation_table, offers, sandbox_proof
from tenancy.rules.gpu import Found, GpuFacts
from tenancy.rules.nodes import Taint
from tenancy.rules.profiles import PROFILES
from tenancy.rules.runtimes import Overhead, RuntimeClass
from tenancy.rules.spec_parsing import parse_spec
from tenancy.rules.survey import NO_NODE, landing, survey, within
from tests.factories import FACTS, NODE

SHARED, POOL = IsolationModel.SHARED, IsolationModel.DEDICATED_POOL
UNTRUSTED, TRUSTED = Trust.UNTRUSTED, Trust.TRUSTED
KATA, GVISOR, VNODE, USERNS, NONE = (
    Sandbox.KATA,
    Sandbox.GVISOR,
    Sandbox.VNODE,
    Sandbox.USERNS,
    Sandbox.NONE,
)
VERSION = "v1.36.3"
CLASSES = {
    "gvisor": RuntimeClass("runsc"),
    "kata": RuntimeClass("kata-qemu", Overhead(Decimal("0.25"), Decimal(160 * 1024**2)), {"zone": "a"}),
    "kata-gpu": RuntimeClass("kata-qemu-nvidia-gpu-snp"),
    "vnode": RuntimeClass("vnode"),
}


def driver_of(version):
    return GpuFacts(driver=Found(version, VersionSource.NODE_LABEL, "a label"))


ABLE = replace(
    NODE,
    labels={
        "katacontainers.io/kata-runtime": "true",
        "zone": "a",
    },
    gpu=driver_of("580.126.20"),
    handlers={"": True, "runsc": False, "kata-qemu": False, "vnode": False},
    resources={"nvidia.com/gpu": 4, "nvidia.com/mig-1g.10gb": 2, "nvidia.com/pgpu": 1, "amd.com/gpu": 1},
)


def facts(node=ABLE, classes=CLASSES, version=VERSION, more=()):
    found = survey((node, *more), classes, version)
    return replace(FACTS, runtime_classes=classes, version=version, sandboxes=found)


def refused(sandbox, host, trust=TRUSTED):
    """What a person reads who asks for this sandbox on that host."""
    spec = parse_spec({"isolation": {"sandbox": sandbox.value}})
    return [fault.detail for fault in offers.refusals(spec, host, trust, ["1.36"], "lab")]


@pytest.mark.parametrize(
    ("trust", "model", "allowed"),
    [
        (UNTRUSTED, SHARED, {KATA, GVISOR}),
        (UNTRUSTED, POOL, {KATA, GVISOR, VNODE, USERNS}),
        (TRUSTED, SHARED, {KATA, GVISOR, VNODE, USERNS, NONE}),
        (TRUSTED, POOL, {KATA, GVISOR, VNODE, USERNS, NONE}),
    ],
)
def test_every_cell_of_the_table(trust, model, allowed):
    verdicts = {sandbox: isolation_table.refusal(trust, model, sandbox) for sandbox in Sandbox}
    assert {sandbox for sandbox, why in verdicts.items() if not why} == allowed
    assert set(offers.offered_sandboxes(facts(), trust, model)) == allowed


def test_the_table_follows_from_its_two_rules():
    """An untrusted tenant shares a kernel with no other tenant and is never without a sandbox."""
    shared = {s for s in Sandbox if not isolation_table.refusal(UNTRUSTED, SHARED, s)}
    assert shared == {s for s, profile in PROFILES.items() if profile.own_kernel}
    assert all(isolation_table.refusal(UNTRUSTED, model, NONE) for model in IsolationModel)


def test_every_sandbox_has_a_profile():
    assert set(PROFILES) == set(Sandbox)


def test_a_host_that_has_everything_offers_everything():
    assert all(not refused(sandbox, facts()) for sandbox in Sandbox)


@pytest.mark.parametrize(
    ("sandbox", "change", "named", "nearest"),
    [
        (GVISOR, {"classes": {"kata": CLASSES["kata"]}}, "no RuntimeClass has the handler runsc", KATA),
        (GVISOR, {"handlers": {"": True, "kata-qemu": False}}, "no handler runsc", KATA),
        (KATA, {"classes": {"gvisor": CLASSES["gvisor"]}}, "no RuntimeClass has the handler kata", GVISOR),
        (KATA, {"labels": {"zone": "a"}}, "no label katacontainers.io/kata-runtime=true", GVISOR),
        (KATA, {"labels": {**ABLE.labels, "zone": "b"}}, "no label zone=a", GVISOR),
        (KATA, {"handlers": {"": True, "runsc": False}}, "no handler kata-qemu", GVISOR),
        (VNODE, {"classes": {"gvisor": CLASSES["gvisor"]}}, "no RuntimeClass has the handler vnode", GVISOR),
        (VNODE, {"kernel": "5.15.0-91"}, "kernel 5.15.0-91 is older than 6.1", GVISOR),
        (VNODE, {"kernel": ""}, "kernel unknown is older than 6.1", GVISOR),
        (VNODE, {"runtime": "cri-o://1.33"}, "container runtime is cri-o://1.33, not containerd", GVISOR),
        (USERNS, {"version": "v1.35.4"}, "Kubernetes v1.35.4 is older than 1.36", VNODE),
        (USERNS, {"kubelet": "v1.32.1"}, "kubelet v1.32.1 is older than 1.33", VNODE),
        (USERNS, {"handlers": {**ABLE.handlers, "": False}}, "reports no user namespaces", VNODE),
        (USERNS, {"handlers": {}}, "reports no user namespaces", VNODE),
    ],
)
def test_each_requirement_alone_names_itself_and_the_nearest(sandbox, change, named, nearest):
    classes, version = change.pop("classes", CLASSES), change.pop("version", VERSION)
    (detail,) = refused(sandbox, facts(replace(ABLE, **change), classes, version))
    assert named in detail
    assert f"use '{nearest.value}'" in detail
    assert PROFILES[sandbox].install in detail


@pytest.mark.parametrize(
    ("sandbox", "words"),
    [
        (NONE, "trusted tenants only: use 'gvisor'"),
        (USERNS, "takes a node pool of the tenant's own: use 'gvisor'"),
        (VNODE, "use 'gvisor'"),
    ],
)
def test_an_untrusted_tenant_is_told_what_to_take(sandbox, words):
    (detail,) = refused(sandbox, facts(), UNTRUSTED)
    assert words in detail


def test_one_able_node_is_enough_and_its_readiness_does_not_decide():
    old = replace(ABLE, name="old", kernel="5.4.0")
    away = replace(ABLE, ready=False)
    assert facts(old, more=(ABLE,)).sandboxes[VNODE].nodes == 1
    assert (facts(away).sandboxes[VNODE].lack, facts(away).sandboxes[VNODE].nodes) == ("", 0)


def test_of_several_unable_nodes_the_one_that_lacks_least_is_told():
    worse = replace(ABLE, name="a", kernel="5.4.0", runtime="docker://1")
    better = replace(ABLE, name="b", kernel="5.4.0")
    assert facts(worse, more=(better,)).sandboxes[VNODE].lack.startswith("node b: its kernel 5.4.0")


def test_a_pool_offers_what_its_own_nodes_can_run():
    old = replace(ABLE, name="old", kernel="5.4.0")
    whole = facts(old, more=(ABLE,))
    pool = within(whole, (old,))
    assert VNODE in offers.offered_sandboxes(whole, UNTRUSTED, POOL)
    assert "kernel 5.4.0" in refused(VNODE, pool)[0]


def test_a_host_without_nodes_says_so():
    assert survey((), CLASSES, VERSION)[GVISOR].lack == NO_NODE


def test_pods_land_where_selector_and_taints_let_them():
    foreign = replace(ABLE, name="foreign", labels={"pool": "a"}, taints=(Taint("gpu", "NoSchedule"),))
    pooled = (Taint("tenant.node-restriction.kubernetes.io/pool", "NoSchedule", "a"),)
    mine = replace(ABLE, name="mine", labels={"pool": "a"}, taints=pooled)
    passing = replace(ABLE, name="slow", labels={"pool": "a"})
    passing = replace(passing, taints=(Taint("node.kubernetes.io/not-ready", "NoExecute"),))
    soft = replace(ABLE, name="soft", labels={"pool": "a"}, taints=(Taint("x", "PreferNoSchedule"),))
    other = replace(ABLE, name="other", labels={"pool": "b"})
    nodes = (foreign, mine, passing, soft, other)
    assert [n.name for n in landing(nodes, {"pool": "a"})] == ["mine", "slow", "soft"]


@pytest.mark.parametrize(
    ("sandbox", "resource", "words"),
    [
        (GVISOR, "nvidia.com/gpu", ""),
        (GVISOR, "nvidia.com/mig-1g.10gb", "neither MIG"),
        (GVISOR, "amd.com/gpu", "other vendors"),
        (KATA, "nvidia.com/gpu", "nvidia.com/pgpu"),
        (KATA, "nvidia.com/pgpu", ""),
        (NONE, "nvidia.com/mig-1g.10gb", ""),
        (USERNS, "nvidia.com/gpu", ""),
    ],
)
def test_accelerators_that_a_profile_can_use(sandbox, resource, words):
    why = facts().sandboxes[sandbox].accelerators[resource]
    assert (words in why) is True
    assert bool(why) is bool(words)


@pytest.mark.parametrize(("driver", "usable"), [("580.126.20", True), ("580.126.21", False), ("", False)])
def test_gvisor_wants_a_driver_it_knows(driver, usable):
    node = replace(ABLE, gpu=driver_of(driver) if driver else None)
    why = facts(node).sandboxes[GVISOR].accelerators["nvidia.com/gpu"]
    assert (why == "") is usable
    assert usable or (driver or "unknown version") in why


def test_kata_gets_devices_only_by_a_class_made_for_them():
    classes = {name: found for name, found in CLASSES.items() if name != "kata-gpu"}
    assert "kata-qemu-nvidia-gpu*" in facts(classes=classes).sandboxes[KATA].accelerators["nvidia.com/pgpu"]


@pytest.mark.parametrize(
    ("seen", "version"),
    [("580.126.20", "580.126.20"), ("v580.126.20-ubuntu22.04", "580.126.20"), ("latest", "")],
)
def test_the_driver_is_the_version_alone(seen, version):
    assert drivers.of(replace(ABLE, gpu=driver_of(seen))) == version


def test_a_class_whose_pods_the_hosts_policies_would_refuse_is_not_offered():
    classes = {**CLASSES, "kata": replace(CLASSES["kata"], tolerations=1)}
    (detail,) = refused(KATA, facts(classes=classes))
    assert "RuntimeClass kata gives pods tolerations" in detail


def test_a_choice_left_to_atoll_is_the_strongest_and_made_once():
    spec = parse_spec({})
    fresh = offers.effective(spec, facts(), UNTRUSTED, ["1.36"])
    kept = offers.effective(spec, facts(), UNTRUSTED, ["1.36"], GVISOR)
    assert (fresh.sandbox, kept.sandbox) == (KATA, GVISOR)
    assert (fresh.runtime_class, fresh.overhead) == ("kata", CLASSES["kata"].overhead)


def test_a_sandbox_that_went_away_is_not_replaced_by_a_weaker_one():
    host = facts(classes={})
    assert offers.effective(parse_spec({}), host, TRUSTED, ["1.36"], GVISOR) is None
    assert offers.effective(parse_spec({}), host, TRUSTED, ["1.36"]).sandbox is USERNS


SEEN_GVISOR = "Linux p 4.19.0-gvisor #1 SMP x86_64 GNU/Linux\nuid_map          0          0 4294967295"
SEEN_RUNC = "Linux p 6.18.44 #1 SMP x86_64 GNU/Linux\nuid_map          0          0 4294967295"
SEEN_USERNS = "Linux p 6.18.44 #1 SMP x86_64 GNU/Linux\nuid_map          0  798556160      65536"
SEEN_GUEST = "Linux p 6.12.47 #1 SMP x86_64 GNU/Linux\nuid_map          0          0 4294967295"
NODES = frozenset({"6.18.44"})


@pytest.mark.parametrize(
    ("sandbox", "said", "kernels", "proved"),
    [
        (GVISOR, SEEN_GVISOR, NODES, True),
        (GVISOR, "[ 0.0] Starting gVisor...", NODES, True),
        (GVISOR, SEEN_RUNC, NODES, False),
        (GVISOR, SEEN_RUNC.replace("Linux p", "Linux gvisor"), NODES, False),
        (GVISOR, "", NODES, False),
        (KATA, SEEN_GUEST, NODES, True),
        (KATA, SEEN_RUNC, NODES, False),
        (KATA, SEEN_GUEST, frozenset(), False),
        (KATA, "no words of a kernel", NODES, False),
        (USERNS, SEEN_USERNS, NODES, True),
        (USERNS, SEEN_RUNC, NODES, False),
        (USERNS, "Linux p 6.18.44 #1\nuid_map 1000 1000 1", NODES, False),
        (USERNS, "Linux p 6.18.44 #1\nuid_map 0 100000 65536\nuid_map 65536 0 1", NODES, False),
        (USERNS, "Linux p 6.18.44 #1", NODES, False),
        (USERNS, "Linux p 6.18.44 #1\nuid_map zero one two", NODES, False),
        (VNODE, SEEN_USERNS, NODES, True),
        (VNODE, SEEN_RUNC, NODES, False),
        (NONE, SEEN_RUNC, NODES, True),
        (NONE, "", NODES, False),
    ],
)
def test_what_proves_a_sandbox(sandbox, said, kernels, proved):
    why = sandbox_proof.fault(sandbox, sandbox_proof.read(said), kernels)
    assert (why == "") is proved
