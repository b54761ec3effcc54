from __future__ import annotations

from base64 import b64decode
from copy import deepcopy
from typing import Any

import pytest
import yaml

from provisioner.release import values
from tests.charts.conftest import one
from tests.charts.wishes import WISHES, wish

CHART = "virtual-cluster"
PLAIN = {"serviceCIDR": "10.96.0.0/16"}


def config(objects: list[dict[str, Any]]) -> dict[str, Any]:
    secret = one(objects, "Secret", "vc-config-cluster")
    return dict(yaml.safe_load(b64decode(secret["data"]["config.yaml"])))


def pod(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return dict(one(objects, "StatefulSet", "cluster")["spec"]["template"]["spec"])


def images(objects: list[dict[str, Any]]) -> list[str]:
    spec = pod(objects)
    containers = [*spec.get("initContainers", []), *spec["containers"]]
    volumes = [v["image"]["reference"] for v in spec["volumes"] if "image" in v]
    dns = config(objects)["controlPlane"]["coredns"]["deployment"]["image"]
    return [*(c["image"] for c in containers), *volumes, dns]


def test_lint_finds_nothing(helm):
    done = helm.lint(CHART, PLAIN)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("name", sorted(WISHES))
def test_no_right_reaches_beyond_the_namespace(helm, name):
    objects = helm.objects(CHART, values.render(WISHES[name]))
    assert {o["kind"] for o in objects} == {
        "Secret",
        "Service",
        "ServiceAccount",
        "StatefulSet",
        "RoleBinding",
    }
    assert {o["metadata"]["namespace"] for o in objects} == {"atoll-demo-first-00000000"}
    assert one(objects, "RoleBinding", "vc-cluster")["roleRef"]["name"] == "atoll-syncer"


def test_the_store_goes_with_the_release(helm):
    stateful = one(helm.objects(CHART, PLAIN), "StatefulSet", "cluster")["spec"]
    assert stateful["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Delete",
        "whenScaled": "Retain",
    }
    assert [c["metadata"]["name"] for c in stateful["volumeClaimTemplates"]] == ["data"]
    assert "data" not in {v["name"] for v in stateful["template"]["spec"]["volumes"]}


def test_an_ephemeral_store_is_bounded_and_has_no_claim(helm):
    objects = helm.objects(CHART, {**PLAIN, "persistence": {"enabled": False, "size": "1Gi"}})
    stateful = one(objects, "StatefulSet", "cluster")["spec"]
    assert "volumeClaimTemplates" not in stateful
    assert {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}} in stateful["template"]["spec"]["volumes"]


def test_vcluster_tells_nobody_and_owns_what_it_makes(helm):
    found = config(helm.objects(CHART, PLAIN))
    assert found["telemetry"] == {"enabled": False}
    assert found["experimental"] == {"syncSettings": {"setOwner": True}}
    assert found["sync"]["toHost"]["pods"]["useSecretsForSATokens"] is True
    assert found["sync"]["toHost"]["pods"]["rewriteHosts"] == {"enabled": False}


def test_what_is_forced_on_workloads(helm):
    forced = {
        "runtimeClassName": "gvisor",
        "nodeSelector": {"pool": "a"},
        "tolerations": ["pool=a:NoSchedule"],
    }
    found = config(helm.objects(CHART, {**PLAIN, "workloads": forced}))["sync"]
    assert found["toHost"]["pods"]["runtimeClassName"] == "gvisor"
    assert found["toHost"]["pods"]["enforceTolerations"] == ["pool=a:NoSchedule"]
    # Only the selector: with "enabled" vCluster would need to list the host's nodes.
    assert found["fromHost"]["nodes"] == {"selector": {"labels": {"pool": "a"}}}


def test_nothing_is_forced_unless_asked(helm):
    found = config(helm.objects(CHART, PLAIN))["sync"]
    assert "runtimeClassName" not in found["toHost"]["pods"]
    assert "nodes" not in found["fromHost"]


