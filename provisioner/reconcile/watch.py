"""Guard rails of one place over one pass: looked at, told of when somebody changed them, put right.

A guard rail that was seen in place before and is not as it was left is a finding,
unless Atoll itself wants something else by now. Looking comes before writing, so a
pass over what is right writes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from provisioner.outcomes import Transient
from provisioner.ports import NAMESPACES, Rejected
from provisioner.reconcile import culprit
from provisioner.reconcile.comparison import differences, essence, fingerprint, mend
from provisioner.reconcile.foreign import Foreign
from provisioner.release.digest import of_objects
from tenancy.enums import FindingKind, Reason
from tenancy.rules.drift import Drift, Established

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from provisioner.ports import AuditLog, Findings, Kind, Kube, Object
    from tenancy.rules.drift import Culprit, Difference, Place

log = logging.getLogger(__name__)

PUT_BACK = "Atoll puts it back as it was"
TAKEN_AWAY = "Atoll takes it away; to keep one like it, label it tenancy.atoll.internal/kept=<why>"
LOOK_AT_IT = "delete it, or label it tenancy.atoll.internal/kept=<why> if it is meant to be there"


@dataclass
class Watch:
    """What was known of a place before the pass, and what the pass found in place."""

    place: Place
    kube: Kube
    audit: AuditLog
    whoami: Callable[[], str]
    findings: Findings
    now: Callable[[], datetime]
    known: Mapping[str, Established]
    drifted: frozenset[str]
    """Subjects with an open finding."""
    lists: frozenset[Kind]
    """Kinds that are read whole, with one request; others one by one."""
    found: dict[str, Established] = field(default_factory=dict)
    _listed: dict[Kind, dict[str, Object]] = field(default_factory=dict)
    """By name, with the namespace of what is elsewhere than the place."""

    def keep(self, kind: Kind, body: Object) -> Object:
        """The object as it is on the host once it is as wanted; raises ``Transient`` while it is not."""
        seen = self.look(kind, body)
        details = differences(body, seen) if seen is not None else ()
        if seen is not None and not details:
            return self._right(kind, body, seen)
        drift = self._drift(kind, body, seen, details)
        if drift is not None:
            self._tell(drift)
        now = self._put(kind, body, existed=seen is not None)
        self._listed.pop(kind, None)
        if drift is not None:
            now = self.look(kind, body) or {"metadata": {}}
        if left := differences(body, now):
            msg = f"{self.subject(kind, body)} was put right and differs again ({left[0].path}): who else writes it?"
            raise Transient(msg, Reason.CONFLICT)
        return self._right(kind, body, now)

    def established(self, kind: Kind, body: Object) -> bool:
        """Whether it was in place when this was last wanted, and nothing else since."""
        known = self.known.get(self.subject(kind, body))
        return known is not None and known.wanted == _wish(body)

    def report(self, kind: Kind, body: Object, advice: str) -> bool:
        """As ``keep`` for what may not be written: tells of it and leaves it; whether it is as wanted."""
        seen = self.look(kind, body)
        details = differences(body, seen) if seen is not None else ()
        if seen is not None and not details:
            self._right(kind, body, seen)
            return True
        if drift := self._drift(kind, body, seen, details, advice):
            self._tell(drift)
            self.found[drift.subject] = self.known[drift.subject]
        return False

    def suspect(self, name: str, kinds: Sequence[Kind], advice: str) -> None:
        """Tells of the one of these objects that somebody wrote last, where none of them may be read any more."""
        since = {kind: datetime.fromisoformat(self.known[f"{kind.name} {name}"].since) for kind in kinds}
        asked = ((kind, culprit.target(kind, name, "")) for kind in kinds)
        found = {k: culprit.find(self.audit, t, since[k], self.whoami(), None) for k, t in asked}
        last = max(found, key=lambda kind: found[kind].at or since[kind])
        kinds_of_it = FindingKind.GUARD_RAIL_CHANGED, FindingKind.GUARD_RAIL_REMOVED
        removed = found[last].verb == "delete"
        self._tell(Drift(kinds_of_it[removed], f"{last.name} {name}", (), found[last], advice))

    def clear(self, kind: Kind, judge: Callable[[Object], Foreign]) -> None:
        """Tells of what is not ours and opens what is closed, and takes away what can only do harm."""
        for seen in list(self._all(kind).values()):
            what, verdict = self.subject(kind, seen), judge(seen)
            if what in self.found or what in self.known or verdict is Foreign.LEFT:
                continue
            self._tell_added(kind, seen, TAKEN_AWAY if verdict is Foreign.TAKEN else LOOK_AT_IT)
            if verdict is Foreign.TAKEN:
                metadata = seen["metadata"]
                self.kube.delete(kind, metadata["name"], self.place.namespace, uid=metadata["uid"])
                self._listed.pop(kind, None)
        amiss = {
            self.subject(kind, seen) for seen in self._all(kind).values() if judge(seen) is not Foreign.LEFT
        }
        ours = {*self.known, *self.found}
        for what in [s for s in self.drifted if s.startswith(f"{kind.name} ")]:
            if what not in amiss and what not in ours:
                self._close(what)

    def look(self, kind: Kind, body: Object) -> Object | None:
        """From this pass's one list of the kind, or by itself for what is of the whole host."""
        if kind in self.lists or kind in self._listed:
            return self._all(kind).get(self._name(body))
        return self.kube.get(kind, body["metadata"]["name"], body["metadata"].get("namespace", ""))

    def seed(self, kind: Kind, seen: list[Object]) -> None:
        """What the pass has read of a kind already."""
        self._listed.setdefault(kind, {}).update({self._name(one): one for one in seen})

    def subject(self, kind: Kind, body: Object) -> str:
        """As findings name it; with the namespace for what is elsewhere than the place."""
        return f"{kind.name} {self._name(body)}"

    def _name(self, body: Object) -> str:
        name, namespace = body["metadata"]["name"], body["metadata"].get("namespace", "")
        return f"{namespace}/{name}" if namespace and namespace != self.place.namespace else str(name)

    def _all(self, kind: Kind) -> dict[str, Object]:
        if kind not in self._listed:
            found = self.kube.find(kind, self.place.namespace)
            self._listed[kind] = {self._name(one): one for one in found}
        return self._listed[kind]

    def _drift(
        self,
        kind: Kind,
        body: Object,
        seen: Object | None,
        details: tuple[Difference, ...],
        advice: str = PUT_BACK,
    ) -> Drift | None:
        """``None`` for what never was in place, and for what Atoll itself wants otherwise now."""
        what = self.subject(kind, body)
        known = self.known.get(what)
        if known is None or (seen is not None and known.wanted != _wish(body)):
            return None
        kinds = FindingKind.GUARD_RAIL_REMOVED, FindingKind.GUARD_RAIL_CHANGED
        since = datetime.fromisoformat(known.since)
        return Drift(kinds[seen is not None], what, details, self._who(kind, body, since, seen), advice)

    def _who(self, kind: Kind, body: Object, since: datetime, seen: Object | None) -> Culprit:
        name, namespace = body["metadata"]["name"], body["metadata"].get("namespace", "")
        place = name if kind is NAMESPACES else namespace
        return culprit.find(self.audit, culprit.target(kind, name, place), since, self.whoami(), seen)

    def _tell_added(self, kind: Kind, seen: Object, next_step: str) -> None:
        what = self.subject(kind, seen)
        if what not in self.drifted:
            who = self._who(kind, seen, culprit.made_at(seen), seen)
            self._tell(Drift(FindingKind.GUARD_RAIL_ADDED, what, (), who, next_step))

    def _tell(self, drift: Drift) -> None:
        who = drift.culprit
        by = f"{who.name} ({who.source})" if who.name else "somebody unknown"
        paths = ", ".join(one.path for one in drift.details)
        log.error("%s: %s by %s: %s %s", self.place, drift.kind, by, drift.subject, paths)
        self.findings.noticed(self.place, drift)
        self.drifted |= {drift.subject}

    def _put(self, kind: Kind, body: Object, *, existed: bool) -> Object:
        """Applied; what others added is taken out; what can no longer be changed is made anew."""
        name, namespace = body["metadata"]["name"], body["metadata"].get("namespace", "")
        try:
            now = self.kube.apply(kind, body)
            if not differences(body, now):
                return now
            self.kube.merge(kind, name, mend(body, now), namespace)
        except Rejected:
            if not existed:
                raise
            self.kube.delete(kind, name, namespace)
        return self.kube.apply(kind, body)

    def _right(self, kind: Kind, body: Object, seen: Object) -> Object:
        what = self.subject(kind, body)
        wish, mark = _wish(body), fingerprint(seen)
        known = self.known.get(what)
        if known is None or (known.wanted, known.seen) != (wish, mark):
            known = Established(wish, mark, self.now().isoformat())
        self.found[what] = known
        if what in self.drifted:
            self._close(what)
        return seen

    def _close(self, what: str) -> None:
        self.findings.restored(self.place, what)
        self.drifted -= {what}
        log.info("%s: %s is as it should be again", self.place, what)


def _wish(body: Object) -> str:
    return of_objects(essence(body))
