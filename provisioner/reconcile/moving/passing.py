"""One pass over one node: it is brought into its pool, wiped on the way, or kept as its pool wants it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Fault, LeaseLost, Wait, unforeseen
from provisioner.ports import NODES
from provisioner.reconcile.moving import remains, shape, wiping
from tenancy.enums import Reason
from tenancy.rules.pools import FENCED, marks

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.outcomes import Outcome
    from provisioner.reconcile.moving.scope import NodeScope

log = logging.getLogger(__name__)
_ABSENT: Final = 10.0


@dataclass(frozen=True)
class Step:
    """One fact to bring about; may be repeated at any time."""

    name: str
    run: Callable[[NodeScope], Outcome]


def reconcile(scope: NodeScope) -> Outcome:
    """Walks the node one pass towards its pool; the report goes out even when a step raises."""
    if scope.desired.move is None:
        found = _read(scope)
        if isinstance(found, Done):
            shape.ensure(scope, marks(scope.desired.pool))
        return found
    steps = plan(scope)
    done = False
    try:
        for step in steps:
            outcome = _run(scope, step)
            if not isinstance(outcome, Done):
                return outcome
        done = True
        return Done()
    finally:
        scope.report([step.name for step in steps[len(scope.steps) :]], done=done)


def plan(scope: NodeScope) -> tuple[Step, ...]:
    """The steps of this move, from the first: what was brought about before is only looked at."""
    found = [Step("Node", _read)]
    if scope.move.clear and not scope.handed_over:
        found += [
            Step("Fence", _fenced),
            Step("Pods", remains.pods_gone),
        ]
        if scope.move.wipe:
            found += [
                Step("Volumes", remains.volumes_gone),
                Step("Wipe", wiping.wiped),
                Step("Proof", wiping.seen_gone),
            ]
    return (*found, Step("Hand over", _handed_over))


def _run(scope: NodeScope, step: Step) -> Outcome:
    began = scope.now()
    try:
        outcome = step.run(scope)
    except LeaseLost:
        raise
    except Fault as fault:
        scope.note(step.name, fault, began)
        raise
    except Exception as error:
        log.exception("step %r of node %s failed", step.name, scope.desired.name)
        odd = unforeseen(error)
        scope.note(step.name, odd, began)
        raise odd from error
    scope.note(step.name, outcome, began)
    return outcome


def _read(scope: NodeScope) -> Outcome:
    name, host = scope.desired.name, scope.desired.host.name
    seen = scope.kube.get(NODES, name)
    if seen is None:
        message = f"host {host!r} has no node {name!r} now: it goes on when the node is back"
        return Wait(_ABSENT, Reason.WAITING, message)
    scope.node = seen
    return Done()


def _fenced(scope: NodeScope) -> Outcome:
    """No tenant's pod comes any more, and those that are there are evicted."""
    wiping.note_before(scope)
    shape.ensure(scope, FENCED)
    return Done("fenced: tenants' pods are evicted and none comes")


def _handed_over(scope: NodeScope) -> Outcome:
    """First on record, then on the host: what comes after counts as the next holder's."""
    scope.guard.confirm()
    if not scope.handed_over and not scope.commit(scope.move):
        return Wait(0.0, Reason.WAITING, "somebody has just asked for another move of this node")
    scope.handed_over = True
    wiping.remove(scope)
    shape.ensure(scope, marks(scope.desired.pool))
    pool = scope.desired.pool
    return Done(f"it is in pool {pool.name}" if pool else "it is in no pool")
