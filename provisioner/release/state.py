"""What Helm remembers of a release, read from the labels of its records (no Helm, one small request)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tenancy.rules.names import RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioner.ports import Object

DIGEST_LABEL: Final = "atoll-digest"
SELECTOR: Final = f"owner=helm,name={RELEASE}"
"""The labels Helm puts on the Secrets that are its records."""


class Status(StrEnum):
    """Helm's words."""

    DEPLOYED = "deployed"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    PENDING_INSTALL = "pending-install"
    PENDING_UPGRADE = "pending-upgrade"
    PENDING_ROLLBACK = "pending-rollback"
    UNINSTALLING = "uninstalling"
    UNINSTALLED = "uninstalled"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> Status:  # noqa: ARG003 - any other word
        return cls.UNKNOWN


@dataclass(frozen=True)
class Revision:
    """One record of the release."""

    number: int
    status: Status
    digest: str = ""
    """Of what was installed; empty when it was not by us."""


def revisions(records: Iterable[Object]) -> tuple[Revision, ...]:
    """Oldest first; anything that is no record of Helm's is left out."""
    found = (_revision(record["metadata"].get("labels", {})) for record in records)
    return tuple(sorted((r for r in found if r), key=lambda r: r.number))


def record_name(revision: int) -> str:
    """The Secret that is the record of a revision."""
    return f"sh.helm.release.v1.{RELEASE}.v{revision}"


def _revision(labels: dict[str, str]) -> Revision | None:
    number = labels.get("version", "")
    if not number.isdigit():
        return None
    return Revision(int(number), Status(labels.get("status", "")), labels.get(DIGEST_LABEL, ""))
