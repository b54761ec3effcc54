"""Quarantine: an admin takes a cluster out of use within seconds, keeping what is in it; and gives it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils import timezone

from tenancy import policy
from tenancy.actions import audit, observations, work
from tenancy.actions.unit import atomic
from tenancy.enums import ConditionStatus, ConditionType, Permission, Reason, WorkKind
from tenancy.errors import BeingDeleted, FieldError, Invalid
from tenancy.models import ClusterCondition, VirtualCluster
from tenancy.queries import clusters
from tenancy.rules.conditions import BUILD_ORDER, Condition

if TYPE_CHECKING:
    from tenancy.policy import Actor

LONGEST: Final = 500
"""Characters of a reason."""


@atomic
def begin(*, by: Actor, tenant_name: str, name: str, reason: str) -> VirtualCluster:
    """Stops everything in a cluster; asked again it only takes the new reason."""
    cluster = _cluster(by, tenant_name, name)
    if cluster.deleting:
        msg = f"{cluster} is being deleted: everything in it ends with it"
        raise BeingDeleted(msg)
    reason = _checked(reason)
    if not cluster.quarantined:
        cluster.quarantined_at = timezone.now()
        cluster.access_epoch += 1
    cluster.quarantined_by, cluster.quarantine_reason = by.name, reason
    cluster.save(update_fields=["quarantined_at", "quarantined_by", "quarantine_reason", "access_epoch"])
    _forget_what_was_seen(cluster)
    told = Reason.WAITING, f"{by.name}: {reason}; it is being stopped"
    _tell(cluster, ConditionStatus.TRUE, *told)
    _note(by, "cluster.quarantine", cluster, reason=reason)
    return clusters.get(by, tenant_name, name)


@atomic
def lift(*, by: Actor, tenant_name: str, name: str) -> VirtualCluster:
    """Lets it come back; credentials from before stay dead. Nothing when it is not in quarantine."""
    cluster = _cluster(by, tenant_name, name)
    if not cluster.quarantined:
        return cluster
    cluster.quarantined_at, cluster.quarantined_by, cluster.quarantine_reason = None, "", ""
    # Nothing of the last spec is in place now.
    cluster.observed_generation = min(cluster.observed_generation, cluster.generation - 1)
    cluster.save(
        update_fields=["quarantined_at", "quarantined_by", "quarantine_reason", "observed_generation"]
    )
    _forget_what_was_seen(cluster)
    _tell(cluster, ConditionStatus.FALSE, Reason.AS_WANTED, "")
    _note(by, "cluster.quarantine.lift", cluster)
    return clusters.get(by, tenant_name, name)


def _cluster(by: Actor, tenant_name: str, name: str) -> VirtualCluster:
    found = clusters.get(by, tenant_name, name)
    policy.check(by, Permission.CLUSTER_QUARANTINE, found.tenant)
    rows = VirtualCluster.objects.select_for_update(of=("self",)).select_related("tenant", "host")
    return rows.get(pk=found.pk)


def _checked(reason: str) -> str:
    text = " ".join(reason.split())
    if not 1 <= len(text) <= LONGEST:
        detail = f"say why, in 1 to {LONGEST} characters: its owners and the audit log read it"
        raise Invalid(detail, errors=(FieldError("reason", "required" if not text else "too-long", detail),))
    return text


def _forget_what_was_seen(cluster: VirtualCluster) -> None:
    """What was true of it is not any more, or must be seen anew; what was granted is granted still."""
    VirtualCluster.objects.filter(pk=cluster.pk).update(add_ons=[])
    beside = {ConditionType.ADD_ONS_READY, ConditionType.ISOLATION_ATTESTED}
    kinds = {*BUILD_ORDER, *beside} - {ConditionType.APPROVED}
    ClusterCondition.objects.filter(cluster=cluster, type__in=kinds).exclude(
        status=ConditionStatus.UNKNOWN
    ).update(
        status=ConditionStatus.UNKNOWN,
        reason=Reason.NOT_YET_REPORTED,
        message="",
        changed_at=timezone.now(),
    )


def _tell(cluster: VirtualCluster, status: ConditionStatus, reason: Reason, message: str) -> None:
    seen = Condition(ConditionType.QUARANTINED, status, reason, message, cluster.generation)
    observations.note(cluster.uid, seen)


def _note(by: Actor, action: str, cluster: VirtualCluster, **facts: object) -> None:
    tenant = cluster.tenant.name
    target = f"cluster/{tenant}/{cluster.name}"
    audit.note(actor=by.name, action=action, tenant=tenant, target=target, uid=str(cluster.uid), **facts)
    work.request(WorkKind.CLUSTER, cluster.uid)
