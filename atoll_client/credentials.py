"""What the exec plugin of a kubeconfig hands to kubectl: a short-lived token, kept until shortly before its end."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import yaml

from atoll_client import files
from atoll_client.errors import AtollError, Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

    from atoll_client.atoll import Atoll
    from atoll_client.contexts import Context

LIFETIME: Final = "10m"
"""The shortest that Atoll issues."""
EARLY: Final = timedelta(seconds=60)
"""So long before its end a token is not used any more: clocks differ, and requests take time."""
KEPT: Final = timedelta(days=1)
"""What was written longer ago has ended long since, whoever's it was: each job of a CI system has another token."""
API: Final = "client.authentication.k8s.io/v1"


@dataclass(frozen=True)
class Access:
    """How one cluster is reached for a while."""

    cluster: dict[str, Any]
    """Server and authority, as a kubeconfig has them."""
    token: str
    expires_at: datetime

    @property
    def fresh(self) -> bool:
        """It will do for the next minute."""
        return datetime.now(UTC) < self.expires_at - EARLY

    def document(self) -> dict[str, Any]:
        """As kubectl wants it."""
        ends = self.expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = {"expirationTimestamp": ends, "token": self.token}
        return {"apiVersion": API, "kind": "ExecCredential", "status": status}


def obtain(atoll: Atoll, context: Context, tenant: str, name: str, *, anew: bool = False) -> Access:
    """The kept one while it is fresh; else one new one, whoever else asks at the same time. ``anew`` in any case."""
    place = _place(context, tenant, name)
    with files.alone(place):
        kept = None if anew else _kept(place)
        if kept is not None and kept.fresh:
            return kept
        issued = atoll.kubeconfig(tenant, name, LIFETIME)
        access = _read(issued.text, issued.expires_at)
        text = {"cluster": access.cluster, "token": access.token, "expiresAt": access.expires_at.isoformat()}
        files.write(place, json.dumps(text))
        _sweep(place.parent)
        return access


def forget(context: Context, tenant: str, name: str) -> None:
    """What is kept of a cluster that is no more."""
    _place(context, tenant, name).unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """With their locks: who holds one of a day ago asks once more than needed at worst."""
    before = time.time() - KEPT.total_seconds()
    for path in folder.iterdir():
        with suppress(OSError):
            if path.stat().st_mtime < before:
                path.unlink()


def _place(context: Context, tenant: str, name: str) -> Path:
    """One file for each Atoll, token and cluster: another person's credential is never used."""
    parts = f"{context.url}\n{context.token}\n{tenant}\n{name}"
    digest = sha256(parts.encode()).hexdigest()[:32]
    return files.folder("XDG_CACHE_HOME", ".cache") / "credentials" / f"{digest}.json"


def _kept(place: Path) -> Access | None:
    """None for what cannot be read: then it is asked for anew."""
    try:
        found = json.loads(files.read_private(place))
        return Access(found["cluster"], found["token"], datetime.fromisoformat(found["expiresAt"]))
    except (AtollError, ValueError, KeyError, TypeError):
        return None


def _read(text: str, expires_at: datetime) -> Access:
    try:
        document = yaml.safe_load(text)
        (user,), (reached,) = document["users"], document["clusters"]
        return Access(reached["cluster"], user["user"]["token"], expires_at)
    except (yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        msg = f"Atoll issued a kubeconfig that this release cannot read ({error!r}): take a newer atoll"
        raise Misconfigured(msg) from error
