"""What to do about a release, from what is remembered of it: a pure table, for use under the lease only.

A revision that is pending belongs to a Helm that died, for nobody else may run one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from provisioner.release.state import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioner.release.state import Revision


class Action(StrEnum):
    """What Helm, or we in its stead, shall do next."""

    NOTHING = "nothing"
    INSTALL = "install"
    UPGRADE = "upgrade"
    ROLLBACK = "rollback"
    UNINSTALL = "uninstall"
    FORGET = "forget"
    """Delete one record and look again."""


@dataclass(frozen=True)
class Plan:
    """One action; ``revision`` where it is about one."""

    action: Action
    revision: int = 0


def decide(  # noqa: PLR0911 - a table
    revisions: Sequence[Revision], wanted: str, *, ever_ready: bool
) -> Plan:
    """The next action towards a deployed release with the digest ``wanted``.

    ``ever_ready``: somebody's data may hang on the release, so nothing is uninstalled.
    """
    if not revisions:
        return Plan(Action.INSTALL)
    last = revisions[-1]
    match last.status:
        case Status.DEPLOYED:
            return Plan(Action.NOTHING if last.digest == wanted else Action.UPGRADE)
        case Status.FAILED | Status.SUPERSEDED | Status.UNKNOWN:
            return Plan(Action.UPGRADE)
        case Status.PENDING_INSTALL:
            return _forget(last) if ever_ready else Plan(Action.UNINSTALL)
        case Status.PENDING_UPGRADE | Status.PENDING_ROLLBACK:
            return _back(revisions)
        case Status.UNINSTALLING:
            return Plan(Action.UNINSTALL)
        case Status.UNINSTALLED:
            return Plan(Action.INSTALL)
        case _:
            assert_never(last.status)


def _back(revisions: Sequence[Revision]) -> Plan:
    """To the last revision that was whole; the stored manifest of a pending one may be half applied."""
    whole = [r for r in revisions if r.status is Status.DEPLOYED]
    return Plan(Action.ROLLBACK, whole[-1].number) if whole else _forget(revisions[-1])


def _forget(revision: Revision) -> Plan:
    return Plan(Action.FORGET, revision.number)
