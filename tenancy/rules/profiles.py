"""Sandbox profiles as data: what each is on a host, what it needs of a node, what it cannot do.

A new profile is a row here, a row of ``isolation_table`` and a judgement in ``sandbox_proof``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tenancy.enums import Sandbox
from tenancy.rules.drivers import GVISOR_DRIVERS

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Accelerators:
    """Which extended resources pods of a profile can use; patterns as a shell writes them."""

    usable: tuple[str, ...] = ("*",)
    why_only: str = ""
    """Why nothing but ``usable``."""
    handlers: tuple[str, ...] = ()
    """Only with a RuntimeClass of one of these handlers; empty for any."""
    drivers: frozenset[str] | None = None
    """Versions of the NVIDIA driver it knows; ``None`` when that does not matter."""


@dataclass(frozen=True)
class Profile:
    """One way to keep a pod from the node's kernel."""

    sandbox: Sandbox
    title: str
    promise: str
    """What a pod gets, for people who choose."""
    own_kernel: bool
    """Pods do not share the node's kernel."""
    proof: str
    """What a probe inside must see; ``sandbox_proof`` judges it."""
    install: str = ""
    """What an admin does for a host to have it."""
    handlers: tuple[str, ...] = ()
    """Handlers that make a RuntimeClass one of this profile; empty when it needs no class."""
    kubernetes: tuple[int, int] = (0, 0)
    """The oldest minor version of the host's API server."""
    kubelet: tuple[int, int] = (0, 0)
    """The oldest minor version of a node."""
    kernel: tuple[int, int] = (0, 0)
    """The oldest kernel of a node."""
    runtime: str = ""
    """The only container runtime; empty for any."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of a node that can run it."""
    user_namespaces: bool = False
    """The node's container runtime must report user namespaces for its default handler."""
    accelerators: Accelerators = Accelerators()


_ROWS: Final = (
    Profile(
        Sandbox.KATA,
        title="Kata",
        promise="each pod in a small virtual machine",
        own_kernel=True,
        proof="a kernel that no node of the host runs",
        install="install Kata Containers (kata-deploy: it makes the RuntimeClasses and labels the nodes)",
        handlers=("kata", "kata-qemu", "kata-clh", "kata-fc"),
        labels={"katacontainers.io/kata-runtime": "true"},
        accelerators=Accelerators(
            usable=("nvidia.com/pgpu",),
            why_only="a virtual machine gets whole devices that are passed through, nvidia.com/pgpu",
            handlers=("kata-qemu-nvidia-gpu*",),
        ),
    ),
    Profile(
        Sandbox.GVISOR,
        title="gVisor",
        promise="pods get a kernel of their own in user space",
        own_kernel=True,
        proof="gVisor's kernel",
        install="install gVisor (runsc and its containerd shim) on the nodes and make a RuntimeClass with handler runsc",
        handlers=("runsc",),
        accelerators=Accelerators(
            usable=("nvidia.com/gpu", "nvidia.com/gpu.shared"),
            why_only="gVisor knows NVIDIA's driver and whole GPUs only, neither MIG nor other vendors' devices",
            drivers=GVISOR_DRIVERS,
        ),
    ),
    Profile(
        Sandbox.VNODE,
        title="vNode",
        promise="pods in a virtual node: root inside is nobody outside, the kernel is the node's",
        own_kernel=False,
        proof="a user namespace: no user inside is the same outside, and none is root there",
        install="buy and install vNode (vNode Runtime needs a licence; it makes the RuntimeClass vnode)",
        handlers=("vnode",),
        kernel=(6, 1),
        runtime="containerd",
    ),
    Profile(
        Sandbox.USERNS,
        title="User namespaces",
        promise="root inside is nobody outside, the kernel is the node's",
        own_kernel=False,
        proof="a user namespace: no user inside is the same outside, and none is root there",
        install="bring the host to Kubernetes 1.36, its nodes to 1.33 or newer with containerd 2 and runc 1.2 or newer",
        # User namespaces are Kubernetes' since 1.33; the policies that give every pod hostUsers: false,
        # whatever a tenant's syncer writes, are MutatingAdmissionPolicies, v1 since 1.36.
        kubernetes=(1, 36),
        kubelet=(1, 33),
        user_namespaces=True,
    ),
    Profile(
        Sandbox.NONE,
        title="None",
        promise="pods share the node's kernel",
        own_kernel=False,
        proof="nothing but that it ran",
    ),
)

PROFILES: Final[Mapping[Sandbox, Profile]] = {row.sandbox: row for row in _ROWS}
"""Strongest first: what a cluster gets that does not choose is the first one to be had."""
