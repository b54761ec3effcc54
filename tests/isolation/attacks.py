"""What is tried, by whom, which policy must refuse it, and the neighbour that must pass.

``{ns}`` and ``{other}`` in paths are the tenant's namespace and another tenant's.
"""

from __future__ import annotations

from typing import Any, cast

from tests.isolation.image_attacks import DEVICES, IMAGES
from tests.isolation.indirect_attacks import INDIRECT
from tests.isolation.metadata_attacks import METADATA
from tests.isolation.pod_attacks import (
    CONTROL_PLANE,
    GPU_GATE,
    HARDENING,
    PLACEMENT,
    POD_IDENTITY,
    RUNNING,
    RUNNING_POD,
)
from tests.isolation.shapes import (
    APPS,
    CLAIMS,
    NETWORK,
    PEOPLE,
    PODS,
    RBAC,
    SECRETS,
    SERVICES,
    Attack,
    Body,
    Request,
    named,
    pod,
    post,
)


def _stateful(**spec: Any) -> Request:
    return Request("PATCH", APPS + "/statefulsets/cluster", {"spec": spec})


_MAP = post("/api/v1/namespaces/{ns}/configmaps", named("ConfigMap", "mine"))
_TEMPLATE: Body = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {"containers": [{"name": "c", "image": "c:1"}]},
}
_DEPLOYMENT = named(
    "Deployment", "mine", "apps/v1", spec={"selector": {"matchLabels": {"a": "b"}}, "template": _TEMPLATE}
)

_THERE = "/api/v1/namespaces/{mapped}/pods"
_JOB = named(
    "Job",
    "mine",
    "batch/v1",
    spec={"template": {"spec": {**_TEMPLATE["spec"], "restartPolicy": "Never"}}},
)

FROZEN = [
    Attack(
        "another control plane image",
        "frozen",
        _stateful(template={"metadata": {"labels": {"x": "y"}}}),
        _MAP,
    ),
    Attack("control plane stopped", "frozen", _stateful(replicas=0), _MAP),
    Attack("control plane deleted", "frozen", Request("DELETE", APPS + "/statefulsets/cluster"), _MAP),
    Attack("workload on the host", "frozen", post(APPS + "/deployments", _DEPLOYMENT), post(PODS, pod())),
    Attack("control plane's Service", "frozen", Request("DELETE", SERVICES + "/cluster"), _MAP),
    Attack(
        "control plane's configuration",
        "frozen",
        Request("PATCH", SECRETS + "/vc-config-cluster", {"data": {"config.yaml": ""}}),
        Request("PATCH", SECRETS + "/mine", {"data": {"config.yaml": ""}}),
    ),
    Attack(
        "control plane's trust",
        "frozen",
        Request("PATCH", "/api/v1/namespaces/{ns}/configmaps/kube-root-ca.crt", {"data": {"ca.crt": ""}}),
        _MAP,
    ),
    Attack(
        "control plane's store",
        "frozen",
        Request("DELETE", CLAIMS + "/data-cluster-0"),
        Request("DELETE", CLAIMS + "/disk"),
    ),
    Attack(
        "control plane's pod deleted",
        "frozen",
        Request("DELETE", _THERE + "/cluster-0"),
        Request("DELETE", _THERE + "/running"),
        who="system:serviceaccount:{mapped}:vc-cluster",
    ),
    Attack(
        "control plane's pod evicted",
        "frozen",
        post(_THERE + "/cluster-0/eviction", named("Eviction", "cluster-0", "policy/v1")),
        post(_THERE + "/running/eviction", named("Eviction", "running", "policy/v1")),
        who="system:serviceaccount:{mapped}:vc-cluster",
    ),
    Attack(
        "pods by a job",
        "frozen",
        post("/apis/batch/v1/namespaces/{ns}/jobs", _JOB),
        post(PODS, pod()),
    ),
]

_BINDING = named(
    "RoleBinding",
    "more",
    "rbac.authorization.k8s.io/v1",
    roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    subjects=[{"kind": "ServiceAccount", "name": "vc-cluster", "namespace": "default"}],
)
_ROLE = named("Role", "more", "rbac.authorization.k8s.io/v1", rules=[])
_TOKEN = named("TokenRequest", "vc-cluster", "authentication.k8s.io/v1", spec={"audiences": ["x"]})
_BIND = named("Binding", "running", target={"kind": "Node", "name": "worker-1"})


def _quota(**hard: str) -> Request:
    return Request("PATCH", "/api/v1/namespaces/{ns}/resourcequotas/atoll-quota", {"spec": {"hard": hard}})


def _network(name: str = "mine", **spec: Any) -> Body:
    return named(
        "NetworkPolicy",
        name,
        "networking.k8s.io/v1",
        spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"], **spec},
    )


_SHUT = post(NETWORK, _network())

