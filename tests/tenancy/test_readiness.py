"""How far an object is, of each kind and state; unsaved, for only its own columns count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tenancy.enums import ConditionStatus, OperationState, Outlook, Phase, ReportState
from tenancy.event_enums import DeliveryState
from tenancy.grant_enums import RequestState
from tenancy.models import (
    ApiToken,
    Delivery,
    Grant,
    GrantRequest,
    HostCluster,
    IsolationReport,
    Node,
    Operation,
    Tenant,
    User,
    Webhook,
)
from tenancy.queries import readiness

NOW = datetime.now(UTC)
TODAY = NOW.date()
READY, NOT_YET, IN_VAIN = Outlook.READY, Outlook.NOT_YET, Outlook.IN_VAIN


def host(generation=1, observed=1, reachable=ConditionStatus.TRUE):
    return HostCluster(
        name="lab", generation=generation, observed_generation=observed, reachable=reachable, message="cut"
    )


def grant(since, until, **more):
    days = {"starts_on": TODAY + timedelta(days=since), "ends_on": TODAY + timedelta(days=until)}
    return Grant(**days, **more)


def node(*running, present=True):
    made = Node(name="blue", present=present)
    made.running = list(running)
    return made


@pytest.mark.parametrize(
    ("row", "outlook", "words"),
    [
        (Tenant(name="team", suspended=True), READY, ""),  # as its spec has it
        (host(), READY, ""),
        (host(generation=2), NOT_YET, "not looked at by its last registration"),
        (host(reachable=ConditionStatus.FALSE), NOT_YET, "cut"),
        (host(reachable=ConditionStatus.UNKNOWN), NOT_YET, "not reachable"),
        (node(), READY, ""),
        (node("move"), NOT_YET, "on its way"),
        (node(present=False), NOT_YET, "does not have node blue"),
        (GrantRequest(state=RequestState.APPROVED), READY, ""),
        (GrantRequest(state=RequestState.REQUESTED), NOT_YET, "an admin decides"),
        (GrantRequest(state=RequestState.ENDORSED), NOT_YET, "an admin decides"),
        (GrantRequest(state=RequestState.COUNTERED), NOT_YET, "the tenant takes it or not"),
        (GrantRequest(state=RequestState.DENIED, decision="too many"), IN_VAIN, "too many"),
        (GrantRequest(state=RequestState.DECLINED), IN_VAIN, "make a new one"),
        (GrantRequest(state=RequestState.WITHDRAWN), IN_VAIN, "make a new one"),
        (GrantRequest(state=RequestState.LAPSED), IN_VAIN, "make a new one"),
        (grant(3, 9), NOT_YET, "begins on"),
        (grant(-1, 9), NOT_YET, "free of the one before"),
        (grant(-1, 90, activated_at=NOW), READY, ""),
        (grant(-1, 2, activated_at=NOW), READY, ""),
        (grant(-1, 9, activated_at=NOW, ended_at=NOW), IN_VAIN, "ask for another"),
        (grant(-9, -1, activated_at=NOW, ended_at=NOW, closed_at=NOW), IN_VAIN, "ask for another"),
        (Webhook(), READY, ""),
        (Webhook(enabled=False), READY, ""),  # as its spec has it
        (Webhook(failing_since=NOW), NOT_YET, "tried again"),
        (Webhook(failing_since=NOW, disabled_at=NOW, disabled_reason="a day"), IN_VAIN, "a day"),
        (Delivery(state=DeliveryState.DELIVERED), READY, ""),
        (Delivery(state=DeliveryState.PENDING, tries=3), NOT_YET, "tried 3 times"),
        (Delivery(state=DeliveryState.FAILED), IN_VAIN, "sent again"),
        (ApiToken(), READY, ""),
        (ApiToken(expires_at=NOW + timedelta(hours=1)), READY, ""),
        (ApiToken(expires_at=NOW - timedelta(seconds=1)), IN_VAIN, "make another"),
        (User(username="eve"), READY, ""),
        (User(username="eve", is_active=False), IN_VAIN, "suspended"),
        (Operation(state=OperationState.SUCCEEDED), READY, ""),
        (Operation(state=OperationState.RUNNING), NOT_YET, "at work"),
        (Operation(state=OperationState.FAILED, error_message="bad"), IN_VAIN, "bad"),
        (Operation(state=OperationState.SUPERSEDED), IN_VAIN, "superseded"),
        (IsolationReport(state=ReportState.READY, verdict=False), READY, ""),
        (IsolationReport(state=ReportState.PENDING), NOT_YET, "being made"),
        (IsolationReport(state=ReportState.FAILED, error="no probe"), IN_VAIN, "no probe"),
    ],
)
def test_each_state_has_its_outlook(row, outlook, words):
    seen = readiness.of(row)

    assert (seen.outlook, words in seen.why, bool(seen.why)) == (outlook, True, outlook is not READY)


def test_every_phase_of_a_cluster_but_the_ends_may_still_become_ready():
    ends = readiness._NEVER_READY

    assert set(Phase) - ends - {Phase.READY} == {
        Phase.PENDING,
        Phase.AWAITING_APPROVAL,
        Phase.PROVISIONING,
        Phase.UPDATING,
        Phase.DEGRADED,
        Phase.QUARANTINED,
    }
