"""Whether an object runs, told from the object alone: one row for each way in which kinds tell it."""

from __future__ import annotations

import pytest

from provisioner.reconcile.health import tells, trouble
from tenancy.enums import Reason

NOT, FAILED = Reason.ADD_ON_NOT_RUNNING, Reason.ADD_ON_FAILED


def condition(kind, status="True", message="", reason=""):
    return {"type": kind, "status": status, "message": message, "reason": reason}


def conditions(*told):
    return {"conditions": list(told)}


def counted(**numbers):
    return {"observedGeneration": 2, **numbers}


FULL = counted(replicas=2, updatedReplicas=2, availableReplicas=2, readyReplicas=2)
DAEMON = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3}
READY_POD = {"phase": "Running", **conditions(condition("Ready"))}
LATE = {"reason": "ProgressDeadlineExceeded", "type": "Progressing", "status": "False", "message": "too late"}
REFUSED = condition("ReplicaFailure", message="exceeded quota")
TWO = {"replicas": 2}
ROLLING = {**FULL, "currentRevision": "a", "updateRevision": "b", "updatedReplicas": 1}

APPS, BATCH, EXTENSIONS = "apps/v1", "batch/v1", "apiextensions.k8s.io/v1"


@pytest.mark.parametrize(
    ("api", "kind", "spec", "status", "expected"),
    [
        (APPS, "Deployment", TWO, FULL, None),
        (APPS, "Deployment", {}, {}, (NOT, "its controller has not looked at it yet")),
        (APPS, "Deployment", TWO, {**FULL, "observedGeneration": 1}, (NOT, "its controller has not")),
        (APPS, "Deployment", TWO, {**FULL, "availableReplicas": 1}, (NOT, "1 of 2 pods run as wanted")),
        (APPS, "Deployment", TWO, {**FULL, "updatedReplicas": 0}, (NOT, "0 of 2 pods run as wanted")),
        (APPS, "Deployment", TWO, {**FULL, "replicas": 3}, (NOT, "1 of its former pods still run")),
        (APPS, "Deployment", {"replicas": 0}, counted(), None),
        (APPS, "Deployment", TWO, {**FULL, **conditions(LATE)}, (FAILED, "too late")),
        (APPS, "Deployment", TWO, {**FULL, **conditions(REFUSED)}, (NOT, "exceeded quota")),
        (APPS, "StatefulSet", TWO, {**FULL, "currentRevision": "a", "updateRevision": "a"}, None),
        (APPS, "StatefulSet", TWO, ROLLING, (NOT, "1 of 2 pods run as wanted")),
        (APPS, "StatefulSet", {**TWO, "updateStrategy": {"type": "OnDelete"}}, ROLLING, None),
        (APPS, "StatefulSet", TWO, counted(readyReplicas=1, replicas=2), (NOT, "1 of 2 pods")),
        (APPS, "DaemonSet", {}, counted(**DAEMON, numberAvailable=3), None),
        (APPS, "DaemonSet", {}, counted(), None),  # no node is for it
        (APPS, "DaemonSet", {}, counted(**DAEMON, numberAvailable=1), (NOT, "1 of 3 pods run as wanted")),
        (APPS, "ReplicaSet", {"replicas": 1}, counted(), (NOT, "0 of 1 pods")),
        (BATCH, "Job", {}, conditions(condition("Complete")), None),
        (BATCH, "Job", {}, {"active": 1}, (NOT, "it has not come to its end yet")),
        (BATCH, "Job", {"suspend": True}, {}, (NOT, "it is suspended")),
        (BATCH, "Job", {}, conditions(condition("Failed", message="3 times")), (FAILED, "3 times")),
        (BATCH, "CronJob", {}, {}, None),
        ("v1", "Pod", {}, READY_POD, None),
        ("v1", "Pod", {}, {"phase": "Succeeded"}, None),
        ("v1", "Pod", {}, {"phase": "Failed", "message": "evicted"}, (FAILED, "evicted")),
        ("v1", "Pod", {}, {"phase": "Pending"}, (NOT, "pod one is starting")),
        ("v1", "PersistentVolumeClaim", {}, {"phase": "Bound"}, None),
        ("v1", "PersistentVolumeClaim", {}, {"phase": "Pending"}, (NOT, "it has no volume yet")),
        ("v1", "PersistentVolumeClaim", {}, {"phase": "Lost"}, (FAILED, "its volume is gone")),
        ("v1", "Service", {"type": "LoadBalancer"}, {"loadBalancer": {}}, (NOT, "no address yet")),
        ("v1", "Service", {"type": "ClusterIP"}, {}, None),
        ("v1", "Namespace", {}, {"phase": "Active"}, None),
        ("v1", "Namespace", {}, {"phase": "Terminating"}, (NOT, "it is not active")),
        (EXTENSIONS, "CustomResourceDefinition", {}, conditions(condition("Established")), None),
        (EXTENSIONS, "CustomResourceDefinition", {}, {}, (NOT, "its kind is not served yet")),
        (
            EXTENSIONS,
            "CustomResourceDefinition",
            {},
            conditions(condition("NamesAccepted", "False", "taken")),
            (FAILED, "taken"),
        ),
        ("apiregistration.k8s.io/v1", "APIService", {}, {}, (NOT, "its API does not answer yet")),
        ("example.com/v1", "Gadget", {}, {}, None),
        ("example.com/v1", "Gadget", {}, conditions(condition("Ready")), None),
        (
            "example.com/v1",
            "Gadget",
            {},
            conditions(condition("Ready", "False", "on its way")),
            (NOT, "on its"),
        ),
        (
            "example.com/v1",
            "Gadget",
            {},
            conditions(condition("Reconciling")),
            (NOT, "controller is at work"),
        ),
        ("example.com/v1", "Gadget", {}, conditions(condition("Stalled", message="no")), (FAILED, "no")),
        ("example.com/v1", "Gadget", {}, {"observedGeneration": 1}, (NOT, "its controller has not")),
        ("example.com/v1", "Gadget", {}, {"conditions": "nonsense", "observedGeneration": "x"}, (NOT, "")),
        ("example.com/v1", "Gadget", {}, {"conditions": ["nonsense", {}]}, None),
        ("example.com/v1", "Gadget", {}, "nonsense", None),
    ],
)
def test_each_kind_tells_in_its_own_way(api, kind, spec, status, expected):
    seen = {"metadata": {"name": "one", "generation": 2}, "spec": spec, "status": status}
    found = trouble(api, kind, seen)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found.reason is expected[0]
        assert expected[1] in found.message


def test_what_is_not_there_or_on_its_way_out_does_not_run():
    assert trouble("v1", "ConfigMap", None) == (NOT, "it is not there")
    leaving = {"metadata": {"name": "one", "deletionTimestamp": "now"}}
    assert trouble("v1", "ConfigMap", leaving) == (NOT, "it is being deleted")


@pytest.mark.parametrize(
    ("api", "kind", "expected"),
    [
        ("v1", "ConfigMap", False),
        ("v1", "Pod", True),
        ("apps/v1", "Deployment", True),
        ("example.com/v1", "Deployment", True),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", False),
    ],
)
def test_only_kinds_that_can_run_are_looked_at(api, kind, expected):
    assert tells(api, kind) is expected
