"""How a step of a pass ends: three values, and two kinds of exception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tenancy.enums import Reason


@dataclass(frozen=True)
class Done:
    """The step's fact holds in the world."""

    message: str = ""


@dataclass(frozen=True)
class Wait:
    """The world is at work: not a failure, look again ``after`` seconds."""

    after: float
    reason: Reason
    message: str
    holds: bool = False
    """The fact was proved before and still stands while it is looked at anew."""


@dataclass(frozen=True)
class Stall:
    """Nothing helps but a change of the spec or a person; the message says which."""

    reason: Reason
    message: str


Outcome: TypeAlias = Done | Wait | Stall


class Fault(Exception):
    """Base of what an adapter or step raises: a reason of the vocabulary and words for people."""

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class Transient(Fault):
    """It may pass: tried again for ever, with backoff."""


def unforeseen(error: Exception) -> Transient:
    """For an error that nobody foresaw: whoever caught it has logged it, and it may pass."""
    message = f"an error nobody foresaw ({type(error).__name__}): it is logged and tried again"
    return Transient(message, Reason.UNEXPECTED)


class Permanent(Fault):
    """Trying again changes nothing: the cluster stalls until somebody acts."""


class LeaseLost(Exception):
    """Somebody else works on the object now: no further side effect, no report."""
