"""Node pools: what marks a node of a pool, who may use it, and when a node must be wiped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from tenancy.enums import IsolationModel, PoolKind, Sandbox
from tenancy.errors import FieldError
from tenancy.rules.nodes import Taint
from tenancy.rules.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from tenancy.rules.nodes import NodeFacts
    from tenancy.rules.specs import ClusterSpec, EffectiveSpec

NAME_MAX: Final = 40
PREFIX: Final = "tenant.node-restriction.kubernetes.io/"
"""Labels of this domain no kubelet may write, so no node can put itself into a pool."""
POOL: Final = f"{PREFIX}pool"
TENANT: Final = f"{PREFIX}tenant"
"""Beside the pool's name: a node that was not wiped since its pool got another tenant has another value."""
MOVING: Final = f"{PREFIX}moving"
"""Taint of a node between two pools: no tenant's pod stays or comes."""
SEVERAL: Final = "*"
"""Holder of a node on which anybody may have left something."""


@dataclass(frozen=True)
class Pool:
    """A node pool as rules and the provisioner know it."""

    name: str
    kind: PoolKind
    tenant: str = ""
    """Name of the tenant that a dedicated pool is assigned to; empty for none."""
    tenant_uid: UUID | None = None
    selector: Mapping[str, str] = field(default_factory=dict)
    tainted: bool = True
    sandboxes: tuple[Sandbox, ...] = ()
    """Empty for all that the host offers."""
    accelerators: tuple[str, ...] = ()
    nodes: int = 0
    """How many are, or are about to be, in it."""


@dataclass(frozen=True)
class Marks:
    """What a node wears because of its pool; nothing else of these names is on it."""

    labels: Mapping[str, str]
    taints: tuple[Taint, ...]


def marks(pool: Pool | None) -> Marks:
    """Of a node that is in this pool, or in none."""
    if pool is None:
        return Marks({}, ())
    labels = {POOL: pool.name} | ({TENANT: pool.tenant} if pool.tenant else {})
    # A tenant's own nodes also send away what came while somebody had taken the taint off.
    effect = "NoExecute" if pool.kind is PoolKind.DEDICATED else "NoSchedule"
    return Marks(labels, (Taint(POOL, effect, pool.name),) if pool.tainted else ())


def wears(labels: Mapping[str, str], taints: Sequence[Taint], wanted: Marks) -> bool:
    """Whether a node has exactly these marks of ours."""
    own = {key: value for key, value in labels.items() if key.startswith(PREFIX)}
    mine = {(t.key, t.effect, t.value) for t in taints if t.key.startswith(PREFIX)}
    return own == dict(wanted.labels) and mine == {(t.key, t.effect, t.value) for t in wanted.taints}


FENCED: Final = Marks({}, (Taint(MOVING, "NoExecute", "true"),))
"""Of a node between two pools."""


def holder(pool: Pool | None) -> str:
    """Whose remains will be on a node once it is in this pool; see ``Node.holder``."""
    if pool is None or pool.kind is PoolKind.SHARED:
        return SEVERAL
    return str(pool.tenant_uid) if pool.tenant_uid else ""


def wipe_needed(before: str, after: str) -> bool:
    """Whether a node must be wiped between these holders."""
    return before not in {"", after}


def placed(
    effective: EffectiveSpec, pool: Pool | None, workload_selector: Mapping[str, str]
) -> EffectiveSpec:
    """The spec with its nodes: those of the pool, else those the host names for tenants' pods."""
    if pool is None:
        return replace(effective, node_selector=dict(workload_selector))
    worn = marks(pool)
    dedicated = pool.kind is PoolKind.DEDICATED
    return replace(
        effective,
        model=IsolationModel.DEDICATED_POOL if dedicated else IsolationModel.SHARED,
        pool=pool.name,
        node_selector=dict(worn.labels),
        tolerations=tuple(f"{t.key}={t.value}:{t.effect}" for t in worn.taints),
    )


def sandbox_in(spec: ClusterSpec, pool: Pool | None, offered: Sequence[Sandbox]) -> ClusterSpec:
    """The spec with its silence about the sandbox filled by what the pool can run, strongest first."""
    if spec.sandbox is not None or pool is None or not pool.sandboxes:
        return spec
    return replace(spec, sandbox=next((s for s in offered if s in pool.sandboxes), None))


def is_dedicated(spec: ClusterSpec) -> bool:
    """Whether the spec asks for nodes of the tenant's own."""
    return spec.model is IsolationModel.DEDICATED_POOL


