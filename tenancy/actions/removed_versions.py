"""What was published and removed: the number may come back with the same content, and with no other."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from tenancy.errors import Immutable
from tenancy.models import RemovedVersion

if TYPE_CHECKING:
    from tenancy.policy import Actor


def remember(by: Actor, home: str, version: str, content: str) -> None:
    """In the transaction that removes it."""
    values = {"digest": _digest(content), "removed_by": by.name}
    RemovedVersion.objects.update_or_create(home=home, version=version, defaults=values)


def refuse_other(home: str, version: str, content: str) -> None:
    """Raises ``Immutable`` where the number stood for something else."""
    old = RemovedVersion.objects.filter(home=home, version=version).first()
    if old is not None and old.digest != _digest(content):
        msg = (
            f"version {version} was published with other content and removed on {old.removed_at:%Y-%m-%d}, and a"
            " number stands for one content for ever: publish this as another version"
        )
        raise Immutable(msg)


def forget(home: str) -> None:
    """All of them: what comes under this name is another thing."""
    RemovedVersion.objects.filter(home=home).delete()


def _digest(content: str) -> str:
    return sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
