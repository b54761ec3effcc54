from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.enums import ConditionStatus, ConditionType, Phase, Reason
from tenancy.rules.conditions import BUILD_ORDER, Condition, summarise
from tenancy.rules.lifecycle import derive_phase, summary

T, F, U = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
HOST, DNS = ConditionType.HOST_REACHABLE, ConditionType.DNS_AVAILABLE


def seen(kind, status, generation=1, reason=Reason.WAITING):
    return Condition(kind, status, reason, f"about {kind}", generation)


def whole(generation=1):
    return [seen(kind, T, generation) for kind in BUILD_ORDER]


def total(*conditions, generation=1):
    return summarise(conditions, (HOST, DNS), into=ConditionType.AVAILABLE, generation=generation)


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ([seen(HOST, T), seen(DNS, T)], T),
        ([seen(HOST, U), seen(DNS, F)], F),
        ([seen(HOST, T), seen(DNS, U)], U),
        ([seen(HOST, T)], U),
        ([seen(HOST, T, 1), seen(DNS, T, 0)], U),
    ],
)
def test_false_wins_over_unknown_wins_over_true(conditions, status):
    assert total(*conditions).status is status


def test_the_summary_carries_the_first_reason():
    found = total(seen(HOST, F, reason=Reason.HOST_STARTING), seen(DNS, F, reason=Reason.NOT_READY))
    assert (found.reason, found.message) == (Reason.HOST_STARTING, "about HostReachable")


@given(
    st.lists(st.tuples(st.sampled_from(list(ConditionType)), st.sampled_from([T, F, U]), st.integers(0, 3)))
)
def test_true_needs_every_condition_at_this_generation(triples):
    conditions = [seen(kind, status, generation) for kind, status, generation in triples]
    latest = {c.type: c for c in conditions}
    every = all(k in latest and latest[k].true and latest[k].observed_generation >= 2 for k in BUILD_ORDER)
    assert summary(conditions, 2).true == every


def phase(conditions, *, generation=1, observed=1, ever_ready=True, deleting=False):
    return derive_phase(
        conditions,
        generation=generation,
        observed_generation=observed,
        ever_ready=ever_ready,
        deleting=deleting,
    )


def test_phases_follow_from_conditions():
    stalled = seen(ConditionType.STALLED, T)
    assert phase([], observed=0, ever_ready=False) is Phase.PENDING
    assert phase([seen(HOST, T)], observed=0, ever_ready=False) is Phase.PROVISIONING
    assert phase(whole()) is Phase.READY
    assert phase([*whole(), seen(DNS, F)]) is Phase.DEGRADED
    assert phase(whole(), generation=2) is Phase.UPDATING
    assert phase([*whole(), stalled]) is Phase.FAILED
    assert phase([*whole(), stalled], deleting=True) is Phase.DELETING


def test_never_ready_with_an_unseen_generation():
    assert phase(whole(1), generation=2, observed=1) is not Phase.READY
    assert phase(whole(1), generation=2, observed=2) is Phase.DEGRADED
