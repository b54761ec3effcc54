"""An isolation report that was asked for: made, signed and told, or refused."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.utils import timezone

from provisioner import config
from provisioner.outcomes import Done, Wait
from provisioner.passes import world
from provisioner.reconcile.attestation import report
from tenancy.actions import reports
from tenancy.queries import reports as wishes
from tenancy.rules import attestation

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.reconcile.holding import Holding
    from tenancy.actions.work import Lease
    from tenancy.rules.specs import DesiredReport

log = logging.getLogger(__name__)


def run(lease: Lease, held: Holding) -> Outcome:
    """Waits while its probe is at work."""
    wish = wishes.desired(lease.object_id)
    if wish is None:
        return Done()
    reports.begin(lease, wish.uid)
    charts, memory = config.CHART.parent, world.memory()
    made = report.make(
        wish, world.hosts(), world.tenants(), held, charts=charts, memory=memory, now=timezone.now
    )
    if isinstance(made, Wait):
        return made
    if isinstance(made, report.NotMade):
        reports.refuse(lease, wish.uid, made.message)
    elif reports.finish(lease, wish.uid, made.claims, policies=made.policies):
        _alarm(wish, attestation.failures(made.claims))
    return Done()


def _alarm(wish: DesiredReport, failures: str) -> None:
    if failures:
        name = f"{wish.cluster.tenant}/{wish.cluster.name}"
        log.error("ALARM: the isolation of %s is not as claimed: %s", name, failures)
