"""One pass over one cluster, whole: the only place that knows in which order things happen."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from provisioner.outcomes import Done, LeaseLost, Permanent, Stall, Transient, Wait
from tenancy.enums import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from provisioner.outcomes import Outcome
    from provisioner.reconcile.scope import Scope
    from tenancy.enums import ConditionType

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """One fact to bring about: looks, decides, acts; may be repeated at any time."""

    name: str
    """As people read it in an operation's progress."""
    condition: ConditionType
    """The one it owns."""
    run: Callable[[Scope], Outcome]


Stage: TypeAlias = tuple[Step, ...]
"""Steps that do not wait for one another; the next stage waits for all of them."""


def reconcile(
    scope: Scope, *, build: Sequence[Stage], teardown: Sequence[Stage], quarantine: Sequence[Stage] = ()
) -> Outcome:
    """Walks the cluster one pass towards its spec and reports what was seen.

    The report goes out even when a step raises, but not when the lease is lost; only
    a pass in which every step is done moves ``observed_generation`` forward.
    """
    in_use = quarantine if scope.desired.quarantined else build
    stages = teardown if scope.desired.deleting else in_use
    clean, reached, lost = False, 0, False
    try:
        for stage in stages:
            reached += 1
            outcome = _together(scope, stage)
            if not isinstance(outcome, Done):
                return outcome
        clean = True
        return Done()
    except LeaseLost:
        lost = True
        raise
    finally:
        if not lost:
            ahead = [step.name for stage in stages[reached:] for step in stage]
            scope.report(ahead, clean=clean)


def _together(scope: Scope, stage: Stage) -> Outcome:
    """All steps of a stage, each looked at even when another waits or fails; the gravest ending counts."""
    endings = [_run(scope, step) for step in stage]
    faults = [e for e in endings if isinstance(e, Exception)]
    if faults:
        raise min(faults, key=lambda f: not isinstance(f, Permanent))
    outcomes = [e for e in endings if not isinstance(e, Exception)]
    stalls = [o for o in outcomes if isinstance(o, Stall)]
    waits = [o for o in outcomes if isinstance(o, Wait)]
    if stalls:
        return stalls[0]
    return min(waits, key=lambda w: w.after) if waits else Done()


def _run(scope: Scope, step: Step) -> Outcome | Exception:
    began = scope.now()
    try:
        outcome = step.run(scope)
    except LeaseLost:
        raise
    except (Transient, Permanent) as fault:
        scope.note_fault(step.name, step.condition, fault, began, final=isinstance(fault, Permanent))
        return fault
    except Exception as error:
        log.exception("step %r of %s failed", step.name, scope.desired.namespace)
        message = f"an error nobody foresaw ({type(error).__name__}): it is logged and tried again"
        unforeseen = Transient(message, Reason.UNEXPECTED)
        scope.note_fault(step.name, step.condition, unforeseen, began, final=False)
        return unforeseen
    scope.note(step.name, step.condition, outcome, began)
    return outcome