@pytest.mark.parametrize("delivery", ["copy", "volume"])
def test_every_image_comes_from_the_mirror(helm, delivery):
    plain = images(helm.objects(CHART, {**PLAIN, "delivery": delivery}))
    for prefix in ("mirror.example.com/hub", "mirror.example.com/hub/"):
        mirrored = images(helm.objects(CHART, {**PLAIN, "delivery": delivery, "imagePrefix": prefix}))
        assert mirrored == [f"mirror.example.com/hub/{image}" for image in plain]
    assert len(plain) == 3


def test_a_digest_pins_an_image(helm):
    digest = "sha256:" + "0" * 64
    objects = helm.objects(CHART, {**PLAIN, "images": {"syncer": {"digest": digest}}})
    assert f"ghcr.io/loft-sh/vcluster-oss:0.36.1@{digest}" in images(objects)


def test_the_programs_are_mounted_or_copied(helm):
    copied = pod(helm.objects(CHART, PLAIN))
    mounted = pod(helm.objects(CHART, {**PLAIN, "delivery": "volume"}))
    assert [c["name"] for c in copied["initContainers"]] == ["kubernetes"]
    assert "initContainers" not in mounted
    (volume,) = (v for v in mounted["volumes"] if v["name"] == "binaries")
    assert volume["image"]["reference"] == copied["initContainers"][0]["image"]


def test_a_restart_follows_a_change_of_configuration_only(helm):
    def digest(**changes: Any) -> str:
        stateful = one(helm.objects(CHART, {**PLAIN, **changes}), "StatefulSet", "cluster")
        return str(stateful["spec"]["template"]["metadata"]["annotations"]["tenancy.atoll.internal/config"])

    assert digest() != digest(extraSANs=["api.example.com"])
    assert digest() == digest(service={"type": "NodePort"})


def test_the_pod_is_as_confined_as_the_restricted_level_asks(helm):
    spec = pod(helm.objects(CHART, PLAIN))
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }


def test_no_tenant_pod_has_a_token_of_the_host(helm):
    account = one(helm.objects(CHART, PLAIN), "ServiceAccount", "vc-workload-cluster")
    assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("surprise", 1, "additional properties 'surprise' not allowed"),
        (
            "workloads.runtimeClass",
            "gvisor",
            "at '/workloads': additional properties 'runtimeClass' not allowed",
        ),
        ("persistence.enabled", "yes", "at '/persistence/enabled': got string, want boolean"),
        ("persistence.size", "5 GB", "at '/persistence/size': '5 GB' does not match pattern"),
        (
            "service.type",
            "ExternalName",
            "at '/service/type': value must be one of 'ClusterIP', 'NodePort', 'LoadBalancer'",
        ),
        ("serviceCIDR", "", "at '/serviceCIDR': '' does not match pattern"),
        ("delivery", "magic", "at '/delivery': value must be one of 'copy', 'volume'"),
        ("controlPlane.user", 0, "at '/controlPlane/user': minimum: got 0, want 1"),
        (
            "controlPlane.resources.limits.cpu",
            2,
            "at '/controlPlane/resources/limits/cpu': got number, want string",
        ),
        ("images.syncer.digest", "sha256:1", "at '/images/syncer/digest': 'sha256:1' does not match pattern"),
        ("images.syncer.tag", "latest", "image ghcr.io/loft-sh/vcluster-oss: give an exact tag"),
        ("workloads.tolerations", ["*"], "at '/workloads/tolerations/0': '*' does not match pattern"),
    ],
)
def test_bad_values_are_refused_by_name(helm, path, value, message):
    given: dict[str, Any] = deepcopy(PLAIN)
    *parents, last = path.split(".")
    place = given
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = value
    assert message in helm.refusal(CHART, given)


def test_labels_say_whose_everything_is(helm):
    objects = helm.objects(CHART, values.render(wish()))
    ours = {"tenancy.atoll.internal/tenant": "demo", "tenancy.atoll.internal/cluster": "first"}
    assert all(o["metadata"]["labels"].items() >= ours.items() for o in objects)
    template = one(objects, "StatefulSet", "cluster")["spec"]["template"]["metadata"]
    assert template["labels"].items() >= ours.items()
