"""The lab's programs: which Go package each is made of, and how it is compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KUBERNETES_VERSION: Final = "v1.36.3"
OLDER_KUBERNETES_VERSION: Final = "v1.35.4"
VCLUSTER_VERSION: Final = "0.36.1"

_COMPONENT_BASE: Final = "k8s.io/component-base/version"


def _version_defines(version: str) -> tuple[str, ...]:
    """Without these every client believes it speaks with Kubernetes 0.0."""
    major, minor, _patch = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return tuple(f"{_COMPONENT_BASE}.{name}={value}" for name, value in values.items())


@dataclass(frozen=True, slots=True)
class Target:
    """One program.

    ``module`` is a folder of ``lab/go``; ``package`` an import path, or ``.`` and
    ``./x`` for a main of our own in that module; ``defines`` are Go strings set at link time;
    ``links`` are further names of the same file, which decide what it does.
    What is ``on_demand`` is only compiled when asked for by name.
    """

    name: str
    module: str
    package: str
    defines: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    cgo: bool = False
    links: tuple[str, ...] = ()
    on_demand: bool = False


_CONTAINERD: Final = "github.com/containerd/containerd/v2"

# In the order they are compiled: what a first start waits for comes first.
TARGETS: Final[tuple[Target, ...]] = (
    Target(
        "kubernetes",
        "cluster",
        "./kubernetes",
        _version_defines(KUBERNETES_VERSION),
        links=(
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
            "kubectl",
        ),
    ),
    Target("kine", "cluster", "github.com/k3s-io/kine"),
    Target("pause", "pause", "."),
    Target(
        "containerd",
        "runtime",
        f"{_CONTAINERD}/cmd/containerd",
        (f"{_CONTAINERD}/version.Version=v2.2.1",),
        ("urfave_cli_no_docs",),
    ),
    Target("ctr", "runtime", f"{_CONTAINERD}/cmd/ctr", tags=("urfave_cli_no_docs",)),
    Target("containerd-shim-runc-v2", "runtime", f"{_CONTAINERD}/cmd/containerd-shim-runc-v2"),
    # C: runc enters namespaces before Go starts. Without seccomp every sandbox fails.
    Target("runc", "runtime", "github.com/opencontainers/runc", tags=("seccomp",), cgo=True),
    Target("runsc", "gvisor", "gvisor.dev/gvisor/runsc"),
    Target("containerd-shim-runsc-v1", "gvisor", "./shim"),
    Target("coredns", "cluster", "github.com/coredns/coredns"),
    Target("helm", "cluster", "helm.sh/helm/v4/cmd/helm"),
    Target(
        "vcluster",
        "cluster",
        "github.com/loft-sh/vcluster/cmd/vcluster",
        (f"github.com/loft-sh/vcluster/pkg/telemetry.SyncerVersion={VCLUSTER_VERSION}",),
    ),
    Target("local-path-provisioner", "cluster", "github.com/rancher/local-path-provisioner"),
    Target("atoll-netpol", "cluster", "./netpol"),
    Target("kwok", "cluster", "sigs.k8s.io/kwok/cmd/kwok"),
    # An older control plane, for trying upgrades. It shares no package with the rest.
    Target(
        "kubernetes-1.35",
        "kubernetes-1.35",
        ".",
        _version_defines(OLDER_KUBERNETES_VERSION),
        on_demand=True,
    ),
    # For the examples of docs/iac.
    Target(
        "terraform-provider-restapi",
        "terraform",
        "github.com/Mastercard/terraform-provider-restapi",
        on_demand=True,
    ),
    Target("tofu", "opentofu", "github.com/opentofu/opentofu/cmd/tofu", on_demand=True),
)

DEBIAN_PACKAGES: Final[dict[str, str]] = {
    "gcc": "gcc",
    "libc6-dev": "/usr/include/stdio.h",
    "libseccomp-dev": "/usr/include/seccomp.h",
    "pkg-config": "pkg-config",
}
"""What compiling needs (runc is partly C): package -> a file or command that shows it is there."""