GUARD_RAILS = [
    Attack("quota raised", "guard-rails", _quota(pods="1000"), _MAP),
    Attack("quota deleted", "guard-rails", Request("DELETE", "/api/v1/namespaces/{ns}/resourcequotas"), _MAP),
    Attack(
        "limits made",
        "guard-rails",
        post("/api/v1/namespaces/{ns}/limitranges", named("LimitRange", "l", spec={"limits": []})),
        _MAP,
    ),
    Attack(
        "identity made",
        "guard-rails",
        post("/api/v1/namespaces/{ns}/serviceaccounts", named("ServiceAccount", "s")),
        _MAP,
    ),
    Attack(
        "token minted",
        "guard-rails",
        post("/api/v1/namespaces/{ns}/serviceaccounts/vc-cluster/token", _TOKEN),
        _MAP,
    ),
    Attack("rights taken", "guard-rails", post(RBAC + "/rolebindings", _BINDING), _MAP),
    Attack("role made", "guard-rails", post(RBAC + "/roles", _ROLE), _MAP),
    Attack("pod bound to a node", "guard-rails", post(RUNNING_POD + "/binding", _BIND), _MAP),
    Attack("network fence deleted", "guard-rails", Request("DELETE", NETWORK + "/atoll-deny"), _SHUT),
    Attack("all network fences deleted", "guard-rails", Request("DELETE", NETWORK), _SHUT),
    Attack(
        "network fence widened",
        "guard-rails",
        Request("PATCH", NETWORK + "/atoll-deny", {"spec": {"policyTypes": ["Ingress"]}}),
        _SHUT,
    ),
]

_PEERS = post(
    NETWORK, _network(egress=[{"to": [{"podSelector": {}}]}], ingress=[{"from": [{"podSelector": {}}]}])
)
NETWORK_POLICIES = [
    Attack(name, "network-policies", post(NETWORK, _network(**cast("Body", spec))), _PEERS)
    for name, spec in {
        "addresses opened": {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]},
        "namespaces opened": {"egress": [{"to": [{"namespaceSelector": {}}]}]},
        "pods of other namespaces": {"ingress": [{"from": [{"podSelector": {}, "namespaceSelector": {}}]}]},
        "all ways out": {"egress": [{}]},
        "all ways in": {"ingress": [{"ports": [{"port": 80}]}]},
        "second rule": {"egress": [{"to": [{"podSelector": {}}]}, {}]},
    }.items()
]


def _service(**spec: Any) -> Request:
    return post(SERVICES, named("Service", "mine", spec={"ports": [{"port": 80}], **spec}))


def _endpoints(ip: str) -> Request:
    subsets = [{"addresses": [{"ip": ip}], "ports": [{"port": 80}]}]
    return post("/api/v1/namespaces/{ns}/endpoints", named("Endpoints", "mine", subsets=subsets))


def _slice(ip: str) -> Request:
    made = named(
        "EndpointSlice",
        "mine",
        "discovery.k8s.io/v1",
        addressType="IPv4",
        endpoints=[{"addresses": ["10.244.0.9"]}, {"addresses": [ip]}],
        ports=[{"port": 80}],
    )
    return post("/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices", made)


SERVICE = [
    Attack("port of every node", "services", _service(type="NodePort"), _service()),
    Attack("load balancer", "services", _service(type="LoadBalancer"), _service(type="ClusterIP")),
    Attack("external name", "services", _service(type="ExternalName", externalName="a.b"), _service()),
    Attack("external address", "services", _service(externalIPs=["10.170.0.11"]), _service(clusterIP="None")),
    Attack("endpoint is the host's API", "services", _endpoints("10.170.0.1"), _endpoints("10.244.0.9")),
    Attack("endpoint is a node", "services", _endpoints("192.168.7.1"), _endpoints("10.244.1.9")),
    Attack("slice to an outside address", "services", _slice("8.8.8.8"), _slice("10.244.0.11")),
    Attack("slice to the host's Services", "services", _slice("10.170.128.1"), _slice("10.244.0.10")),
]


def _secret(kind: str, name: str = "made", **rest: Any) -> Request:
    return post(SECRETS, named("Secret", name, type=kind, **rest))


def _labelled(kind: str, **labels: str) -> Body:
    made = named(kind, "made")
    made["metadata"]["labels"] = labels
    return made


