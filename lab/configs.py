"""The configuration files of the lab's processes, as values; ``write`` puts them in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lab import files, images, view
from lab.packages import CNI_PLUGINS

if TYPE_CHECKING:
    from lab.instance import Instance, Node

POD_BRIDGE: Final = "cni0"
MAX_PODS: Final = 200

# Who did what: everything but the noise of Kubernetes' own heartbeats and probes.
AUDIT_POLICY: Final[dict[str, Any]] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*"]},
        {
            "level": "None",
            "users": ["system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"],
            "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}],
        },
        {
            "level": "None",
            "userGroups": ["system:nodes"],
            "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}],
        },
        {"level": "Metadata"},
    ],
}


def write(lab: Instance) -> None:
    """Write every configuration file of a lab."""
    files.write_json(lab.data / "audit-policy.json", AUDIT_POLICY)
    for node in lab.nodes:
        folder = node.data / "config"
        files.write(folder / "containerd.toml", containerd(node))
        files.write(folder / "runsc.toml", runsc())
        files.write_json(folder / "kubelet.json", kubelet(lab, node))
        files.write_json(folder / "kube-proxy.json", kube_proxy(lab, node))
        files.write_json(node.data / "cni" / "10-atoll.conflist", cni(node))
        # For pods that take the node's resolver (tenants' CoreDNS does, and will not
        # start without one): the lab's own, which asks nobody outside.
        files.write(folder / "resolv.conf", f"nameserver {lab.ranges.dns}\n", mode=0o644)


def containerd(node: Node) -> str:
    """Give containerd's configuration (version 3, containerd 2.x)."""
    home = view.HOME
    runtime = "plugins.'io.containerd.cri.v1.runtime'"
    return f"""\
version = 3
root = '{home}/containerd'
state = '/run/containerd'
disabled_plugins = ['io.containerd.nri.v1.nri', 'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.btrfs', 'io.containerd.snapshotter.v1.zfs', 'io.containerd.tracing.processor.v1.otlp',
  'io.containerd.snapshotter.v1.blockfile', 'io.containerd.snapshotter.v1.erofs']

[grpc]
address = '{node.containerd}'

[ttrpc]
address = '{node.containerd}.ttrpc'

[plugins.'io.containerd.internal.v1.opt']
path = '{home}/containerd/opt'

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '{images.PAUSE_IMAGE}'

[{runtime}]
# Without CAP_SYS_RESOURCE nothing may lower its oom_score_adj, and no sandbox would start.
restrict_oom_score_adj = true
enable_unprivileged_ports = true
enable_unprivileged_icmp = true

[{runtime}.cni]
bin_dirs = ['{CNI_PLUGINS}']
conf_dir = '{home}/cni'

[{runtime}.containerd]
default_runtime_name = 'runc'

[{runtime}.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'

[{runtime}.containerd.runtimes.runc.options]
SystemdCgroup = false

[{runtime}.containerd.runtimes.runsc]
runtime_type = 'io.containerd.runsc.v1'

[{runtime}.containerd.runtimes.runsc.options]
TypeUrl = 'io.containerd.runsc.v1.options'
ConfigPath = '{home}/config/runsc.toml'
"""


def runsc() -> str:
    """Give the gVisor shim's configuration."""
    return "[runsc_config]\nplatform = 'systrap'\n"


def kubelet(lab: Instance, node: Node) -> dict[str, Any]:
    """Give a kubelet's configuration."""
    pki = view.HOME / "pki"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": str(node.address),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet.key"),
        "containerRuntimeEndpoint": f"unix://{node.containerd}",
        "resolvConf": str(view.HOME / "config" / "resolv.conf"),
        "clusterDNS": [str(lab.ranges.dns)],
        "clusterDomain": "cluster.local",
        "volumePluginDir": str(view.HOME / "kubelet" / "volume-plugins"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "oomScoreAdj": 0,
        "maxPods": MAX_PODS,
        "registerNode": True,
        "serializeImagePulls": False,
        # Images come from ``load`` and cannot be fetched again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        # The machine's disk and memory are its owner's; a full one is no reason to evict.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "nodeStatusUpdateFrequency": "5s",
        "logging": {"verbosity": 1},
    }


def kube_proxy(lab: Instance, node: Node) -> dict[str, Any]:
    """Give a kube-proxy's configuration."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(view.HOME / "pki" / "kube-proxy.kubeconfig")},
        "hostnameOverride": node.name,
        # All of the lab counts as inside, so no source is ever hidden from policies.
        "clusterCIDR": str(lab.ranges.block),
        "detectLocalMode": "ClusterCIDR",
        "bindAddress": str(node.address),
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "oomScoreAdj": 0,
        # 0: leave the kernel's; it belongs to the machine.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "nftables": {"minSyncPeriod": "100ms"},
    }


def cni(node: Node) -> dict[str, Any]:
    """Give the pod network of a node: one bridge, addresses from the node's range."""
    ipam = {
        "type": "host-local",
        # Under /run: after a start all pods get new sandboxes, so no address is taken.
        "dataDir": "/run/ipam",
        "ranges": [[{"subnet": str(node.pods)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": POD_BRIDGE, "isGateway": True, "hairpinMode": True, "ipam": ipam}
    return {"cniVersion": "1.0.0", "name": "atoll", "plugins": [bridge]}
