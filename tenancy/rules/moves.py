"""The contract between a node's wanted pool and the provisioner's passes over the node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uuid import UUID

    from tenancy.rules.pools import Pool
    from tenancy.rules.specs import HostAccess, StepReport


@dataclass(frozen=True)
class DesiredMove:
    """A change of a node's pool or tenant that has not ended."""

    uid: UUID
    wipe: bool
    """Remains of others than the next holder may be on it."""
    clear: bool
    """Tenants' pods have to go first."""
    discard_volumes: bool
    handed_over: bool = False
    """The node is the next holder's already; only the marks may be missing."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """What earlier passes saw."""


@dataclass(frozen=True)
class DesiredNode:
    """Everything one pass over a node needs to know."""

    uid: UUID
    name: str
    host: HostAccess
    pool: Pool | None
    """Where it is to be."""
    holder: str
    """See ``Node.holder``."""
    move: DesiredMove | None
    namespaces: tuple[str, ...] = ()
    """Those of all clusters that are, or were not seen gone, on the host."""


@dataclass(frozen=True)
class NodeObservation:
    """What one pass saw of a move."""

    move: UUID
    steps: tuple[StepReport, ...]
    evidence: dict[str, Any]
    done: bool = False
    """The node wears the marks of its pool."""
