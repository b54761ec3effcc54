from __future__ import annotations

from dataclasses import replace

import pytest

from tenancy.actions import services
from tenancy.enums import PlatformRole, ServiceKind
from tenancy.models import HostCluster
from tenancy.rules.gpu import GpuFacts
from tests import factories
from tests.portal.gpu_nodes import BAD, GOOD, PLAIN, see
from tests.portal.web.conftest import World, shown


def test_host_shows_its_facts(world: World) -> None:
    factories.cluster(world.alice, "team", "first")
    said = shown(world.client("root").get("/hosts"))
    for words in (
        "lab Reachable 1 cluster",
        "v1.36.3",
        "gvisor (runsc)",
        "gVisor: on 1 ready node",
        "Kata: no RuntimeClass has the handler kata",
        "local-path default",
        "file:/nowhere",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {
                "reachable": "False",
                "reason": "HostUnreachable",
                "message": "172.30.0.1:6443 refused the connection",
            },
            "172.30.0.1:6443 refused the connection. The host cluster does not answer.",
        ),
        (
            {"reachable": "Unknown", "reason": "HostStarting", "message": "built 3 of 9 programs"},
            "Being built",
        ),
    ],
)
def test_host_says_what_is_broken(world: World, values: dict[str, str], words: str) -> None:
    HostCluster.objects.update(**values)
    assert words in shown(world.client("root").get("/hosts"))


def test_dead_machinery_is_told_and_what_happens_next(world: World) -> None:
    client = world.client("root")
    assert "No worker was heard of" in shown(client.get("/hosts"))
    services.beat(ServiceKind.WORKER, "w")
    assert "No relay was heard of" in shown(client.get("/hosts"))
    services.beat(ServiceKind.RELAY, "r")
    assert "was heard of" not in shown(client.get("/hosts"))


def test_auditor_sees_hosts(world: World) -> None:
    client = world.client("nobody")
    client.force_login(factories.user("audrey", PlatformRole.AUDITOR))
    assert "v1.36.3" in shown(client.get("/hosts"))


def test_no_host_says_how_to_register_one(world: World) -> None:
    HostCluster.objects.all().delete()
    assert "PUT /api/v1/hosts/NAME" in shown(world.client("root").get("/hosts"))


def test_gpu_nodes_show_what_to_upgrade_and_whom_it_concerns(world: World) -> None:
    see(BAD, replace(GOOD, gpu=GpuFacts()), PLAIN)
    said = shown(world.client("root").get("/hosts/gpu-exposure"))
    for words in (
        "gpu-1 Exposed",
        "Upgrade container-toolkit to 1.19.1 or later.",
        "CVE-2025-23266, critical, container-toolkit v1.17.7-ubuntu20.04, fixed in 1.17.8: NVIDIAScape",
        "team/first untrusted gpu-1 1 pods with devices are on the node (train)",
        "gpu-2 Unknown",
        "no verdict yet: closed",
        "tenancy.atoll.internal/nvidia-container-toolkit=1.19.1",
    ):
        assert words in said
    assert "plain" not in said
    assert "GPU exposure" in shown(world.client("root").get("/hosts"))


def test_gpu_exposure_is_for_platform_roles(world: World) -> None:
    assert world.client("alice").get("/hosts/gpu-exposure").status_code == 403
    assert "No node with accelerators." in shown(world.client("root").get("/hosts/gpu-exposure"))
