"""One pass over one cluster, whole: the only place that knows in which order things happen."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from provisioner.outcomes import Done, Fault, LeaseLost, Permanent, Stall, Wait, unforeseen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from provisioner.outcomes import Outcome
    from provisioner.reconcile.scope import Scope
    from tenancy.enums import ConditionType

log = logging.getLogger(__name__)

_AGAIN: Final = 5.0
"""Seconds until a step beside that failed is looked at again."""


@dataclass(frozen=True)
class Step:
    """One fact to bring about: looks, decides, acts; may be repeated at any time."""

    name: str
    """As people read it in an operation's progress."""
    condition: ConditionType
    """The one it owns."""
    run: Callable[[Scope], Outcome | None]
    """``None``, of a step beside: it has nothing to say in this pass."""


Stage: TypeAlias = tuple[Step, ...]
"""Steps that do not wait for one another; the next stage waits for all of them."""


def reconcile(scope: Scope, stages: Sequence[Stage], *, beside: Sequence[Step] = ()) -> Outcome:
    """Walks the cluster one pass towards its spec and reports what was seen.

    The report goes out even when a step raises, but not when the lease is lost; only
    a pass in which every step is done moves ``observed_generation`` forward. Steps ``beside`` are
    looked at however the others end, once the host was reached, and keep the cluster from nothing.
    """
    clean, reached, lost = False, 0, False
    ending: Outcome | Fault = Done()
    try:
        for stage in stages:
            reached += 1
            ending = _together(scope, stage)
            if not isinstance(ending, Done):
                break
        later = [] if scope.desired.deleting or not scope.reached else [_beside(scope, s) for s in beside]
        clean = isinstance(ending, Done) and not scope.desired.waits_for_approval
        if isinstance(ending, Fault):
            raise ending
        waits = [o for o in (ending, *later) if isinstance(o, Wait)]
        return min(waits, key=lambda w: w.after) if waits else ending
    except LeaseLost:
        lost = True
        raise
    finally:
        if not lost:
            ahead = [step.name for stage in stages[reached:] for step in stage]
            scope.report(ahead, clean=clean)


def _beside(scope: Scope, step: Step) -> Outcome:
    """A fault is only a reason to look again."""
    ending = _run(scope, step, last=False)
    return Wait(_AGAIN, ending.reason, ending.message) if isinstance(ending, Fault) else ending


def _together(scope: Scope, stage: Stage) -> Outcome | Fault:
    """All steps of a stage, each looked at even when another waits or fails; the gravest ending counts."""
    endings = [_run(scope, step) for step in stage]
    faults = [e for e in endings if isinstance(e, Fault)]
    if faults:
        return min(faults, key=lambda f: not isinstance(f, Permanent))
    stalls = [e for e in endings if isinstance(e, Stall)]
    waits = [e for e in endings if isinstance(e, Wait)]
    if stalls:
        return stalls[0]
    return min(waits, key=lambda w: w.after) if waits else Done()


def _run(scope: Scope, step: Step, *, last: bool = True) -> Outcome | Fault:
    """``last``: a fault for good stalls the cluster."""
    began = scope.now()
    try:
        outcome = step.run(scope)
    except LeaseLost:
        raise
    except Fault as fault:
        final = last and isinstance(fault, Permanent)
        scope.record.note_fault(step.name, step.condition, fault, began, final=final)
        return fault
    except Exception as error:
        log.exception("step %r of %s failed", step.name, scope.desired.namespace)
        odd = unforeseen(error)
        scope.record.note_fault(step.name, step.condition, odd, began, final=False)
        return odd
    if outcome is None:
        return Done()
    scope.record.note(step.name, step.condition, outcome, began)
    return outcome
