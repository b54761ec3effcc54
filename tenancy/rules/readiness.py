"""Whether waiting for an object is over: the same three answers for every kind. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tenancy.enums import Outlook

SOON: Final = 2
"""Seconds until what a machine does deserves another look."""
LATER: Final = 10
"""The same for what waits for people, or for a day to come."""


@dataclass(frozen=True)
class Readiness:
    """How far an object is."""

    outlook: Outlook
    phase: str = ""
    """One word; another one where the outlook is another, so that who looks often compares this."""
    why: str = ""
    """A sentence, which tells what it waits for."""
    again: int = SOON
    """Seconds until another look is worth it."""


IN_FORCE: Final = Readiness(Outlook.READY)
"""Of what is in force as soon as it is written."""


def ready(phase: str) -> Readiness:
    """It is as it is wanted."""
    return Readiness(Outlook.READY, phase)


def not_yet(phase: str, why: str, again: int = SOON) -> Readiness:
    """It is on its way."""
    return Readiness(Outlook.NOT_YET, phase, why, again)


def in_vain(phase: str, why: str) -> Readiness:
    """Who waits may stop."""
    return Readiness(Outlook.IN_VAIN, phase, why)
