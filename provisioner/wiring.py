"""Puts a pass under a lease, and turns how it ended into the queue's verbs."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import LeaseLost, Permanent, Stall, Transient, Wait
from provisioner.passes import access, cluster, host, node, notice, report, template
from provisioner.reconcile.holding import SECONDS, Holding
from tenancy.actions import work
from tenancy.enums import WorkKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from provisioner.outcomes import Outcome
    from tenancy.actions.work import Lease

log = logging.getLogger(__name__)

PASSES: Final[dict[WorkKind, Callable[[Lease, Holding], Outcome]]] = {
    WorkKind.CLUSTER: cluster.run,
    WorkKind.HOST: host.run,
    WorkKind.ACCESS: access.run,
    WorkKind.REPORT: report.run,
    WorkKind.NODE: node.run,
    WorkKind.NOTICE: notice.run,
    WorkKind.TEMPLATE: template.run,
}


def run(kind: WorkKind, object_id: UUID) -> Outcome | None:
    """One pass under the lease; ``None`` when somebody else has it, had it, or took it away."""
    since = time.monotonic()
    lease = work.claim(kind, object_id, seconds=SECONDS)
    if lease is None:
        return None
    try:
        with Holding(lease, since) as held:
            outcome = PASSES[kind](lease, held)
    except LeaseLost as lost:
        log.warning("%s", lost)
        return None
    except Transient as fault:
        log.info("%s %s: %s; tried again", kind, object_id, fault.message)
        work.retry(lease)
        return None
    except Permanent as fault:
        log.warning("%s %s: %s; looked at again with its next wish", kind, object_id, fault.message)
        outcome = Stall(fault.reason, fault.message)
    except Exception:
        log.exception("a pass over %s %s failed; tried again", kind, object_id)
        work.retry(lease)
        return None
    _settle(lease, outcome)
    return outcome


def _settle(lease: Lease, outcome: Outcome) -> None:
    """A stall is an answer too: only a new wish, or the regular resync, looks again."""
    if isinstance(outcome, Wait):
        work.wait(lease, outcome.after)
    else:
        work.finish(lease)
