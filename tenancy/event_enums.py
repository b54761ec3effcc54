"""The vocabulary of events and of their delivery; as closed as ``tenancy.enums``."""

from __future__ import annotations

from enum import StrEnum


class EventType(StrEnum):
    """What happened: part of the API, so words are added and never change their meaning."""

    TENANT_CREATED = "tenant.created"
    """An admin made the tenant."""
    TENANT_UPDATED = "tenant.updated"
    """Its name for people, its trust or its suspension changed."""
    TENANT_DELETED = "tenant.deleted"
    """An admin removed the tenant."""
    MEMBER_CHANGED = "member.changed"
    """Somebody joined, or has another role."""
    MEMBER_REMOVED = "member.removed"
    """Somebody is no member any more."""
    TOKEN_CREATED = "token.created"  # noqa: S105 - the name of an event
    """A token that is bound to the tenant was made."""
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - the name of an event
    """Such a token was ended."""
    KUBECONFIG_ISSUED = "kubeconfig.issued"
    """Somebody was handed a kubeconfig."""
    CLUSTER_CREATED = "cluster.created"
    """Somebody asked for a new cluster."""
    CLUSTER_UPDATED = "cluster.updated"
    """Its spec changed: a new generation."""
    CLUSTER_PAUSED = "cluster.paused"
    """Somebody put it to sleep; its phase tells when nothing of it runs any more."""
    CLUSTER_RESUMED = "cluster.resumed"
    """Somebody woke it; its phase tells when it is Ready again."""
    CLUSTER_PHASE_CHANGED = "cluster.phase-changed"
    """Its phase is another one; `Ready` means at the generation told."""
    CLUSTER_QUARANTINED = "cluster.quarantined"
    """An admin took it out of use."""
    CLUSTER_QUARANTINE_LIFTED = "cluster.quarantine-lifted"
    """An admin gave it back."""
    CLUSTER_DELETED = "cluster.deleted"
    """Nothing of it is left; its name is free."""
    OPERATION_FINISHED = "operation.finished"
    """It succeeded, failed, or a later change took its place."""
    REQUEST_SUBMITTED = "request.submitted"
    """Somebody asked for accelerators, or for more days of a grant."""
    REQUEST_CHANGED = "request.changed"
    """It was amended, countered, or one of two approvers agreed."""
    REQUEST_DECIDED = "request.decided"
    """It came to its end: `state` tells which."""
    GRANT_BEGUN = "grant.begun"
    """Its devices are the tenant's."""
    GRANT_ENDING = "grant.ending"
    """It ends within days."""
    GRANT_ENDED = "grant.ended"
    """It is over: its devices are on their way back."""
    GRANT_CLOSED = "grant.closed"
    """Its devices were seen back; the receipt is with the grant."""
    FINDING_OPENED = "finding.opened"
    """Something on a host is not as Atoll left it."""
    FINDING_CLOSED = "finding.closed"
    """It was put right."""
    REPORT_FAILED = "report.failed"
    """An isolation report did not hold."""
    WEBHOOK_DISABLED = "webhook.disabled"
    """Atoll sends nothing to it any more: its receiver failed for days, or said 410."""
    PING = "ping"
    """A test that somebody sent to one webhook; in no stream."""


class WebhookPhase(StrEnum):
    """How a webhook's receiver does, in one word for people."""

    ACTIVE = "Active"
    FAILING = "Failing"
    """It takes nothing at the moment, and is tried again."""
    DISABLED = "Disabled"
    """It failed too long: a test that it takes, or another address, brings it back."""
    OFF = "Off"
    """As its owners wish."""


class DeliveryState(StrEnum):
    """How far the delivery of an event to one webhook is."""

    PENDING = "pending"
    """It is tried, or tried again later."""
    DELIVERED = "delivered"
    """The receiver took it."""
    FAILED = "failed"
    """It is given up; it can be asked for again."""
