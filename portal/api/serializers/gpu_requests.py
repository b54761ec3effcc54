"""Requests for accelerators on the wire, and what an approver sees before deciding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.api.serializers.accelerators import NodeRoom
from portal.api.serializers.base import (
    DEVICES_MAX,
    CamelSerializer,
    Count,
    Day,
    ListQuery,
    Place,
    QuerySerializer,
    StrictSerializer,
    Text,
    choices,
)
from portal.api.serializers.usage import Efficiency
from tenancy.enums import Sandbox
from tenancy.grant_enums import RequestKind, RequestParty, RequestState, RequestVerb
from tenancy.queries import grants
from tenancy.rules import requests as rules

if TYPE_CHECKING:
    from tenancy.models import Grant, GrantRequest
    from tenancy.queries.grants import Choice

URI: Final = {"type": ["string", "null"], "format": "uri-reference"}
REASON: Final = "Kept, and read by the other party."


def amount(**options: Any) -> Count:  # noqa: ANN401 - DRF's options
    """How many devices."""
    return Count(min_value=1, max_value=DEVICES_MAX, **options)


def reason(help_text: str = REASON) -> Text:
    """Why; it must say something."""
    return Text(max_length=rules.TEXT_MAX, help_text=help_text)


class RequestMetadata(StrictSerializer):
    """Which request it is."""

    uid = serializers.UUIDField(read_only=True)
    tenant = serializers.CharField(source="tenant.name", read_only=True)
    requested_by = serializers.CharField(read_only=True)
    requested_at = serializers.DateTimeField(read_only=True)


class RequestSpec(StrictSerializer):
    """What is asked for; after a counter-offer or an amendment, the terms as they stand."""

    class_ = Text(source="accelerator.key", max_length=40)
    amount = amount()
    from_ = Day(source="starts_on", required=False, help_text="UTC; today where left out.")
    until = Day(
        source="ends_on",
        required=False,
        help_text="UTC, the first day without them; after the class's `defaultDays` where left out.",
    )
    justification = reason("What for: approvers read it.")
    pool = Place(required=False, allow_null=True, help_text="Where; the approver chooses where left out.")
    kind = serializers.ChoiceField(choices(RequestKind), read_only=True)
    extends = serializers.SerializerMethodField(help_text="Address of the grant that it asks more days of.")

    @extend_schema_field(URI)
    def get_extends(self, row: GrantRequest) -> str | None:
        """None for a new grant."""
        return grant_address(row.extends_id) if row.extends_id else None


class NextStep(CamelSerializer):
    """A verb that moves the request on, and whose it is."""

    verb = serializers.ChoiceField(choices(RequestVerb))
    by = serializers.ChoiceField(choices(RequestParty))


_VERBS: Final = (
    RequestVerb.APPROVE,
    RequestVerb.COUNTER,
    RequestVerb.DENY,
    RequestVerb.ACCEPT,
    RequestVerb.DECLINE,
    RequestVerb.WITHDRAW,
)
"""Those with an address of their own."""


class RequestStatus(CamelSerializer):
    """How far it is."""

    state = serializers.ChoiceField(choices(RequestState))
    changed_at = serializers.DateTimeField()
    for_clusters = serializers.BooleanField(help_text="Made by clusters that lack devices; it follows them.")
    endorsed_by = serializers.CharField(help_text="Who agreed to the terms as they stand; empty for nobody.")
    decided_by = serializers.CharField(help_text="`policy` where no person had to.")
    decision = serializers.CharField(help_text="The reason that the last decision gave.")
    grant = serializers.SerializerMethodField(help_text="Address of what came of it; null for nothing.")
    next = serializers.SerializerMethodField(help_text="What can be done with it; empty at an end.")
    lapses_on = serializers.SerializerMethodField(
        method_name="get_lapses_on", help_text="The day on which it ends by itself; null at an end."
    )

    @extend_schema_field(URI)
    def get_grant(self, row: GrantRequest) -> str | None:
        """None unless it was approved."""
        return grant_address(row.grant_id) if row.grant_id else None

    @extend_schema_field(NextStep(many=True))
    def get_next(self, row: GrantRequest) -> list[dict[str, Any]]:
        """From the table of the workflow."""
        state = RequestState(row.state)
        able = [verb for verb in _VERBS if (state, verb) in rules.TRANSITIONS]
        return [{"verb": verb.value, "by": rules.PARTIES[verb].value} for verb in able]

    @extend_schema_field({"type": ["string", "null"], "format": "date"})
    def get_lapses_on(self, row: GrantRequest) -> str | None:
        """None when it is decided."""
        if row.state not in rules.OPEN:
            return None
        return rules.lapses_on(row.requested_at.date(), grants.asked(row)).isoformat()


class GpuRequest(StrictSerializer):
    """A tenant's wish for accelerators, and what became of it."""

    metadata = RequestMetadata(source="*", required=False)
    spec = RequestSpec(source="*")
    status = RequestStatus(source="*", read_only=True)


class TenantRequestFilters(ListQuery):
    """Which requests of a tenant."""

    state = serializers.ChoiceField(choices(RequestState), required=False)
    class_ = serializers.CharField(required=False, max_length=63)


class RequestFilters(TenantRequestFilters):
    """Which requests."""

    tenant = serializers.CharField(required=False, max_length=63)


class Consent(StrictSerializer):
    """An approver's yes."""

    reason = reason()
    pool = Place(required=False, allow_null=True, help_text="Where; the fullest that it fits where left out.")