def chosen(spec: ClusterSpec, mine: Sequence[Pool]) -> Pool | None:
    """The pool a spec means among the tenant's: the one it names, else the only one."""
    if not is_dedicated(spec):
        return None
    if spec.pool is None:
        return mine[0] if len(mine) == 1 else None
    return next((pool for pool in mine if pool.name == spec.pool), None)


def refusals(
    spec: ClusterSpec, mine: Sequence[Pool], offered: Sequence[Sandbox] | None, host: str
) -> tuple[FieldError, ...]:
    """Why a spec cannot have the pool it asks for among the tenant's; empty when it can.

    ``offered`` are the host's sandboxes for this tenant, ``None`` while they are not known.
    """
    return tuple(_refusals(spec, mine, offered, host))


def _refusals(
    spec: ClusterSpec, mine: Sequence[Pool], offered: Sequence[Sandbox] | None, host: str
) -> Iterator[FieldError]:
    names, path = ", ".join(pool.name for pool in mine), "spec.isolation.pool"
    pool = chosen(spec, mine)
    if not is_dedicated(spec):
        if spec.pool is not None:
            detail = "a shared cluster has no pool of its own: leave it out, or use model 'dedicated-pool'"
            yield FieldError(path, "contradiction", detail)
    elif not mine:
        detail = f"no node pool of host {host!r} is assigned to this tenant: use 'shared', or ask an admin for a pool"
        yield FieldError("spec.isolation.model" if spec.pool is None else path, "not-offered", detail)
    elif pool is None and spec.pool is None:
        yield FieldError(path, "required", f"this tenant has several pools: name one of {names}")
    elif pool is None:
        yield FieldError(
            path, "not-offered", f"{spec.pool!r} is no pool of this tenant: choose among {names}"
        )
    elif not pool.nodes:
        detail = f"pool {pool.name!r} has no node yet: ask an admin to move one into it"
        yield FieldError(path, "not-offered", detail)
    else:
        yield from _sandbox_refusals(spec, pool, offered)


def _sandbox_refusals(
    spec: ClusterSpec, pool: Pool, offered: Sequence[Sandbox] | None
) -> Iterator[FieldError]:
    path, able = "spec.isolation.sandbox", ", ".join(pool.sandboxes)
    if not pool.sandboxes:
        return
    if spec.sandbox is not None and spec.sandbox not in pool.sandboxes:
        detail = f"the nodes of pool {pool.name!r} cannot run {spec.sandbox.value!r}: use {able}"
        yield FieldError(path, "not-offered", detail)
    elif offered is not None and spec.sandbox is None and not set(offered) & set(pool.sandboxes):
        detail = f"pool {pool.name!r} runs {able}, which this tenant cannot have on this host: use 'shared'"
        yield FieldError(path, "not-offered", detail)


def change_refusals(spec: ClusterSpec, own: Pool | None) -> tuple[FieldError, ...]:
    """A cluster's nodes are for life: its volumes, and pods that run, would stay where they are."""
    path = "spec.isolation.model" if spec.pool is None else "spec.isolation.pool"
    fix = "make a new cluster there and delete this one"
    if own is None and is_dedicated(spec):
        return (FieldError(path, "immutable", f"this cluster runs on shared nodes for life: {fix}"),)
    if own is not None and (not is_dedicated(spec) or spec.pool not in {None, own.name}):
        return (FieldError(path, "immutable", f"this cluster runs on pool {own.name!r} for life: {fix}"),)
    return tuple(_sandbox_refusals(spec, own, None)) if own else ()


def entry_refusals(pool: Pool, node: NodeFacts, control_plane: Mapping[str, str]) -> Iterator[str]:
    """Why a node cannot be put into a pool, with the fix; ``control_plane`` selects the host's for those."""
    lacking = [f"{k}={v}" for k, v in pool.selector.items() if node.labels.get(k) != v]
    if lacking:
        yield f"node {node.name} lacks the label {', '.join(lacking)} that pool {pool.name!r} selects: choose another node"
    if control_plane and control_plane.items() <= node.labels.items():
        yield f"node {node.name} is for tenants' control planes (the host's controlPlaneSelector): choose another node"
    if not node.handlers:
        return
    for profile in (PROFILES[sandbox] for sandbox in pool.sandboxes):
        if profile.handlers and not any(fnmatchcase(h, p) for h in node.handlers for p in profile.handlers):
            yield f"node {node.name} has no runtime for {profile.title} that pool {pool.name!r} promises: install it there"
