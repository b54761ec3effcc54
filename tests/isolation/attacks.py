"""What is tried, by whom, which policy must refuse it, and the neighbour that must pass.

``{ns}`` and ``{other}`` in paths are the tenant's namespace and another tenant's.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

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
    """A pod as the syncer makes it for a plain ``kubectl run``, and what is to be different."""
    plain = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-x-default-x-cluster", "labels": {"vcluster.loft.sh/managed-by": "cluster"}},
        "spec": {
            "runtimeClassName": "iso",
            "nodeSelector": {"pool": "blue", "zone": "a"},
            "serviceAccountName": "vc-workload-cluster",
            "automountServiceAccountToken": False,
            "containers": [merged({"name": "web", "image": "web:1"}, container or {})],
        },
    }
    made: Body = merged(plain, {"spec": spec or {}, "metadata": meta or {}})
    return made


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


def _pods(policy: str, **cases: tuple[Body, Body]) -> list[Attack]:
    return [
        Attack(name.replace("_", " "), policy, post(PODS, bad), post(PODS, good))
        for name, (bad, good) in cases.items()
    ]


def _context(**fields: Any) -> Body:
    return pod(container={"securityContext": fields})


def _toleration(**fields: Any) -> Body:
    return pod({"tolerations": [fields]})


def _init(context: Body) -> Body:
    return pod({"initContainers": [{"name": "first", "image": "web:1", "securityContext": context}]})


def _volume(**source: Any) -> Body:
    return pod({"volumes": [{"name": "v", **source}]})


def _projected(source: Body) -> Body:
    return _volume(projected={"sources": [source]})


_WAITS = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}
_POOL = {"key": "pool", "value": "blue", "effect": "NoSchedule"}

PLACEMENT = _pods(
    "placement",
    no_runtime_class=(pod({"runtimeClassName": None}), pod()),
    foreign_runtime_class=(pod({"runtimeClassName": "iso-other"}), pod()),
    no_pool=(pod({"nodeSelector": None}), pod({"nodeSelector": {"mine": "too"}})),
    half_a_pool=(pod({"nodeSelector": {"zone": None}}), pod()),
    foreign_pool=(pod({"nodeSelector": {"pool": "red"}}), pod()),
    node_name=(pod({"nodeName": "worker-1"}), pod()),
    every_toleration=(_toleration(operator="Exists"), _toleration(**_WAITS, tolerationSeconds=30)),
    foreign_toleration=(_toleration(**{**_POOL, "value": "red"}), _toleration(**_POOL)),
    toleration_of_every_effect=(_toleration(**{**_POOL, "effect": ""}), _toleration(**_POOL)),
    scheduler=(pod({"schedulerName": "mine"}), pod({"schedulerName": "default-scheduler"})),
    priority=(pod({"priorityClassName": "system-node-critical"}), pod()),
)

HARDENING = _pods(
    "hardening",
    host_network=(pod({"hostNetwork": True}), pod({"hostNetwork": False})),
    host_processes=(pod({"hostPID": True}), pod({"shareProcessNamespace": True})),
    host_ipc=(pod({"hostIPC": True}), pod()),
    host_path=(_volume(hostPath={"path": "/"}), _volume(emptyDir={})),
    nfs=(_volume(nfs={"server": "10.0.0.1", "path": "/"}), _volume(configMap={"name": "c"})),
    inline_csi=(_volume(csi={"driver": "d"}), _volume(persistentVolumeClaim={"claimName": "c"})),
    privileged=(_context(privileged=True), _context(privileged=False)),
    escalation=(_context(allowPrivilegeEscalation=True), _context(allowPrivilegeEscalation=False)),
    capability=(
        _context(capabilities={"add": ["SYS_ADMIN"]}),
        _context(capabilities={"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}),
    ),
    raw_packets=(_context(capabilities={"add": ["NET_RAW"]}), _context(capabilities={"drop": ["NET_RAW"]})),
    every_capability=(_context(capabilities={"add": ["ALL"]}), _context(runAsUser=0)),
    open_proc=(
        merged(_context(procMount="Unmasked"), {"spec": {"hostUsers": False}}),
        _context(procMount="Default"),
    ),
    host_port=(
        pod(container={"ports": [{"containerPort": 80, "hostPort": 80}]}),
        pod(container={"ports": [{"containerPort": 80}]}),
    ),
    privileged_first_container=(_init({"privileged": True}), _init({"runAsNonRoot": True})),
    device_claim=(pod({"resourceClaims": [{"name": "g", "resourceClaimName": "g"}]}), pod()),
)

POD_IDENTITY = _pods(
    "pod-identity",
    syncers_identity=(pod({"serviceAccountName": "vc-cluster"}), pod()),
    mounted_token=(
        pod({"automountServiceAccountToken": True}),
        pod(),
    ),
    projected_token=(
        _projected({"serviceAccountToken": {"path": "t"}}),
        _projected({"secret": {"name": "s"}}),
    ),
    without_the_mark=(pod(meta={"labels": {"vcluster.loft.sh/managed-by": None}}), pod()),
    posing_as_control_plane=(
        pod(meta={"labels": {"app": "vcluster", "release": "cluster"}}),
        pod(meta={"labels": {"app": "vcluster"}}),
    ),
    finalizer=(
        pod(meta={"finalizers": ["example.com/stay"]}),
        pod(meta={"annotations": {"example.com/stay": ""}}),
    ),
)

_RUNNING = PODS + "/running"
_EPHEMERAL = {"name": "debug", "image": "web:1"}


def _debug(**context: Any) -> Request:
    container = {**_EPHEMERAL, "securityContext": context}
    return Request("PATCH", _RUNNING + "/ephemeralcontainers", {"spec": {"ephemeralContainers": [container]}})


def _status(**status: Any) -> Request:
    return Request("PATCH", _RUNNING + "/status", {"status": status})


RUNNING = [
    Attack("privileged debugging", "hardening", _debug(privileged=True), _debug(runAsUser=0)),
    Attack(
        "forged pod address",
        "pod-identity",
        _status(podIP="10.170.0.1", podIPs=[{"ip": "10.170.0.1"}]),
        _status(conditions=[{"type": "example.com/gate", "status": "True"}]),
    ),
    Attack(
        "mark taken off",
        "pod-identity",
        Request("PATCH", _RUNNING, {"metadata": {"labels": {"vcluster.loft.sh/managed-by": None}}}),
        Request("PATCH", _RUNNING, {"metadata": {"labels": {"mine": "too"}}}),
    ),
    Attack(
        "toleration added",
        "placement",
        Request(
            "PATCH",
            _RUNNING,
            {
                "spec": {
                    "tolerations": [
                        _WAITS | {"tolerationSeconds": 300},
                        *(
                            {
                                "key": f"node.kubernetes.io/{k}",
                                "operator": "Exists",
                                "effect": "NoExecute",
                                "tolerationSeconds": 300,
                            }
                            for k in ("unreachable",)
                        ),
                        {"operator": "Exists"},
                    ]
                }
            },
        ),
        Request("PATCH", _RUNNING, {"metadata": {"annotations": {"mine": "too"}}}),
    ),
]

CONTROL_PLANE = [
    Attack(name, "control-plane", post(PODS, bad), post(PODS, control_plane()), who=STATEFULSETS)
    for name, bad in {
        "second pod": control_plane(name="cluster-1"),
        "control plane with another identity": control_plane({"serviceAccountName": "vc-workload-cluster"}),
        "control plane on foreign nodes": control_plane({"nodeSelector": {"pool": "blue"}}),
        "control plane in another runtime class": control_plane({"runtimeClassName": "iso"}),
        "control plane on a named node": control_plane({"nodeName": "worker-1"}),
        "control plane tolerates all": control_plane({"tolerations": [{"operator": "Exists"}]}),
        "control plane as root": control_plane({"securityContext": {"runAsNonRoot": False}}),
    }.items()
]


def _stateful(**spec: Any) -> Request:
    return Request("PATCH", APPS + "/statefulsets/cluster", {"spec": spec})


_MAP = post("/api/v1/namespaces/{ns}/configmaps", named("ConfigMap", "mine"))
_TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "c:1"}]}}
_DEPLOYMENT = named(
    "Deployment", "mine", "apps/v1", spec={"selector": {"matchLabels": {"a": "b"}}, "template": _TEMPLATE}
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
    Attack("pod bound to a node", "guard-rails", post(_RUNNING + "/binding", _BIND), _MAP),
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
    Attack("slice to the host's Services", "services", _slice("10.170.128.1"), _slice("10.244.0.10")),
]


def _secret(kind: str, name: str = "made", **rest: Any) -> Request:
    return post(SECRETS, named("Secret", name, type=kind, **rest))


_TOKEN_SECRET = named("Secret", "made", type="kubernetes.io/service-account-token")
_TOKEN_SECRET["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "vc-cluster"}
_PLAIN = _secret("Opaque")

SECRET = [
    Attack("token of the host", "secrets", post(SECRETS, _TOKEN_SECRET), _PLAIN),
    Attack(
        "bootstrap token", "secrets", _secret("bootstrap.kubernetes.io/token"), _secret("example.com/any")
    ),
    Attack("forged release", "secrets", _secret("helm.sh/release.v1"), _PLAIN),
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


def _claim(**spec: Any) -> Request:
    size = {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadWriteOnce"]}
    return post(
        CLAIMS, named("PersistentVolumeClaim", "mine", spec={"storageClassName": "iso-disk", **size, **spec})
    )


_PVC = {"kind": "PersistentVolumeClaim", "name": "theirs"}
VOLUMES = [
    Attack("foreign storage class", "volumes", _claim(storageClassName="iso-other"), _claim()),
    Attack("empty storage class", "volumes", _claim(storageClassName=""), _claim()),
    Attack("chosen volume", "volumes", _claim(volumeName="theirs"), _claim()),
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


NAMESPACES = [
    Attack(name, "namespaces", bad, _labels(mine="too"), who=PEOPLE)
    for name, bad in {
        "no tenant any more": _labels("", **cast("dict[str, Any]", {"{label}": None})),
        "another sandbox": _labels(**{"tenancy_atoll_internal__runtime-class": "iso-other"}),
        "another sandbox by the status": _labels("/status", **{"tenancy_atoll_internal__runtime-class": ""}),
        "pod security taken off": _labels(**{"pod-security_kubernetes_io__enforce": "privileged"}),
        "name of the platform": post("/api/v1/namespaces", named("Namespace", "{other}x")),
    }.items()
]

ATTACKS = [
    *PLACEMENT,
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
    *FENCE,
    *NAMESPACES,
]