class CounterOffer(StrictSerializer):
    """Something else than was asked for; what is left out stays."""

    amount = amount(required=False)
    from_ = Day(source="starts_on", required=False)
    until = Day(source="ends_on", required=False)
    reason = reason()


class Refusal(StrictSerializer):
    """An approver's no."""

    reason = reason()


class WhatIfQuery(QuerySerializer):
    """Which terms; those of the request where left out."""

    amount = serializers.IntegerField(min_value=1, max_value=DEVICES_MAX, required=False)
    from_ = Day(required=False)
    until = Day(required=False)
    pool = serializers.RegexField(
        r"^[^/]{1,63}/[^/]{1,63}$",
        required=False,
        help_text="`host/name`; all that have the class if left out.",
    )


class Terms(CamelSerializer):
    """How much, and for which days."""

    amount = serializers.IntegerField()
    from_ = serializers.DateField(source="starts_on")
    until = serializers.DateField(source="ends_on")


class Verdict(CamelSerializer):
    """Whether it can be granted."""

    granted = serializers.BooleanField()
    fits = serializers.IntegerField(help_text="The nearest amount, up to the asked one, that can be.")
    reason = serializers.CharField(allow_blank=True, help_text="Empty when it can be granted.")


class PoolChoice(CamelSerializer):
    """A pool, and what would come of granting it there."""

    host = serializers.CharField(source="room.host")
    name = serializers.CharField(source="room.pool")
    verdict = Verdict()
    capacity = serializers.IntegerField(source="room.capacity")
    free_now = serializers.SerializerMethodField(
        method_name="get_free_now", help_text="Not promised to anybody today."
    )
    free_at_start = serializers.SerializerMethodField(
        method_name="get_free_at_start", help_text="Not promised on the first day."
    )
    free_throughout = serializers.SerializerMethodField(
        method_name="get_free_throughout", help_text="Not promised on any of the days: decides."
    )
    deficit = serializers.SerializerMethodField(help_text="Promised, and no longer there.")
    largest_node = serializers.IntegerField(
        source="room.largest_node", help_text="The most free devices on one node: a pod cannot have more."
    )
    nodes = NodeRoom(many=True, source="room.nodes")
    sandboxes = serializers.ListField(
        child=serializers.ChoiceField(choices(Sandbox)),
        help_text="In which a pod can use the devices there.",
    )
    note = serializers.CharField(allow_blank=True, help_text="What the numbers alone do not say.")

    @extend_schema_field(int)
    def get_free_now(self, found: Choice) -> int:
        """Today."""
        return found.free_on(self.context["today"])

    @extend_schema_field(int)
    def get_free_at_start(self, found: Choice) -> int:
        """On the day on which it would begin."""
        return found.free_on(self.context["terms"].starts_on)

    @extend_schema_field(int)
    def get_free_throughout(self, found: Choice) -> int:
        """By the function that admits."""
        terms = self.context["terms"]
        return found.room.free(terms.starts_on, terms.ends_on)

    @extend_schema_field(int)
    def get_deficit(self, found: Choice) -> int:
        """From today on."""
        return found.room.deficit(self.context["today"])


class TenantAccount(CamelSerializer):
    """What the tenant has of the class."""

    limit = serializers.IntegerField(source="account.limit", allow_null=True, help_text="null for none.")
    granted = serializers.IntegerField(source="holding.granted", help_text="In force today.")
    held = serializers.IntegerField(source="holding.held", help_text="By its clusters.")
    used = serializers.IntegerField(source="holding.used", help_text="By pods, at the last look.")
    asleep = serializers.IntegerField(
        source="holding.asleep", help_text="Of what is held, by clusters that sleep."
    )
    efficiency = Efficiency(source="lately")


class StandingGrant(CamelSerializer):
    """A grant of the class, of any tenant."""

    grant = serializers.SerializerMethodField()
    tenant = serializers.CharField(source="tenant.name")
    pool = Place()
    amount = serializers.IntegerField()
    from_ = serializers.DateField(source="starts_on")
    until = serializers.DateField(source="ends_on")

    @extend_schema_field({"type": "string", "format": "uri-reference"})
    def get_grant(self, row: Grant) -> str:
        """Where it is read."""
        return grant_address(row.uid)


class WhatIf(CamelSerializer):
    """What would come of approving these terms now; by the function that admits."""

    terms = Terms()
    verdict = Verdict()
    pool = Place(
        source="best.pool",
        allow_null=True,
        help_text="Where it would be granted, or nearly; null where no pool has it.",
    )
    needs_two = serializers.BooleanField(help_text="Two admins have to agree.")
    pools = PoolChoice(source="choices", many=True)
    account = TenantAccount(source="*")
    ending = StandingGrant(many=True, help_text="The grants in these pools that end first.")
    displaced = StandingGrant(
        source="in_the_way",
        many=True,
        help_text="The grants that would have to end for it to fit; empty when it does.",
    )


def request_address(row: GrantRequest) -> str:
    """Where a request is read."""
    return f"/api/v1/gpu-requests/{row.uid}"


def grant_address(uid: object) -> str:
    """Where a grant is read."""
    return f"/api/v1/gpu-grants/{uid}"


def place(written: dict[str, Any] | None) -> tuple[str, str] | None:
    """Host and name of a pool, as actions take it."""
    return (written["host"]["name"], written["name"]) if written else None
