"""What one pass over one node was given, has read, and will report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provisioner.outcomes import Done, Stall
from tenancy.enums import StepState
from tenancy.rules.moves import DesiredMove, NodeObservation
from tenancy.rules.specs import StepReport

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from provisioner.outcomes import Fault, Outcome
    from provisioner.ports import Guard, Kube, Object
    from tenancy.rules.moves import DesiredNode


@dataclass
class NodeScope:
    """Given by the pass; ``node`` is what the first step read."""

    desired: DesiredNode
    kube: Kube
    guard: Guard
    now: Callable[[], datetime]
    publish: Callable[[NodeObservation], bool]
    """False when the move is not wanted any longer."""
    commit: Callable[[DesiredMove], bool]
    """Makes the node the next holder's; False as ``publish``."""
    _node: Object | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    handed_over: bool = False
    steps: list[StepReport] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.desired.move is not None:
            self.evidence = dict(self.desired.move.evidence)
            self.handed_over = self.desired.move.handed_over

    @property
    def node(self) -> Object:
        """The host's object, as last read or written."""
        if self._node is None:
            msg = "a step ran before the node was read"
            raise LookupError(msg)
        return self._node

    @node.setter
    def node(self, seen: Object) -> None:
        self._node = seen

    @property
    def move(self) -> DesiredMove:
        """The move at work; only its steps ask."""
        if self.desired.move is None:
            msg = "a step of a move ran over a node that is not moved"
            raise LookupError(msg)
        return self.desired.move

    def note(self, name: str, ending: Outcome | Fault, began: datetime) -> None:
        """Takes down how a step ended."""
        state = StepState.RUNNING
        if isinstance(ending, Done):
            state = StepState.DONE
        elif isinstance(ending, Stall):
            state = StepState.FAILED
        self.steps.append(StepReport(name, state, ending.message, began, self.now()))

    def report(self, ahead: list[str], *, done: bool) -> None:
        """Publishes the steps so far; ``ahead`` are those not reached."""
        steps = (*self.steps, *(StepReport(name, StepState.PENDING) for name in ahead))
        self.publish(NodeObservation(self.move.uid, steps, self.evidence, done=done))
