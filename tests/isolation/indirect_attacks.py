"""Attacks by way of somebody else: a runtime, a controller, a database that all share; see ``attacks``."""

from __future__ import annotations

from typing import Any

from tests.isolation.pod_attacks import RUNNING_POD
from tests.isolation.shapes import (
    PODS,
    SERVICES,
    Attack,
    Body,
    Request,
    context,
    named,
    pod,
    pods,
    post,
    volume,
)

_MINE = post("/api/v1/namespaces/{ns}/configmaps", named("ConfigMap", "mine"))
_SLICES = "/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices"
_LONG, _SHORT = 10**8, 600


def _says(key: str, value: str = "x") -> Body:
    return pod(meta={"annotations": {key: value}})


ORDERS = [
    *pods(
        "metadata",
        another_network=(
            _says("k8s.v1.cni.cncf.io/networks", "kube-system/storage"),
            _says("kubernetes.io/egress-bandwidth", "1M"),
        ),
        another_default_network=(_says("v1.multus-cni.io/default-network"), _says("example.com/network")),
        address_of_choice=(_says("cni.projectcalico.org/ipAddrs", '["10.0.0.1"]'), pod()),
        address_of_choice_elsewhere=(_says("ovn.kubernetes.io/ip_address", "10.0.0.1"), pod()),
        address_pool=(_says("ipam.cilium.io/ip-pool"), _says("example.io/ip-pool")),
        sandbox_option=(_says("dev.gvisor.flag.network", "host"), _says("gvisor.example.com/flag")),
        mount_by_the_sandbox=(_says("dev.gvisor.spec.mount.data.source", "/"), pod()),
        virtual_machines_kernel=(_says("io.katacontainers.config.hypervisor.kernel_params"), pod()),
        device_by_the_runtime=(_says("io.kubernetes.cri-o.Devices", "/dev/sda"), pod()),
        no_sandbox_by_the_runtime=(_says("io.kubernetes.cri.untrusted-workload", "false"), pod()),
        processor_without_a_limit=(_says("cpu-quota.crio.io", "disable"), pod()),
        gpu_by_the_runtime=(_says("cdi.k8s.io/gpu", "nvidia.com/gpu=all"), pod()),
        pod_of_a_file=(_says("kubernetes.io/config.source", "file"), pod()),
    ),
    Attack(
        "another network, later",
        "metadata",
        Request("PATCH", RUNNING_POD, {"metadata": {"annotations": {"k8s.v1.cni.cncf.io/networks": "x"}}}),
        Request("PATCH", RUNNING_POD, {"metadata": {"annotations": {"networks": "x"}}}),
    ),
]

_GPU = "NVIDIA_VISIBLE_DEVICES"


def _env(name: str = _GPU, **more: Any) -> Body:
    return pod(container={"env": [{"name": name, **more}]})


def _mounted(path: str) -> Body:
    return pod(
        {"volumes": [{"name": "v", "emptyDir": {}}]},
        container={"volumeMounts": [{"name": "v", "mountPath": path}]},
    )


def _debug(**more: Any) -> Request:
    container = {"name": "debug", "image": "web:1", **more}
    return Request(
        "PATCH", RUNNING_POD + "/ephemeralcontainers", {"spec": {"ephemeralContainers": [container]}}
    )


VENDORS = [
    *pods(
        "devices",
        every_gpu_of_the_node=(_env(value="all"), _env(value="void")),
        gpu_by_number=(_env(value="0"), _env("CUDA_VISIBLE_DEVICES", value="0")),
        gpu_by_reference=(
            _env(valueFrom={"configMapKeyRef": {"name": "c", "key": "k"}}),
            _env("GPU", valueFrom={"configMapKeyRef": {"name": "c", "key": "k"}}),
        ),
        gpu_of_another_vendor=(_env("AMD_VISIBLE_DEVICES", value="all"), _env(value="none")),
        gpu_by_a_mount=(_mounted("/var/run/nvidia-container-devices/all"), _mounted("/var/run/devices")),
    ),
    Attack(
        "gpu for debugging",
        "devices",
        _debug(env=[{"name": _GPU, "value": "all"}]),
        _debug(env=[{"name": "DEBUG", "value": "all"}]),
    ),
]

STAND_INS = [
    *(
        Attack(
            f"in the place of {name}", "pod-identity", post(PODS, pod(meta={"name": name})), post(PODS, pod())
        )
        for name in ("cluster-0", "atoll-canary", "atoll-canary-listens", "atoll-canary-tries")
    ),
    *(
        Attack(
            f"forged {name}",
            "pod-identity",
            Request("PATCH", RUNNING_POD + "/status", {"status": forged}),
            Request(
                "PATCH",
                RUNNING_POD + "/status",
                {"status": {"conditions": [{"type": "example.com/gate", "status": "False"}]}},
            ),
        )
        for name, forged in {
            "start": {"startTime": "2020-01-01T00:00:00Z"},
            "reason of an end": {"reason": "Evicted", "message": "x"},
            "container": {
                "containerStatuses": [
                    {"name": "web", "image": "web", "imageID": "x", "ready": True, "restartCount": 0}
                ]
            },
        }.items()
    ),
]


