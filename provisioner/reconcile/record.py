"""What a pass takes down: how each step ended, and what follows from it for the cluster's conditions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Stall, Wait
from tenancy.enums import ConditionStatus, ConditionType, Reason, StepState
from tenancy.rules.conditions import Condition
from tenancy.rules.specs import StepReport

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from provisioner.outcomes import Fault, Outcome

_LASTING: Final = {
    ConditionType.DELETING: Reason.RELEASING,
    ConditionType.QUARANTINED: Reason.QUARANTINED,
}
"""Conditions that are True while their steps run, and the reason once a step is done."""
_BY_PROOF: Final = frozenset({ConditionType.QUARANTINED, ConditionType.PAUSED})
"""Conditions of several steps, of which only the last one, the proof, has words."""


@dataclass
class Record:
    """Of one pass over a cluster at this generation."""

    generation: int
    now: Callable[[], datetime]
    conditions: dict[ConditionType, Condition] = field(default_factory=dict)
    steps: list[StepReport] = field(default_factory=list)

    def note(self, name: str, kind: ConditionType, outcome: Outcome, began: datetime) -> None:
        """Takes down how a step ended."""
        self.steps.append(StepReport(name, _state(outcome), outcome.message, began, self.now()))
        if not (isinstance(outcome, Wait) and outcome.holds):
            self._set(kind, outcome)
        if isinstance(outcome, Stall):
            self._stalled(outcome.reason, outcome.message)

    def sleeps(self, kind: ConditionType, status: ConditionStatus) -> None:
        """Takes down what follows for another condition from the cluster's sleep."""
        self._put(kind, status, Reason.PAUSED, "")

    def holds(self, kind: ConditionType) -> None:
        """Takes down a fact that no step needs to bring about."""
        self._put(kind, ConditionStatus.TRUE, Reason.AS_WANTED, "")

    def doubts(self, kind: ConditionType, reason: Reason, message: str) -> None:
        """Takes down that a fact cannot be told now."""
        self._put(kind, ConditionStatus.UNKNOWN, reason, message)

    def seen(self, kind: ConditionType) -> Condition | None:
        """What this pass saw of it so far."""
        return self.conditions.get(kind)

    def note_fault(
        self, name: str, kind: ConditionType, fault: Fault, began: datetime, *, final: bool
    ) -> None:
        """Takes down that a step could not be carried out; what will be tried again is Unknown till then."""
        state = StepState.FAILED if final else StepState.RUNNING
        self.steps.append(StepReport(name, state, fault.message, began, self.now()))
        if kind in _LASTING:
            status = ConditionStatus.TRUE
        else:
            status = ConditionStatus.FALSE if final else ConditionStatus.UNKNOWN
        self._put(kind, status, fault.reason, fault.message)
        if final:
            self._stalled(fault.reason, fault.message)

    def settle(self, *, paused: bool) -> None:
        """At the end of the pass: what nothing said otherwise of."""
        if ConditionType.STALLED not in self.conditions:
            self._put(ConditionType.STALLED, ConditionStatus.FALSE, Reason.AS_WANTED, "")
        if not paused:
            self._put(ConditionType.PAUSED, ConditionStatus.FALSE, Reason.AS_WANTED, "")

    def _set(self, kind: ConditionType, outcome: Outcome) -> None:
        if kind in _BY_PROOF and outcome == Done():
            return
        if kind in _LASTING:
            # True is the bad pole here: it holds until the row is gone, or the quarantine lifted.
            reason = _LASTING[kind] if isinstance(outcome, Done) else outcome.reason
            self._put(kind, ConditionStatus.TRUE, reason, outcome.message)
        elif isinstance(outcome, Done):
            reason = Reason.PAUSED if kind is ConditionType.PAUSED else Reason.AS_WANTED
            self._put(kind, ConditionStatus.TRUE, reason, outcome.message)
        else:
            self._put(kind, ConditionStatus.FALSE, outcome.reason, outcome.message)

    def _stalled(self, reason: Reason, message: str) -> None:
        self._put(ConditionType.STALLED, ConditionStatus.TRUE, reason, message)

    def _put(self, kind: ConditionType, status: ConditionStatus, reason: Reason, message: str) -> None:
        self.conditions[kind] = Condition(kind, status, reason, message, self.generation)


def _state(outcome: Outcome) -> StepState:
    if isinstance(outcome, Done):
        return StepState.DONE
    return StepState.FAILED if isinstance(outcome, Stall) else StepState.RUNNING
