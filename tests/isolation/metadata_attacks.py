"""Attacks by owners, finalizers and the platform's marks, each with a neighbour that is allowed."""

from __future__ import annotations

from tests.isolation.pod_attacks import RUNNING_POD
from tests.isolation.shapes import (
    CLAIMS,
    SECRETS,
    SERVICES,
    Attack,
    Body,
    Request,
    named,
    pod,
    pods,
    post,
)


def _owner(kind: str, name: str, api: str = "v1") -> list[Body]:
    return [{"apiVersion": api, "kind": kind, "name": name, "uid": "1c9e3a52-7d1c-4d8e-9a43-3c1f7a0e9b11"}]


def _changed(path: str, **metadata: object) -> Request:
    return Request("PATCH", path, {"metadata": metadata})


_SERVICE: Body = named("Service", "mine", spec={"ports": [{"port": 80}]})
_STUCK = {**_SERVICE, "metadata": {"name": "mine", "finalizers": ["example.com/stay"]}}

METADATA = [
    *pods(
        "metadata",
        foreign_owner=(
            pod(meta={"ownerReferences": _owner("DaemonSet", "agent", "apps/v1")}),
            pod(meta={"ownerReferences": _owner("Service", "cluster")}),
        ),
        a_node_as_owner=(pod(meta={"ownerReferences": _owner("Node", "worker-1")}), pod()),
        finalizer=(
            pod(meta={"finalizers": ["example.com/stay"]}),
            pod(meta={"annotations": {"example.com/stay": ""}}),
        ),
        platforms_annotation=(
            pod(meta={"annotations": {"tenancy.atoll.internal/fence": "9"}}),
            pod(
                meta={
                    "annotations": {
                        f"tenancy.atoll.internal/{k}": "1" for k in ("checkpoint", "protected", "reclaim")
                    }
                }
            ),
        ),
        platforms_label=(
            pod(meta={"labels": {"tenancy.atoll.internal/canary": "control"}}),
            pod(meta={"labels": {"tenancy.example.com/canary": "control"}}),
        ),
    ),
    Attack(
        "Service that stays",
        "metadata",
        post(SERVICES, _STUCK),
        post(SERVICES, _SERVICE),
    ),
    Attack(
        "claim that stays",
        "metadata",
        _changed(CLAIMS + "/disk", finalizers=["kubernetes.io/pvc-protection", "example.com/stay"]),
        _changed(CLAIMS + "/disk", labels={"mine": "too"}),
    ),
    Attack(
        "claim deleted in use",
        "metadata",
        _changed(CLAIMS + "/disk", finalizers=None),
        _changed(CLAIMS + "/disk", annotations={"mine": "too"}),
    ),
    Attack(
        "Secret of another owner",
        "metadata",
        _changed(SECRETS + "/mine", ownerReferences=_owner("Deployment", "x", "apps/v1")),
        _changed(SECRETS + "/mine", ownerReferences=_owner("Pod", "running")),
    ),
    Attack(
        "mark of the platform by a status",
        "metadata",
        _changed(RUNNING_POD + "/status", annotations={"tenancy.atoll.internal/canary": "x"}),
        _changed(RUNNING_POD + "/status", annotations={"example.com/canary": "x"}),
    ),
]
