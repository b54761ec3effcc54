"""Attacks by pods, each with a neighbour that is allowed; see ``attacks``."""

from __future__ import annotations

from typing import Any

from tests.isolation.shapes import (
    PODS,
    STATEFULSETS,
    WEB,
    Attack,
    Request,
    context,
    control_plane,
    init,
    merged,
    pod,
    pods,
    post,
    projected,
    toleration,
    volume,
)

GATE = "tenancy.atoll.node-restriction.kubernetes.io/gpu-escape"
_CLAIM = {"resourceClaims": [{"name": "g", "resourceClaimName": "g"}]}
_WAITS = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}
_POOL = {"key": "pool", "value": "blue", "effect": "NoSchedule"}


def _term(**where: Any) -> dict[str, Any]:
    """Of pod affinity."""
    return {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"a": "b"}}, **where}


def _required(**where: Any) -> dict[str, Any]:
    return {"requiredDuringSchedulingIgnoredDuringExecution": [_term(**where)]}


def _preferred(**where: Any) -> dict[str, Any]:
    weighted = {"weight": 1, "podAffinityTerm": _term(**where)}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}


def _modelled(labels: dict[str, str | None], *, first: bool = False) -> dict[str, Any]:
    """A pod with a device of which the namespace names the nodes."""
    device = {"resources": {"limits": {"example.com/modelled": "1"}}}
    selector = {"nodeSelector": {"example.com/model": "X1", "tier": "fast", GATE: "clean", **labels}}
    if first:
        return pod({**selector, "initContainers": [{"name": "first", "image": WEB, **device}]})
    return pod(selector, container=device)


PLACEMENT = pods(
    "placement",
    foreign_runtime_class=(pod({"runtimeClassName": "iso-other"}), pod()),
    foreign_pool=(pod({"nodeSelector": {"pool": "red"}}), pod({"nodeSelector": {"mine": "too"}})),
    foreign_zone=(pod({"nodeSelector": {"zone": "b"}}), pod({"nodeSelector": {"zone": None}})),
    node_name=(pod({"nodeName": "worker-1"}), pod()),
    every_toleration=(toleration(operator="Exists"), toleration(**_WAITS, tolerationSeconds=30)),
    foreign_toleration=(toleration(**{**_POOL, "value": "red"}), toleration(**_POOL)),
    toleration_of_every_effect=(toleration(**{**_POOL, "effect": ""}), toleration(**_POOL)),
    scheduler=(pod({"schedulerName": "mine"}), pod({"schedulerName": "default-scheduler"})),
    keeping_others_off=(
        pod({"affinity": {"podAntiAffinity": _required(namespaceSelector={})}}),
        pod({"affinity": {"podAntiAffinity": _required()}}),
    ),
    beside_another_tenant=(
        pod({"affinity": {"podAffinity": _preferred(namespaces=["kube-system"])}}),
        pod({"affinity": {"podAffinity": _preferred()}}),
    ),
    priority=(pod({"priorityClassName": "system-node-critical"}), pod()),
    devices_of_another_model=(
        _modelled({"example.com/model": "X2"}),
        pod({"nodeSelector": {"example.com/model": "X2"}}),
    ),
    devices_of_another_model_first=(_modelled({"tier": "slow"}, first=True), _modelled({}, first=True)),
    devices_of_any_model=(_modelled({"example.com/model": ""}), _modelled({"example.com/model": None})),
)


def _gpu(name: str = "nvidia.com/gpu", *, on: str | None = None, first: bool = False) -> dict[str, Any]:
    """A pod with a device, which selects nodes of this verdict."""
    device = {"resources": {"limits": {name: "1"}}}
    selector = {"nodeSelector": {GATE: on}}
    if first:
        return pod({**selector, "initContainers": [{"name": "first", "image": "web:1", **device}]})
    return pod(selector, container=device)


GPU_GATE = [
    *pods(
        "gpu-gate",
        exposed_gpu_node=(_gpu(on="exposed"), _gpu(on="clean")),
        any_gpu_node=(_gpu(on=""), _gpu()),
        unknown_gpu_node=(_gpu(on="unknown"), pod({"nodeSelector": {GATE: "unknown"}})),
        gpu_of_another_name=(
            _gpu("volcano.sh/vgpu-number", on="exposed"),
            _gpu("volcano.sh/vgpu-number", on="clean"),
        ),
        gpu_slice=(
            _gpu("nvidia.com/mig-1g.10gb", on="exposed"),
            pod(container={"resources": {"limits": {"cpu": "1"}}}),
        ),
        gpu_for_the_first_container=(_gpu(on="exposed", first=True), _gpu(on="clean", first=True)),
    ),
    Attack(
        "device claim",
        "gpu-gate",
        post(PODS, pod({**_CLAIM, "nodeSelector": {GATE: "exposed"}})),
        post(PODS, pod()),
        also=("devices",),
    ),
]