_TOKEN_SECRET = named("Secret", "made", type="kubernetes.io/service-account-token")
_TOKEN_SECRET["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "vc-cluster"}
_PLAIN = _secret("Opaque")

SECRET = [
    Attack("token of the host", "secrets", post(SECRETS, _TOKEN_SECRET), _PLAIN),
    Attack(
        "bootstrap token", "secrets", _secret("bootstrap.kubernetes.io/token"), _secret("example.com/any")
    ),
    Attack("forged release", "secrets", _secret("helm.sh/release.v1"), _PLAIN),
    Attack(
        "release by label",
        "secrets",
        post(SECRETS, _labelled("Secret", owner="helm", name="cluster", status="deployed", version="99")),
        post(SECRETS, _labelled("Secret", owner="me", name="cluster", version="99")),
    ),
    Attack("release by name", "secrets", _secret("Opaque", "sh.helm.release.v1.cluster.v9"), _PLAIN),
    Attack(
        "release rewritten",
        "secrets",
        Request("PATCH", SECRETS + "/sh.helm.release.v1.cluster.v1", {"data": {"release": "eA=="}}),
        Request("PATCH", SECRETS + "/mine", {"data": {"release": "eA=="}}),
    ),
    Attack(
        "releases forgotten",
        "secrets",
        Request("DELETE", SECRETS),
        Request("DELETE", SECRETS + "/mine"),
        also=("frozen",),
    ),
]


def _claim(annotations: Body | None = None, **spec: Any) -> Request:
    size = {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadWriteOnce"]}
    made = named("PersistentVolumeClaim", "mine", spec={"storageClassName": "iso-disk", **size, **spec})
    made["metadata"]["annotations"] = annotations or {}
    return post(CLAIMS, made)


_COPY = {"kind": "PersistentVolumeClaim", "name": "disk"}
VOLUMES = [
    Attack("foreign storage class", "volumes", _claim(storageClassName="iso-other"), _claim()),
    Attack("empty storage class", "volumes", _claim(storageClassName=""), _claim()),
    Attack("chosen volume", "volumes", _claim(volumeName="theirs"), _claim()),
    Attack(
        "volume chosen by labels",
        "volumes",
        _claim(selector={"matchLabels": {"a": "b"}}),
        _claim(accessModes=["ReadWriteOncePod"]),
    ),
    Attack(
        "storage class by an annotation",
        "volumes",
        _claim({"volume.beta.kubernetes.io/storage-class": "iso-other"}),
        _claim({"example.com/storage-class": "iso-other"}),
    ),
    Attack(
        "node of a volume",
        "volumes",
        _claim({"volume.kubernetes.io/selected-node": "worker-1"}),
        _claim({"mine": "worker-1"}),
    ),
    Attack(
        "node of a volume, later",
        "volumes",
        Request(
            "PATCH",
            CLAIMS + "/disk",
            {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "worker-1"}}},
        ),
        Request("PATCH", CLAIMS + "/disk", {"metadata": {"annotations": {"mine": "too"}}}),
    ),
    Attack(
        "attributes of the host's volumes",
        "volumes",
        _claim(volumeAttributesClassName="fast"),
        _claim(dataSource=_COPY),
    ),
]

FENCE = [
    Attack(
        "pod elsewhere", "tenant-fence", post("/api/v1/namespaces/{other}/pods", pod()), post(PODS, pod())
    ),
    Attack(
        "secret elsewhere",
        "tenant-fence",
        post("/api/v1/namespaces/default/secrets", named("Secret", "s")),
        _PLAIN,
    ),
    Attack(
        "storage class of the host",
        "tenant-fence",
        post(
            "/apis/storage.k8s.io/v1/storageclasses",
            named("StorageClass", "s", "storage.k8s.io/v1", provisioner="p"),
        ),
        _MAP,
    ),
    Attack(
        "own namespace's labels",
        "tenant-fence",
        Request("PATCH", "/api/v1/namespaces/{ns}", {"metadata": {"labels": {"mine": "too"}}}),
        _MAP,
    ),
    Attack(
        "node changed",
        "tenant-fence",
        Request("PATCH", "/api/v1/nodes/{node}", {"metadata": {"labels": {"mine": "too"}}}),
        post(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            named(
                "SelfSubjectAccessReview",
                "",
                "authorization.k8s.io/v1",
                spec={"resourceAttributes": {"verb": "get"}},
            ),
        ),
    ),
]


def _labels(place: str = "", **labels: str | None) -> Request:
    changed = {key.replace("__", "/").replace("_", "."): value for key, value in labels.items()}
    return Request("PATCH", "/api/v1/namespaces/{ns}" + place, {"metadata": {"labels": changed}})


def _node(place: str) -> Request:
    role = {"tenancy.atoll.internal/role": "mine"}
    return Request("PATCH", "/api/v1/nodes/{node}" + place, {"metadata": {"labels": role}})


NAMESPACES = [
    Attack(name, "namespaces", bad, _labels(mine="too"), who=PEOPLE)
    for name, bad in {
        "no tenant any more": _labels("", **cast("dict[str, Any]", {"{label}": None})),
        "another sandbox": _labels(**{"tenancy_atoll_internal__runtime-class": "iso-other"}),
        "another sandbox by the status": _labels("/status", **{"tenancy_atoll_internal__runtime-class": ""}),
        "pod security taken off": _labels(**{"pod-security_kubernetes_io__enforce": "privileged"}),
        "node that calls for control planes": _node(""),
        "node that calls for control planes by its status": _node("/status"),
        "name of the platform": post("/api/v1/namespaces", named("Namespace", "{other}x")),
    }.items()
]

ATTACKS = [
    *PLACEMENT,
    *GPU_GATE,
    *HARDENING,
    *POD_IDENTITY,
    *RUNNING,
    *CONTROL_PLANE,
    *FROZEN,
    *GUARD_RAILS,
    *NETWORK_POLICIES,
    *SERVICE,
    *SECRET,
    *VOLUMES,
    *IMAGES,
    *DEVICES,
    *METADATA,
    *INDIRECT,
    *FENCE,
    *NAMESPACES,
]
