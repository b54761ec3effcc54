"""Which sandbox profiles nodes can run: of a whole host, or of those that a cluster's pods may land on. Pure.

What a cluster has is judged by the whole host, whatever pool a node is in and whether it is
ready or between two pools: a restart of a kubelet, or a move of a node, must not take a running
cluster's sandbox away. What is still to be chosen is judged by the nodes there is a place on now.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from tenancy.rules import drivers, pools
from tenancy.rules.profiles import PROFILES
from tenancy.rules.runtimes import NO_OVERHEAD, SandboxFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tenancy.enums import Sandbox
    from tenancy.rules.nodes import NodeFacts, Taint
    from tenancy.rules.pools import Pool
    from tenancy.rules.profiles import Profile
    from tenancy.rules.runtimes import RuntimeClass
    from tenancy.rules.specs import HostFacts

_MINOR: Final = re.compile(r"v?(\d+)\.(\d+)")
NO_NODE: Final = (
    "no node takes its pods now: those there are belong to dedicated pools or are between two pools"
)
"""What every profile lacks where a cluster has no node to run on."""
_TROUBLES: Final = "node.kubernetes.io/"
"""Kubernetes' own taints tell of troubles that pass."""
_KEEPS_OFF: Final = frozenset({"NoSchedule", "NoExecute"})


def landing(nodes: Iterable[NodeFacts], selector: Mapping[str, str]) -> tuple[NodeFacts, ...]:
    """The host's nodes for tenants' pods, whatever pools they are in and whoever may use those."""
    return tuple(
        node
        for node in nodes
        if selector.items() <= node.labels.items()
        and all(taint.key.startswith(pools.PREFIX) for taint in node.taints if _keeps_off(taint))
    )


def places(
    nodes: Iterable[NodeFacts], pool: Pool | None, selector: Mapping[str, str]
) -> tuple[NodeFacts, ...]:
    """Where pods find a place now: on a pool's nodes, or on those of the selector that are in none.

    A node wears what its pool makes it wear; one between two pools is nobody's.
    """
    wanted = pools.marks(pool)
    own, passed = wanted.labels if pool else selector, {(t.key, t.effect, t.value) for t in wanted.taints}
    return tuple(
        node
        for node in nodes
        if own.items() <= node.labels.items()
        and (pool is not None or pools.POOL not in node.labels)
        and all((t.key, t.effect, t.value) in passed for t in node.taints if _keeps_off(t))
    )


def survey(
    nodes: Sequence[NodeFacts], classes: Mapping[str, RuntimeClass], version: str
) -> dict[Sandbox, SandboxFacts]:
    """What these nodes offer on a host with these RuntimeClasses and this version of Kubernetes."""
    return {sandbox: _found(row, nodes, classes, version) for sandbox, row in PROFILES.items()}


def within(facts: HostFacts, nodes: Sequence[NodeFacts]) -> HostFacts:
    """The host's facts as a cluster has them that may only use these of its nodes."""
    return replace(facts, sandboxes=survey(nodes, facts.runtime_classes, facts.version))


def lacks(profile: Profile, node: NodeFacts, runtime: RuntimeClass | None) -> tuple[str, ...]:
    """What a node lacks for a profile, each with what is there instead; empty when it can run it."""
    return tuple(_node_lacks(profile, node, runtime))


def _found(
    profile: Profile, nodes: Sequence[NodeFacts], classes: Mapping[str, RuntimeClass], version: str
) -> SandboxFacts:
    name = _class_of(profile.handlers, classes)
    runtime = classes[name] if name else None
    lack = _host_lack(profile, name, classes, version)
    able = [node for node in nodes if not lacks(profile, node, runtime)] if not lack else []
    if not able:
        return SandboxFacts(name, lack=lack or _nodes_lack(profile, nodes, runtime))
    return SandboxFacts(
        runtime_class=name,
        overhead=runtime.overhead if runtime else NO_OVERHEAD,
        nodes=sum(node.ready and node.schedulable for node in able),
        accelerators=_accelerators(profile, able, classes),
    )


