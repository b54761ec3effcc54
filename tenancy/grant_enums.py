"""The vocabulary of accelerators that are asked for, granted and taken back; as closed as ``tenancy.enums``."""

from __future__ import annotations

from enum import StrEnum


class AcceleratorKind(StrEnum):
    """How a host gives a pod an accelerator."""

    EXTENDED_RESOURCE = "extended-resource"
    """By a device plugin: ``nvidia.com/gpu``, a MIG profile, ``nvidia.com/pgpu``, another vendor's."""
    DEVICE_CLASS = "device-class"
    """By a claim for a DeviceClass (dynamic resource allocation)."""


class RequestState(StrEnum):
    """How far a request for accelerators is; the last five are ends."""

    REQUESTED = "requested"
    ENDORSED = "endorsed"
    """One of two approvers agreed."""
    COUNTERED = "countered"
    """An admin offers something else; the tenant accepts or declines."""
    APPROVED = "approved"
    DENIED = "denied"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


class RequestVerb(StrEnum):
    """What moves a request from state to state."""

    AMEND = "amend"
    ENDORSE = "endorse"
    APPROVE = "approve"
    AUTO_APPROVE = "auto-approve"
    COUNTER = "counter"
    ACCEPT = "accept"
    CONCUR = "concur"
    """Accepts where a second approver has to agree, too."""
    DECLINE = "decline"
    DENY = "deny"
    WITHDRAW = "withdraw"
    LAPSE = "lapse"


class RequestParty(StrEnum):
    """Who may use a verb."""

    TENANT = "tenant"
    """Those of the tenant who may ask."""
    APPROVER = "approver"
    """An admin who had no part in the asking, nor has agreed already."""
    CLOCK = "clock"
    """Atoll itself, by date or policy."""


class Approval(StrEnum):
    """Who would have to agree to what a cluster asks for."""

    NONE = "none"
    """It is within what is granted."""
    POLICY = "policy"
    """The class's policy lets it pass at once."""
    ADMIN = "admin"
    TWO_ADMINS = "two-admins"


class RequestKind(StrEnum):
    """What a request is for."""

    GRANT = "grant"
    EXTENSION = "extension"


class GrantPhase(StrEnum):
    """Where a grant is in its life; derived, see ``rules.grants``."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRING = "expiring"
    RECLAIMING = "reclaiming"
    RECLAIMED = "reclaimed"


class Rung(StrEnum):
    """The steps of the ladder by which devices come back, in their order."""

    FREEZE = "freeze"
    """No new pod gets a device."""
    SHRINK = "shrink"
    """The host's quota is what is left."""
    ASK = "ask"
    """Pods that hold devices are told until when they may finish."""
    EVICT = "evict"
    """Those that are left are ended."""
    CONFIRM = "confirm"
    """The host was seen to hold no more than what is left."""


class ReclaimCause(StrEnum):
    """Why devices are taken back."""

    EXPIRED = "expired"
    RETURNED = "returned"
