"""What pods are told before they end, through the tenant's own API, and what they may say to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.ports import EVENTS, PODS
from tenancy.rules.names import LABEL_PREFIX

if TYPE_CHECKING:
    from datetime import datetime

    from provisioner.ports import Kube, Object
    from provisioner.reconcile.reclaim.holders import Holder

CHECKPOINT: Final = f"{LABEL_PREFIX}checkpoint"
"""Annotation: ``required`` leaves the pod until ``done`` is there, or the deadline."""
PROTECTED: Final = f"{LABEL_PREFIX}protected"
"""Annotation: ``true`` leaves the pod until the deadline, and takes others first."""
RECLAIM: Final = f"{LABEL_PREFIX}reclaim"
"""Annotation that Atoll sets: until when the pod may run."""
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


def find(tenant: Kube, holder: Holder) -> Object | None:
    """The pod as its tenant knows it; ``None`` for one that the tenant's API does not have."""
    namespace, _, name = holder.inside.partition("/")
    return tenant.get(PODS, name, namespace) if name else None


def mark(pod: Object, name: str) -> str:
    """What a tenant wrote on a pod."""
    return str((pod["metadata"].get("annotations") or {}).get(name, ""))


def tell(tenant: Kube, pod: Object, what: str, deadline: datetime, now: datetime) -> None:
    """By an annotation and an event; one that was told is not told again. ``what`` as in ``2 h100``."""
    until = deadline.strftime(_TIME)
    if mark(pod, RECLAIM) == until:
        return
    tenant.create(EVENTS, _event(pod, what, until, now))
    tenant.annotate(PODS, pod["metadata"]["name"], {RECLAIM: until}, pod["metadata"]["namespace"])


def _event(pod: Object, what: str, until: str, now: datetime) -> Object:
    meta, at = pod["metadata"], now.strftime(_TIME)
    message = (
        f"The {what} of this pod go back: its grant is over. It may run until {until} at the latest."
        f" It is evicted before, unless a PodDisruptionBudget forbids it, or it wears the annotation {PROTECTED}: true,"
        f" or {CHECKPOINT}: required; set {CHECKPOINT}: done once its state is saved."
    )
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta['name'][:200]}.reclaim-{until.lower().replace(':', '')}",
            "namespace": meta["namespace"],
        },
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
        },
        "type": "Warning",
        "reason": "DevicesGoBack",
        "message": message,
        "source": {"component": "atoll"},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
