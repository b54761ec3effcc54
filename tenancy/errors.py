"""Domain errors: a stable code, facts, and a sentence that says what to do next. No HTTP here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field: ``path`` as in ``spec.resources.cpu``."""

    path: str
    code: str
    detail: str


class DomainError(Exception):
    """Base of all: ``code`` is part of the API, ``detail`` is for people."""

    code = "error"

    def __init__(self, detail: str, *, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class NotFound(DomainError):
    """It does not exist, or not for this actor: the two look alike on purpose."""

    code = "not-found"


class NotAllowed(DomainError):
    """The actor may see it but not do this; ``permission`` and ``tenant`` tell what was lacking, where known."""

    code = "not-allowed"

    def __init__(self, detail: str, *, permission: str = "", tenant: str = "") -> None:
        super().__init__(detail)
        self.permission = permission
        self.tenant = tenant


class InsufficientScope(NotAllowed):
    """The token was not made for this; ``scope`` is what it lacks."""

    code = "insufficient-scope"

    def __init__(self, detail: str = "", *, scope: str, tenant: str = "") -> None:
        self.scope = str(scope)
        words = f"this token lacks the scope {self.scope!r}: use one that has it"
        super().__init__(detail or words, tenant=tenant)


class StepUpRequired(NotAllowed):
    """The role allows it, but whoever asks has not shown recently enough that it is them."""

    code = "step-up-required"


class TokenRefused(DomainError):
    """A token of somebody else's making proves nothing: its form, signature, issuer or times do not hold."""

    code = "token-refused"


class ExchangeRefused(DomainError):
    """A proven token gives nothing here; said alike whatever is lacking, so that nothing is told of accounts."""

    code = "exchange-refused"


class Invalid(DomainError):
    """The input cannot be accepted; ``errors`` names each field and its fix."""

    code = "invalid"


def refuse(faults: Iterable[FieldError]) -> None:
    """``Invalid`` that tells all of them at once; nothing when there are none."""
    found = tuple(faults)
    if found:
        raise Invalid("; ".join(f"{e.path}: {e.detail}" for e in found), errors=found)


class Conflict(DomainError):
    """The object is in a state in which this cannot be done."""

    code = "conflict"


class BeingDeleted(Conflict):
    """A change to something whose deletion has begun."""

    code = "being-deleted"


class Protected(Conflict):
    """Deletion of something with ``deletionProtection``."""

    code = "deletion-protected"


class InQuarantine(Conflict):
    """A change to, or access to, a cluster that an admin took out of use."""

    code = "quarantined"


class Asleep(Conflict):
    """Access to, or proof of, a cluster that its spec has put to sleep."""

    code = "paused"


class AlreadyExists(Conflict):
    """A create for a name that is taken."""

    code = "already-exists"


class InvalidTransition(Conflict):
    """A request cannot be changed so in the state that it is in."""

    code = "invalid-transition"


class Immutable(Conflict):
    """A change to something that stays as it was first written."""

    code = "immutable"


class InUse(Conflict):
    """Removal, or a change of hands, of what something else needs; ``users`` are some of these."""

    code = "in-use"

    def __init__(self, detail: str, users: Iterable[object] = ()) -> None:
        super().__init__(detail)
        self.users = tuple(str(user) for user in users)


class DoesNotFit(Conflict):
    """More devices than there are, or than a limit leaves; the message names the nearest amount that fits."""

    code = "does-not-fit"


class PreconditionFailed(DomainError):
    """``If-Match`` or ``If-None-Match`` does not hold: read again, then decide."""

    code = "precondition-failed"


class Lapsed(DomainError):
    """What is asked for was there once and is kept no longer: start anew."""

    code = "lapsed"


class KeyReused(DomainError):
    """An idempotency key came back with another body."""

    code = "idempotency-key-reused"


class StillRunning(Conflict):
    """The first request with this idempotency key has not ended yet."""

    code = "idempotency-key-in-use"


class Unavailable(DomainError):
    """It cannot be done now and may be tried again."""

    code = "unavailable"


class ReadOnly(Unavailable):
    """The database can be read and not written, as a standby."""

    code = "read-only"

    def __init__(self) -> None:
        super().__init__(
            "the database only reads at the moment: everything can be looked at, nothing changed; try again later"
        )
