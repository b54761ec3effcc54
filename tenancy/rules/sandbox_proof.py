"""Whether a sandbox is in force, judged by what a pod sees from inside; never by its spec."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenancy.enums import Sandbox

if TYPE_CHECKING:
    from collections.abc import Collection

COMMAND: Final = (
    "uname -a; sed 's/^/uid_map /' /proc/self/uid_map; cat /proc/version; dmesg 2>/dev/null | head -n 5"
)
"""For a shell inside: the kernel's own words, as short as a container's last message may be."""
BY_NODE_KERNELS: Final = frozenset({Sandbox.KATA})
"""Profiles that are judged beside the kernels of the host's nodes."""
_KERNEL: Final = re.compile(r"^Linux \S+ (\S+) ", re.MULTILINE)
_MAP: Final = re.compile(r"^uid_map +(\d{1,10}) +(\d{1,10}) +\d{1,10}$", re.MULTILINE)
_GVISOR: Final = re.compile(r"^Linux \S+ \S*-gvisor |^\[ *[\d.]+\] Starting gVisor", re.MULTILINE)
"""As its kernel names itself, in uname or, older ones, in the log only; a pod's name proves nothing."""
_ROOT: Final = 0


@dataclass(frozen=True)
class Seen:
    """What the probe printed."""

    text: str
    kernel: str
    """Its release, as ``uname -r`` says."""
    uid_map: tuple[tuple[int, int], ...]
    """Of each row of /proc/self/uid_map the first user inside, and who that is outside."""


def read(text: str) -> Seen:
    """What a probe's words say; what they leave out stays empty."""
    kernel = _KERNEL.search(text)
    rows = tuple((int(inside), int(outside)) for inside, outside in _MAP.findall(text))
    return Seen(text.strip(), kernel[1] if kernel else "", rows)


def fault(sandbox: Sandbox, seen: Seen, node_kernels: Collection[str] = ()) -> str:
    """Why what was seen is not this sandbox; empty when it is. What was not seen proves nothing.

    ``node_kernels``: releases that the host's nodes run, for the profiles of ``BY_NODE_KERNELS``.
    """
    match sandbox:
        case Sandbox.GVISOR:
            return "" if _GVISOR.search(seen.text) else f"its kernel is {seen.kernel!r}, not gVisor's"
        case Sandbox.KATA:
            return _same_kernel(seen, node_kernels)
        case Sandbox.VNODE | Sandbox.USERNS:
            return _same_users(seen)
        case Sandbox.NONE:
            return "" if seen.text else "it said nothing"


def told(sandbox: Sandbox, seen: Seen) -> str:
    """The proof in one line, for people."""
    users = "".join(f", user {inside} is {outside} outside" for inside, outside in seen.uid_map[:1])
    shown = users if sandbox in {Sandbox.VNODE, Sandbox.USERNS} else ""
    return f"kernel seen from inside a pod: {seen.text.partition(chr(10))[0]}{shown}"


def _same_kernel(seen: Seen, node_kernels: Collection[str]) -> str:
    if not seen.kernel or not node_kernels:
        return "its kernel, or the nodes', is not known"
    same = seen.kernel in node_kernels
    return f"its kernel {seen.kernel!r} is a node's, not a virtual machine's" if same else ""


def _same_users(seen: Seen) -> str:
    if not seen.uid_map:
        return "it did not tell its uid_map"
    for inside, outside in seen.uid_map:
        if outside in {inside, _ROOT}:
            return f"its user {inside} is user {outside} of the node: it has no user namespace"
    return ""
