"""Doorbells: whoever hears one looks into the database."""

from __future__ import annotations

from uuid import UUID

from celery import current_task

from provisioner import messages, wiring
from provisioner.celery import app
from tenancy.actions import services
from tenancy.enums import ServiceKind, WorkKind


@app.task(name="atoll.reconcile")
def reconcile(*, kind: str, object_id: str, **_: object) -> None:
    """One pass over one object, if it is still due; unknown arguments are of a younger relay."""
    wiring.run(WorkKind(kind), UUID(object_id))
    _alive()


@app.task(name="atoll.send")
def send(*, object_id: str, **_: object) -> None:
    """Sends to webhooks, to this one first, until nothing waits."""
    messages.deliver(UUID(object_id))
    _alive()


@app.task(name="atoll.canary")
def canary(**_: object) -> None:
    """Proves that this worker hears and reaches the database."""
    _alive()


def _alive() -> None:
    services.beat(ServiceKind.WORKER, current_task.request.hostname or "worker")