def _evicted(seconds: int) -> Request:
    options = {"deleteOptions": {"gracePeriodSeconds": seconds, "dryRun": ["All"]}}
    return post(RUNNING_POD + "/eviction", named("Eviction", "running", "policy/v1", **options))


def _generated() -> Body:
    return {"generateName": "web-", "labels": pod()["metadata"]["labels"]}


def _sidecar(http: Body) -> Body:
    first = {"name": "first", "image": "web:1", "restartPolicy": "Always", "startupProbe": {"httpGet": http}}
    return pod({"initContainers": [first]})


ENDINGS = [
    Attack("endless end by eviction", "frozen", _evicted(_LONG), _evicted(_SHORT)),
    *pods(
        "hardening",
        endless_end_by_a_probe=(
            pod(
                container={
                    "livenessProbe": {"exec": {"command": ["true"]}, "terminationGracePeriodSeconds": _LONG}
                }
            ),
            pod(
                container={
                    "livenessProbe": {"exec": {"command": ["true"]}, "terminationGracePeriodSeconds": _SHORT}
                }
            ),
        ),
        no_seccomp_by_annotation=(
            _says("seccomp.security.alpha.kubernetes.io/pod", "unconfined"),
            _says("seccomp.security.alpha.kubernetes.io/pod", "runtime/default"),
        ),
        host_path_under_a_made_name=(
            {**volume(hostPath={"path": "/"}), "metadata": _generated()},
            {**volume(emptyDir={}), "metadata": _generated()},
        ),
        capabilities_of_both_kinds=(
            context(capabilities={"add": ["NET_BIND_SERVICE", "SYS_PTRACE"], "drop": ["ALL"]}),
            context(capabilities={"drop": ["ALL"]}),
        ),
        probe_by_tcp_of_another_host=(
            pod(container={"readinessProbe": {"tcpSocket": {"host": "10.0.0.1", "port": 10250}}}),
            pod(container={"readinessProbe": {"tcpSocket": {"port": 80}}}),
        ),
        probe_of_a_sidecar=(_sidecar({"host": "10.0.0.1", "port": 80}), _sidecar({"port": 80})),
    ),
]


def _address(name: str, **more: Any) -> Body:
    return named(
        "Endpoints", name, subsets=[{"addresses": [{"ip": "10.244.0.9"}], "ports": [{"port": 8443}]}], **more
    )


def _slice(service: str) -> Request:
    made = named("EndpointSlice", "mine", "discovery.k8s.io/v1", addressType="IPv4", ports=[{"port": 8443}])
    made["metadata"]["labels"] = {"kubernetes.io/service-name": service}
    return post(_SLICES, {**made, "endpoints": [{"addresses": ["10.244.0.9"]}]})


def _ports(count: int) -> Request:
    ports = [{"name": f"p{n}", "port": n} for n in range(1, count + 1)]
    return post(SERVICES, named("Service", "many", spec={"ports": ports}))


def _scaled(kind: str, name: str) -> Body:
    target = {"apiVersion": "apps/v1", "kind": kind, "name": name}
    return named(
        "HorizontalPodAutoscaler", "mine", "autoscaling/v2", spec={"maxReplicas": 9, "scaleTargetRef": target}
    )


_RULE = {"host": "portal.example.com"}
CONTROLLERS = [
    Attack(
        "address of the control plane",
        "frozen",
        post("/api/v1/namespaces/{ns}/endpoints", _address("cluster")),
        post("/api/v1/namespaces/{ns}/endpoints", _address("mine")),
    ),
    Attack("address of the control plane by a slice", "frozen", _slice("cluster"), _slice("mine")),
    Attack(
        "control plane scaled by the host",
        "frozen",
        post(
            "/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers", _scaled("StatefulSet", "cluster")
        ),
        _MINE,
    ),
    Attack(
        "nodes that cannot be drained",
        "frozen",
        post(
            "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets",
            named("PodDisruptionBudget", "mine", "policy/v1", spec={"maxUnavailable": 0, "selector": {}}),
        ),
        _MINE,
    ),
    Attack("rules on every node", "services", _ports(251), _ports(250)),
    Attack(
        "way in by an Ingress",
        "services",
        post(
            "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses",
            named("Ingress", "mine", "networking.k8s.io/v1", spec={"rules": [_RULE]}),
        ),
        post(SERVICES, named("Service", "mine", spec={"ports": [{"port": 80}]})),
    ),
]

INDIRECT = [*ORDERS, *VENDORS, *STAND_INS, *ENDINGS, *CONTROLLERS]
