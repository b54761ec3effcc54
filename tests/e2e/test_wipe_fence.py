"""The one pod with a node's file system: whatever else the provisioner, or a thief of its token, asks for there is refused."""

from __future__ import annotations

import copy

import pytest

from provisioner.reconcile.moving import wiping
from tests.e2e.test_rights import USER, admin
from tests.isolation.host import client

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
POLICY = "atoll-provisioner-wipe"
PODS = f"/api/v1/namespaces/{wiping.NAMESPACE}/pods?dryRun=All"


@pytest.fixture(scope="module")
def host(stack):
    with client(admin(stack)) as api:
        yield api


@pytest.fixture(scope="module")
def true(host):
    """The pod as the provisioner makes it."""
    settings = host.get(f"/api/v1/namespaces/{wiping.NAMESPACE}/configmaps/{wiping.SETTINGS}").json()
    return wiping.pod("wipe-test", "worker-1", settings["data"]["image"], ["keep"])


def asked(host, body):
    return host.post(PODS, json=body, headers={"Impersonate-User": USER})


def container(**changes):
    return lambda spec: spec["containers"][0].update(changes)


def context(**changes):
    return lambda spec: spec["containers"][0]["securityContext"].update(changes)


def spec(**changes):
    return lambda found: found.update(changes)


def more(part, value):
    return lambda found: found[part].append(value)


def in_container(part, value):
    return lambda found: found["containers"][0][part].append(value)


ATTACKS = {
    "another image": container(image="docker.io/library/busybox:latest"),
    "another command": container(command=["sh", "-c", "cat /node/etc/shadow"]),
    "arguments": container(args=["-c", "id"]),
    "a hook": container(lifecycle={"postStart": {"exec": {"command": ["id"]}}}),
    "a probe": container(livenessProbe={"exec": {"command": ["id"]}}),
    "a variable": in_container("env", {"name": "CTR", "value": "/node/tmp/mine"}),
    "another node's name": container(env=[{"name": "NODE", "value": "worker-2"}]),
    "a Secret's variables": container(envFrom=[{"secretRef": {"name": "x"}}]),
    "a second container": more("containers", {"name": "mine", "image": "docker.io/library/busybox:1.36.1"}),
    "an init container": spec(initContainers=[{"name": "mine", "image": "docker.io/library/busybox:1.36.1"}]),
    "another volume": more("volumes", {"name": "mine", "emptyDir": {}}),
    "another script": spec(
        volumes=[
            {"name": "node", "hostPath": {"path": "/"}},
            {"name": "wipe", "configMap": {"name": "mine"}},
        ]
    ),
    "a part of the script": spec(
        volumes=[
            {"name": "node", "hostPath": {"path": "/"}},
            {"name": "wipe", "configMap": {"name": "wipe", "items": [{"key": "image", "path": "wipe.sh"}]}},
        ]
    ),
    "a mount elsewhere": in_container("volumeMounts", {"name": "node", "mountPath": "/bin"}),
    "any node": spec(nodeName=None),
    "for ever": spec(restartPolicy="Always"),
    "a token": spec(automountServiceAccountToken=True),
    "the node's network": spec(hostNetwork=True),
    "the node's processes": spec(hostPID=True),
    "the node's messages": spec(hostIPC=True),
    "privileges": context(privileged=True, allowPrivilegeEscalation=True),
    "a capability more": context(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
    "all capabilities": context(capabilities={}),
}


def test_the_wipe_itself_is_allowed(host, true):
    answer = asked(host, true)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("attack", ATTACKS)
def test_anything_else_is_refused_by_the_policy(host, true, attack):
    body = copy.deepcopy(true)
    ATTACKS[attack](body["spec"])
    answer = asked(host, body)
    assert answer.status_code == 403, answer.text
    assert POLICY in answer.text


def test_without_the_script_there_is_no_wipe(host, true):
    """The policy's parameter is looked up, and what is missing closes."""
    binding = host.get(
        f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/{POLICY}"
    ).json()
    assert binding["spec"]["paramRef"]["parameterNotFoundAction"] == "Deny"
    assert binding["spec"]["validationActions"] == ["Deny"]
