"""One round of asking pods to end, and of ending them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Permanent, Transient
from provisioner.ports import PODS
from provisioner.reconcile.quarantine import GRACE
from provisioner.reconcile.reclaim import asking
from provisioner.reconcile.reclaim.holders import to_go

if TYPE_CHECKING:
    from datetime import datetime

    from provisioner.ports import Kube, Object
    from provisioner.reconcile.reclaim.holders import Holder
    from provisioner.reconcile.scope import Scope
    from tenancy.rules.specs import DeviceShare

_LOOK: Final = 1.0
_PATIENT: Final = 5.0
"""Seconds between looks at pods that may still run."""


@dataclass
class Round:
    """The pods of one class that hold more than is left by a deadline, and what became of them in this pass."""

    scope: Scope
    share: DeviceShare
    deadline: datetime
    holders: tuple[Holder, ...]
    over: int
    going: tuple[Holder, ...] = ()
    """Those that end by then."""
    told: list[str] = field(default_factory=list)
    """Pods that know: ``namespace/name`` in the tenant's cluster."""
    untold: str = ""
    """Why the tenant's API could not be asked."""
    after: float = _PATIENT
    """Seconds after which to look again."""

    @property
    def late(self) -> bool:
        """Whether nobody is asked any further."""
        return self.scope.calendar() >= self.deadline

    @property
    def asked(self) -> bool:
        """Whether all who must go were told."""
        return not self.untold

    def ask_and_end(self) -> None:
        """Asks those that must go until the deadline, and ends them from then on."""
        inside = self._read()
        protected = {uid for uid, pod in inside.items() if asking.mark(pod, asking.PROTECTED) == "true"}
        self.going = to_go(self.holders, self.over, protected)
        if self.late:
            for holder in self.going:
                self._end(holder, inside.get(holder.uid))
            self.after = _LOOK
            return
        tenant = self.scope.reached_tenant
        if tenant is None or self.untold:
            return
        ended = [self._asked_to_end(tenant, h, inside.get(h.uid), protected) for h in self.going]
        self.after = _LOOK if any(ended) else _PATIENT

    def _read(self) -> dict[str, Object]:
        """Uid on the host → the pod in the tenant's cluster, as far as its API answers."""
        tenant = self.scope.reached_tenant
        if tenant is None:
            self.untold = "the cluster's API does not answer"
            return {}
        try:
            found = {holder.uid: asking.find(tenant, holder) for holder in self.holders}
        except (Transient, Permanent) as fault:
            self.untold = fault.message
            return {}
        return {uid: pod for uid, pod in found.items() if pod is not None}

    def _asked_to_end(self, tenant: Kube, holder: Holder, pod: Object | None, protected: set[str]) -> bool:
        """Tells it, and evicts it unless it may stay until the deadline; whether its end has begun."""
        if pod is None:
            self._end(holder, None)  # nobody's: its tenant does not know it
            return True
        try:
            asking.tell(tenant, pod, f"{holder.devices} {self.share.key}", self.deadline, self.scope.now())
            self.told.append(holder.inside)
            if holder.ending:
                return True
            if holder.uid in protected or asking.mark(pod, asking.CHECKPOINT) == "required":
                return False
            meta = pod["metadata"]
            return tenant.evict(meta["name"], meta["namespace"], uid=meta["uid"])
        except (Transient, Permanent) as fault:
            self.untold = fault.message
            return False

    def _end(self, holder: Holder, pod: Object | None) -> None:
        """Without asking: on the host, and for the tenant, so that its syncer does not bring it back."""
        tenant = self.scope.reached_tenant
        if tenant is not None and pod is not None:
            try:
                meta = pod["metadata"]
                tenant.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"], grace=GRACE)
            except (Transient, Permanent) as fault:
                self.untold = fault.message
        self.scope.host.kube.delete(
            PODS, holder.name, self.scope.desired.namespace, uid=holder.uid, grace=GRACE
        )
