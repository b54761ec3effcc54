"""What the processes of a node see of the file system: their own /run, /var/log and /var/lib, in a mount namespace.

Several nodes on one machine would share what Kubernetes and containerd keep in
fixed places. Each gets its own instead, and every mount they make (overlays,
volumes, sandboxes) lives in that namespace and ends with it: nothing of it is
ever seen, or left, outside.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lab.instance import Instance, Node
    from lab.namespaces import Namespace

HOME: Final = Path("/run/node")  # where a node's processes find the node's data folder
FOLDERS: Final = ("cni", "config", "containerd", "kubelet", "lib", "lib-work", "log", "pki", "run", "volumes")

# A kubelet insists on these values and would set them for the whole machine. It
# reads them from files of ours instead and has nothing to change.
KUBELET_SYSCTLS: Final = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}


def prepare(lab: Instance, node: Node, namespace: Namespace) -> None:
    """Make a node's folders and mount them where its processes look."""
    for name in FOLDERS:
        (node.data / name).mkdir(mode=0o755, parents=True, exist_ok=True)
    node.sockets.mkdir(mode=0o711, parents=True, exist_ok=True)
    namespace.run("sh", "-euc", script(lab, node))


def script(lab: Instance, node: Node) -> str:
    """Give the shell commands that make a node's view, to be run in its mount namespace."""
    data, new = shlex.quote(str(node.data)), shlex.quote(str(node.data / "run"))
    sockets = f"{new}/{lab.run.relative_to('/run')}"
    home = f"{new}/{HOME.relative_to('/run')}"
    # Named as they are after the move: no comma of a home folder's gets among the options.
    layers = f"lowerdir=/var/lib,upperdir={HOME}/lib,workdir={HOME}/lib-work"
    # -n: mount keeps notes under /run, the very folder that is replaced.
    lines = [
        f"mount -n -t tmpfs -o mode=755 tmpfs {new}",
        f"mkdir -p {sockets} {home} {new}/lock {new}/sysctl {new}/proc",
        f"mount -n --bind {lab.run} {sockets}",
        f"mount -n --bind {data} {home}",
        f"mount -n --bind {data}/log /var/log",
        # Moved as one: from here on the old /run is covered.
        f"mount -n --move {new} /run",
        # What they read in /var/lib is the machine's, what they write the node's: a
        # kubelet keeps its device plugins in a place that no setting moves.
        f"mount -n -t overlay -o {layers} overlay /var/lib",
        # A second, untouched /proc: the kernel lets a user namespace (hostUsers:
        # false) mount its own only where one is fully visible, and the first gets
        # files of ours below.
        "mount -n -t proc proc /run/proc",
        *(_mask(name, value) for name, value in KUBELET_SYSCTLS.items()),
        # Kubernetes hands mounts on to containers; to the machine nothing goes, as
        # the namespace was cut off before.
        "mount -n --make-rshared /",
    ]
    return "\n".join(lines)


def _mask(name: str, value: int) -> str:
    file = f"/run/sysctl/{name.replace('/', '.')}"
    return f"echo {value} > {file}; mount -n --bind {file} /proc/sys/{name}"
