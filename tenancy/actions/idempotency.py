"""Idempotency keys: one key, one effect, however often and however parallel it is sent."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, OperationalError, connection
from django.utils import timezone

from tenancy.actions.unit import atomic, is_read_only
from tenancy.errors import KeyReused, StillRunning
from tenancy.models import IdempotencyRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.models import QuerySet

    from tenancy.policy import Actor

KEPT: Final = timedelta(hours=48)
PATIENCE_MS: Final = 5000
"""How long a parallel twin waits for the first; PostgreSQL makes it wait on the unique index."""
_AT_WORK: Final = "the first request with this Idempotency-Key is still at work: send it again in a moment"


@dataclass(frozen=True)
class StoredAnswer:
    """What is sent back, the first time and every time."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


def once(
    *, by: Actor, key: str, fingerprint: str, effect: Callable[[], StoredAnswer]
) -> tuple[StoredAnswer, bool]:
    """Runs ``effect`` or replays its stored answer; True when it was replayed.

    Record and effect share one transaction: an effect that raises leaves no record,
    so the key may be used again.
    """
    try:
        with _patient_sqlite(), atomic():
            return _first(by, key, fingerprint, effect), False
    except IntegrityError:
        return _replay(by, key, fingerprint), True


def sweep() -> int:
    """Drops what is older than 48 hours; returns how many."""
    return _expired().delete()[0]


def _expired() -> QuerySet[IdempotencyRecord]:
    return IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - KEPT)


def _first(by: Actor, key: str, fingerprint: str, effect: Callable[[], StoredAnswer]) -> StoredAnswer:
    _be_patient()
    _expired().filter(user=by.user, key=key).delete()  # whether it was swept yet or not
    try:
        record = IdempotencyRecord.objects.create(user=by.user, key=key, fingerprint=fingerprint)
    except OperationalError as error:
        if is_read_only(error):
            raise
        raise StillRunning(_AT_WORK) from error
    answer = effect()
    record.status, record.body, record.headers = answer.status, answer.body, answer.headers
    record.save(update_fields=["status", "body", "headers"])
    return answer


def _replay(by: Actor, key: str, fingerprint: str) -> StoredAnswer:
    record = IdempotencyRecord.objects.filter(user=by.user, key=key).first()
    if record is None:
        raise  # noqa: PLE0704 - the effect itself broke a constraint; called from the except block only
    if record.fingerprint != fingerprint:
        msg = "this Idempotency-Key was used for another request: take a new key for a new request"
        raise KeyReused(msg)
    return StoredAnswer(record.status or 500, record.body, dict(record.headers))


def _be_patient() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {PATIENCE_MS}")


@contextmanager
def _patient_sqlite() -> Iterator[None]:
    """SQLite has one writer: there the twin waits when its transaction begins."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    usual = connection.settings_dict["OPTIONS"].get("timeout", 5) * 1000
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
        try:
            yield
        except OperationalError as error:
            if "locked" not in str(error):
                raise
            raise StillRunning(_AT_WORK) from error
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual}")