HARDENING = pods(
    "hardening",
    host_network=(pod({"hostNetwork": True}), pod({"hostNetwork": False})),
    host_processes=(pod({"hostPID": True}), pod({"shareProcessNamespace": True})),
    host_ipc=(pod({"hostIPC": True}), pod()),
    host_path=(volume(hostPath={"path": "/"}), volume(emptyDir={})),
    nfs=(volume(nfs={"server": "10.0.0.1", "path": "/"}), volume(configMap={"name": "c"})),
    inline_csi=(volume(csi={"driver": "d"}), volume(persistentVolumeClaim={"claimName": "c"})),
    privileged=(context(privileged=True), context(privileged=False)),
    escalation=(context(allowPrivilegeEscalation=True), context(allowPrivilegeEscalation=False)),
    capability=(
        context(capabilities={"add": ["SYS_ADMIN"]}),
        context(capabilities={"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}),
    ),
    raw_packets=(context(capabilities={"add": ["NET_RAW"]}), context(capabilities={"drop": ["NET_RAW"]})),
    every_capability=(context(capabilities={"add": ["ALL"]}), context(runAsUser=0)),
    open_proc=(
        merged(context(procMount="Unmasked"), {"spec": {"hostUsers": False}}),
        context(procMount="Default"),
    ),
    host_port=(
        pod(container={"ports": [{"containerPort": 80, "hostPort": 80}]}),
        pod(container={"ports": [{"containerPort": 80}]}),
    ),
    privileged_first_container=(init({"privileged": True}), init({"runAsNonRoot": True})),
    probe_of_another_host=(
        pod(container={"livenessProbe": {"httpGet": {"host": "169.254.169.254", "port": 80}}}),
        pod(container={"livenessProbe": {"httpGet": {"path": "/", "port": 80}}}),
    ),
    hook_of_another_host=(
        pod(container={"lifecycle": {"postStart": {"httpGet": {"host": "127.0.0.1", "port": 10248}}}}),
        pod(container={"lifecycle": {"preStop": {"exec": {"command": ["true"]}}}}),
    ),
    no_seccomp=(
        context(seccompProfile={"type": "Unconfined"}),
        context(seccompProfile={"type": "RuntimeDefault"}),
    ),
    no_seccomp_for_the_pod=(
        pod({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
        pod({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, "fsGroup": 1000}}),
    ),
    no_apparmor=(
        context(appArmorProfile={"type": "Unconfined"}),
        context(appArmorProfile={"type": "RuntimeDefault"}),
    ),
    no_apparmor_by_annotation=(
        pod(meta={"annotations": {"container.apparmor.security.beta.kubernetes.io/web": "unconfined"}}),
        pod(meta={"annotations": {"container.apparmor.security.beta.kubernetes.io/web": "runtime/default"}}),
    ),
    another_selinux_type=(
        context(seLinuxOptions={"type": "spc_t"}),
        context(seLinuxOptions={"type": "container_t", "level": "s0:c1,c2"}),
    ),
    windows_host_process=(
        pod({"hostNetwork": True, "securityContext": {"windowsOptions": {"hostProcess": True}}}),
        pod({"securityContext": {"windowsOptions": {"runAsUserName": "app"}}}),
    ),
    kernel_setting=(
        pod({"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}),
        pod({"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}}),
    ),
    endless_end=(
        pod({"terminationGracePeriodSeconds": 10**8}),
        pod({"terminationGracePeriodSeconds": 600}),
    ),
)

POD_IDENTITY = pods(
    "pod-identity",
    syncers_identity=(pod({"serviceAccountName": "vc-cluster"}), pod()),
    mounted_token=(
        pod({"automountServiceAccountToken": True}),
        pod(),
    ),
    projected_token=(
        projected({"serviceAccountToken": {"path": "t"}}),
        projected({"secret": {"name": "s"}}),
    ),
    without_the_mark=(pod(meta={"labels": {"vcluster.loft.sh/managed-by": None}}), pod()),
    posing_as_control_plane=(
        pod(meta={"labels": {"app": "vcluster", "release": "cluster"}}),
        pod(meta={"labels": {"app": "vcluster"}}),
    ),
    control_planes_store=(
        volume(persistentVolumeClaim={"claimName": "data-cluster-0"}),
        volume(persistentVolumeClaim={"claimName": "data-mine-0"}),
    ),
    cluster_certificates=(
        projected({"clusterTrustBundle": {"name": "b", "path": "p"}}),
        projected({"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}}),
    ),
)

RUNNING_POD = PODS + "/running"
_EPHEMERAL = {"name": "debug", "image": "web:1"}


def _debug(**context: Any) -> Request:
    container = {**_EPHEMERAL, "securityContext": context}
    return Request(
        "PATCH", RUNNING_POD + "/ephemeralcontainers", {"spec": {"ephemeralContainers": [container]}}
    )


def _status(**status: Any) -> Request:
    return Request("PATCH", RUNNING_POD + "/status", {"status": status})


RUNNING = [
    Attack("privileged debugging", "hardening", _debug(privileged=True), _debug(runAsUser=0)),
    Attack(
        "forged pod address",
        "pod-identity",
        _status(podIP="10.170.0.1", podIPs=[{"ip": "10.170.0.1"}]),
        _status(conditions=[{"type": "example.com/gate", "status": "True"}]),
    ),
    *(
        Attack(
            name,
            "pod-identity",
            _status(**forged),
            _status(conditions=[{"type": "example.com/gate", "status": "True"}]),
        )
        for name, forged in {
            "forged end": {"phase": "Succeeded"},
            "room kept on a node": {"nominatedNodeName": "worker-1"},
        }.items()
    ),
    Attack(
        "mark taken off",
        "pod-identity",
        Request("PATCH", RUNNING_POD, {"metadata": {"labels": {"vcluster.loft.sh/managed-by": None}}}),
        Request("PATCH", RUNNING_POD, {"metadata": {"labels": {"mine": "too"}}}),
    ),
    Attack(
        "toleration added",
        "placement",
        Request(
            "PATCH",
            RUNNING_POD,
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
                        {**_POOL, "operator": "Equal"},
                        {"operator": "Exists"},
                    ]
                }
            },
        ),
        Request("PATCH", RUNNING_POD, {"metadata": {"annotations": {"mine": "too"}}}),
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
