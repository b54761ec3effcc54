"""What attacks are made of: requests to the host, and bodies that are allowed as they stand."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

SYNCER = "system:serviceaccount:{ns}:vc-cluster"
STATEFULSETS = "system:serviceaccount:kube-system:statefulset-controller"
PEOPLE = "somebody"

PODS = "/api/v1/namespaces/{ns}/pods"
SERVICES = "/api/v1/namespaces/{ns}/services"
SECRETS = "/api/v1/namespaces/{ns}/secrets"
CLAIMS = "/api/v1/namespaces/{ns}/persistentvolumeclaims"
NETWORK = "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}"
APPS = "/apis/apps/v1/namespaces/{ns}"

Body = dict[str, Any]
WEB = f"quay.io/web@sha256:{'0' * 64}"
"""An image that every namespace of the tests allows."""


@dataclass(frozen=True)
class Request:
    """One call of the API."""

    method: str
    path: str
    body: Any = None


@dataclass(frozen=True)
class Attack:
    """``policy`` is the topic whose policy must refuse ``bad``; ``good`` must pass."""

    name: str
    policy: str
    bad: Request
    good: Request
    who: str = SYNCER
    also: tuple[str, ...] = field(default=())
    """Other policies that refuse it too, whichever speaks first."""


def merged(base: Any, change: Any) -> Any:
    """Objects are joined key by key; None takes a key out; anything else is replaced."""
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return deepcopy(change)
    joined = {key: merged(base.get(key), value) for key, value in change.items()}
    return {key: value for key, value in {**deepcopy(base), **joined}.items() if value is not None}


def pod(spec: Body | None = None, *, container: Body | None = None, meta: Body | None = None) -> Body:
    """A pod as the syncer makes it for a plain ``kubectl run``, and what is to be different.

    Its runtime class and node selector are what the namespace asks for; see ``bare``.
    """
    plain = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-x-default-x-cluster", "labels": {"vcluster.loft.sh/managed-by": "cluster"}},
        "spec": {
            "runtimeClassName": "iso",
            "nodeSelector": {"pool": "blue", "zone": "a"},
            "serviceAccountName": "vc-workload-cluster",
            "automountServiceAccountToken": False,
            "containers": [merged({"name": "web", "image": WEB}, container or {})],
        },
    }
    made: Body = merged(plain, {"spec": spec or {}, "metadata": meta or {}})
    return made


def bare(spec: Body | None = None) -> Body:
    """The same pod with its placement unset: the host's to fill in."""
    return pod({"runtimeClassName": None, "nodeSelector": None, **(spec or {})})


def control_plane(spec: Body | None = None, *, name: str = "cluster-0") -> Body:
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    plain = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "vcluster", "release": "cluster"}},
        "spec": {
            "serviceAccountName": "vc-cluster",
            "nodeSelector": {"pool": "planes"},
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532},
            "containers": [{"name": "syncer", "image": "syncer:1", "securityContext": confined}],
        },
    }
    made: Body = merged(plain, {"spec": spec or {}})
    return made


def named(kind: str, name: str, api: str = "v1", **rest: Any) -> Body:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **rest}


def post(path: str, body: Any) -> Request:
    return Request("POST", path, body)


def pods(policy: str, **cases: tuple[Body, Body]) -> list[Attack]:
    return [
        Attack(name.replace("_", " "), policy, post(PODS, bad), post(PODS, good))
        for name, (bad, good) in cases.items()
    ]


def context(**fields: Any) -> Body:
    return pod(container={"securityContext": fields})


def toleration(**fields: Any) -> Body:
    return pod({"tolerations": [fields]})


def init(context: Body) -> Body:
    return pod({"initContainers": [{"name": "first", "image": "web:1", "securityContext": context}]})


def volume(**source: Any) -> Body:
    return pod({"volumes": [{"name": "v", **source}]})


def projected(source: Body) -> Body:
    return volume(projected={"sources": [source]})