def _class_of(handlers: tuple[str, ...], classes: Mapping[str, RuntimeClass]) -> str:
    """The first RuntimeClass, by name, of one of these handlers; empty when there is none."""
    fits = (n for n in sorted(classes) if any(fnmatchcase(classes[n].handler, h) for h in handlers))
    return next(fits, "")


def _host_lack(
    profile: Profile, runtime_class: str, classes: Mapping[str, RuntimeClass], version: str
) -> str:
    if minor(version) < profile.kubernetes:
        return f"Kubernetes {version} is older than {_dotted(profile.kubernetes)}"
    if profile.handlers and not runtime_class:
        return f"no RuntimeClass has the handler {' or '.join(profile.handlers)}"
    if runtime_class and classes[runtime_class].tolerations:
        return (
            f"RuntimeClass {runtime_class} gives pods tolerations, which the host's policies refuse to tenants:"
            " its nodes must go without taints and it without scheduling.tolerations"
        )
    return ""


def _nodes_lack(profile: Profile, nodes: Sequence[NodeFacts], runtime: RuntimeClass | None) -> str:
    """Of the node that lacks least."""
    if not nodes:
        return NO_NODE
    lacking = {node.name: lacks(profile, node, runtime) for node in nodes}
    name = min(lacking, key=lambda n: (len(lacking[n]), n))
    others = f" (the {len(nodes) - 1} other nodes lack no less)" if len(nodes) > 1 else ""
    return f"node {name}: {'; '.join(lacking[name])}{others}"


def _node_lacks(profile: Profile, node: NodeFacts, runtime: RuntimeClass | None) -> Iterator[str]:
    wanted = {**profile.labels, **(runtime.node_selector if runtime else {})}
    for key, value in wanted.items():
        if node.labels.get(key) != value:
            yield f"it has no label {key}={value}"
    if minor(node.kubelet) < profile.kubelet:
        yield f"its kubelet {node.kubelet or 'unknown'} is older than {_dotted(profile.kubelet)}"
    if minor(node.kernel) < profile.kernel:
        yield f"its kernel {node.kernel or 'unknown'} is older than {_dotted(profile.kernel)}"
    if profile.runtime and not node.runtime.startswith(f"{profile.runtime}://"):
        yield f"its container runtime is {node.runtime or 'unknown'}, not {profile.runtime}"
    # Nodes before 1.30, and some runtimes, do not tell their handlers.
    if runtime and node.handlers and runtime.handler not in node.handlers:
        yield f"its container runtime has no handler {runtime.handler}"
    if profile.user_namespaces and not node.handlers.get("", False):
        yield f"its container runtime {node.runtime or ''} reports no user namespaces (runc 1.2 or newer has them)"


def _accelerators(
    profile: Profile, nodes: Sequence[NodeFacts], classes: Mapping[str, RuntimeClass]
) -> dict[str, str]:
    """Each accelerator of the nodes with why this profile cannot use it, by the best node."""
    found: dict[str, str] = {}
    for node in nodes:
        for name in node.resources:
            why = _unusable(profile, name, node, classes)
            found[name] = "" if found.get(name) == "" else why
    return dict(sorted(found.items()))


def _unusable(profile: Profile, name: str, node: NodeFacts, classes: Mapping[str, RuntimeClass]) -> str:
    rules = profile.accelerators
    if not any(fnmatchcase(name, pattern) for pattern in rules.usable):
        return rules.why_only
    if rules.handlers and not _class_of(rules.handlers, classes):
        return f"no RuntimeClass has the handler {' or '.join(rules.handlers)}"
    driver = drivers.of(node)
    if rules.drivers is not None and driver not in rules.drivers:
        return (
            f"{profile.title} does not know the driver {driver or 'of unknown version'} of node {node.name}"
        )
    return ""


def _keeps_off(taint: Taint) -> bool:
    return taint.effect in _KEEPS_OFF and not taint.key.startswith(_TROUBLES)


def minor(version: str) -> tuple[int, int]:
    """``v1.36.3`` → (1, 36); (0, 0) for what cannot be read."""
    match = _MINOR.match(version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
