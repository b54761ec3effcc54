"""Puts back what of helm/host Atoll's workers notice and may not put back: an admin's rights, used when they tell.

The workers look every 30 s and name who it was (docs/drift.md). What is theirs to put right they
have put right; what is left open of the host itself is ours.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx

from command import exactly, host
from command.terminal import CommandError, say
from lab.errors import LabError

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from command.host import Admin

LOOK_SECONDS: Final = 15.0
PATIENCE_SECONDS: Final = 45.0
"""Until something that was put right and is still told of is tried again: the workers see it within 30 s."""
_GUARDS: Final = ("rbac.authorization.k8s.io/", "admissionregistration.k8s.io/")
_OURS: Final = frozenset({"guard-rail-removed", "guard-rail-changed"})


@dataclass(frozen=True)
class Atoll:
    """Where Atoll is asked, as an auditor or an admin."""

    url: str
    token: Path
    """The file that holds it: read for each question, so that it can be changed."""

    def amiss(self, host_name: str) -> dict[str, str]:
        """What is to be put right on a host → who changed it. Raises CommandError where Atoll does not tell."""
        asked = {"host": host_name, "open": "true", "limit": 100}
        return {
            one["subject"]: one["actor"]["name"] or "somebody unknown"
            for one in self._get("/findings", asked)["items"]
            if not one["namespace"] and one["kind"] in _OURS
        }

    def check(self, host_name: str) -> None:
        """Raises CommandError where Atoll has no such host, or does not tell us."""
        self._get(f"/hosts/{host_name}", {})
        self.amiss(host_name)

    def _get(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            headers = {"Authorization": f"Bearer {self.token.read_text().strip()}"}
            answer = httpx.get(f"{self.url}/api/v1{path}", params=asked, headers=headers, timeout=20)
        except (OSError, httpx.HTTPError) as error:
            raise CommandError(f"Atoll at {self.url} cannot be asked what is amiss: {error}") from error
        if not answer.is_success:
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise CommandError(
                    f"Atoll at {self.url} has no {path.strip('/')}: ./atoll host add registers one"
                )
            raise CommandError(
                f"Atoll at {self.url} does not tell what is amiss (status {answer.status_code} for {path}):"
                f" the token in {self.token} must be an auditor's or an admin's"
            )
        return dict(answer.json())


@dataclass
class Keeper:
    """Looks until it is stopped; ``values`` are those of helm/host, ``None`` for those it was installed with."""

    atoll: Atoll
    admin: Admin
    name: str
    values: dict[str, Any] | None
    stop: threading.Event
    _tried: dict[str, float] = field(default_factory=dict)

    def run(self) -> None:
        """Tells each new fault once and goes on."""
        told = ""
        while not self.stop.wait(LOOK_SECONDS):
            try:
                self.look()
                told = ""
            except (CommandError, LabError, OSError) as error:
                if not self.stop.is_set() and str(error) != told:
                    told = str(error)
                    say(f"host {self.name} is not kept: {told}\n    trying again every {LOOK_SECONDS:.0f} s")

    def look(self) -> None:
        """One question, and what follows from the answer."""
        now = time.monotonic()
        amiss = self.atoll.amiss(self.name)
        self._tried = {what: at for what, at in self._tried.items() if now - at < PATIENCE_SECONDS}
        new = {what: who for what, who in amiss.items() if what not in self._tried}
        if not new:
            return
        restore(self.admin, set(new), self.values)
        self._tried |= dict.fromkeys(new, now)
        told = ", ".join(f"{what} (changed by {who})" for what, who in sorted(new.items()))
        say(f"host {self.name}: put back as helm/host says: {told}")


def restore(admin: Admin, subjects: set[str], values: dict[str, Any] | None) -> None:
    """What was changed is written whole; then Helm makes what is missing."""
    try:
        there = host.installed(admin)
    except CommandError:
        there = []  # the release's record is gone too: Helm takes what it finds for its own
    exactly.write(admin.kubeconfig, [body for body in there if subject(body) in subjects])
    try:
        host.install(admin, values)
    except CommandError:
        # It stumbles over what nobody could tell of, where the workers' own right to look is gone.
        exactly.write(admin.kubeconfig, [body for body in there if body["apiVersion"].startswith(_GUARDS)])
        host.install(admin, values)


def subject(body: dict[str, Any]) -> str:
    """As findings name an object of a host."""
    metadata = body["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{body['kind']} {place}{metadata['name']}"
