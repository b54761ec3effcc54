"""The Debian packages the lab needs, and whether this machine has what they bring."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from lab.errors import LabError

CNI_PLUGINS: Final = Path("/usr/lib/cni")
# What a root shell has and a service's environment may lack.
SEARCH_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# package -> one file or command that shows it is there
DEBIAN_PACKAGES: Final[dict[str, str]] = {
    "busybox-static": "busybox",
    "conntrack": "conntrack",
    "containernetworking-plugins": str(CNI_PLUGINS / "bridge"),
    "ipset": "ipset",
    "iproute2": "ip",
    "iptables": "iptables",
    "mount": "mount",
    "nftables": "nft",
    "procps": "sysctl",
    "socat": "socat",
    "util-linux": "nsenter",
}


def missing() -> list[str]:
    """Name the Debian packages that are not installed, in alphabetical order."""
    return [name for name, proof in sorted(DEBIAN_PACKAGES.items()) if not _present(proof)]


def check() -> None:
    """Refuse a machine that cannot run the lab.

    Raises LabError naming what is missing and the command that installs it.
    """
    if sys.platform != "linux":
        message = "the lab needs Linux; elsewhere use a host cluster of your own (ATOLL_KUBECONFIG)"
        raise LabError(message)
    if os.geteuid() != 0:
        message = (
            "the lab needs root (network namespaces, mounts, cgroups); run it with sudo, "
            "or use a host cluster of your own (ATOLL_KUBECONFIG)"
        )
        raise LabError(message)
    if lacking := missing():
        message = f"Debian packages are missing; install them: apt-get install -y {' '.join(lacking)}"
        raise LabError(message)


def _present(proof: str) -> bool:
    return (
        Path(proof).exists() if proof.startswith("/") else shutil.which(proof, path=SEARCH_PATH) is not None
    )
