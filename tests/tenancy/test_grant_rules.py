"""Pure rules of devices against what is plainly true, day by day and by all cases."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import InvalidTransition, NotAllowed
from tenancy.grant_enums import GrantPhase, RequestParty, RequestState, RequestVerb
from tenancy.rules import grants, ledger, requests
from tenancy.rules.accelerators import Accelerator, on_node, overlap
from tenancy.rules.allocations import Want, assign
from tenancy.rules.ledger import Account, Promise, Room
from tenancy.rules.nodes import NodeFacts
from tenancy.rules.requests import OPEN, PARTIES, TRANSITIONS, Standing, Terms

DAY = date(2030, 1, 1)
SPAN = 14


def day(n):
    return DAY + timedelta(days=n)


@st.composite
def promises(draw):
    start = draw(st.integers(-3, SPAN))
    end = draw(st.none() | st.integers(start + 1, SPAN + 3))
    # Nobody knows when it ends that is over: it has begun, then.
    start = min(start, 0) if end is None else start
    return Promise(
        "t", draw(st.integers(1, 5)), day(start), None if end is None else day(end), draw(st.booleans())
    )


@st.composite
def terms(draw):
    start = draw(st.integers(0, SPAN - 1))
    return Terms(draw(st.integers(1, 12)), day(start), day(draw(st.integers(start + 1, SPAN))))


LISTS = st.lists(promises(), max_size=6).map(tuple)


def on(found, n):
    return sum(p.amount for p in found if p.starts_on <= day(n) and (p.ends_on is None or p.ends_on > day(n)))


@given(LISTS, st.integers(0, SPAN - 1), st.integers(1, SPAN))
def test_the_peak_is_the_largest_sum_of_a_day(found, since, length):
    days = range(since, since + length)
    assert ledger.peak(found, day(since), day(since + length)) == max(on(found, n) for n in days)
    assert ledger.peak(found, day(since), None) == max(on(found, n) for n in range(since, 3 * SPAN))


@given(terms(), LISTS, LISTS, st.integers(0, 12), st.none() | st.integers(0, 12))
def test_a_verdict_keeps_every_day_within_capacity_and_limit_and_refuses_no_fit(
    asked, all_, mine, capacity, limit
):
    room, account = Room("p", "h", capacity, all_), Account(mine, limit)
    verdict = ledger.decide(asked, room, account, DAY)
    days = range((asked.starts_on - DAY).days, (asked.ends_on - DAY).days)

    def fits(amount):
        return all(on(all_, n) + amount <= capacity for n in days) and (
            limit is None or all(on(mine, n) + amount <= limit for n in days)
        )

    if room.deficit(DAY):
        assert (verdict.granted, verdict.fits) == (False, 0)
        return
    largest = max((n for n in range(1, asked.amount + 1) if fits(n)), default=0)
    assert (verdict.granted, verdict.fits) == (largest == asked.amount, largest)
    assert bool(verdict.reason) is not verdict.granted


@given(terms(), LISTS, st.integers(0, 12))
def test_the_nearest_amount_is_granted_and_one_more_is_not(asked, all_, capacity):
    room = Room("p", "h", capacity, all_)
    fits = ledger.decide(asked, room, Account(), DAY).fits
    if fits:
        assert ledger.decide(Terms(fits, asked.starts_on, asked.ends_on), room, Account(), DAY).granted
    if not room.deficit(DAY) and fits < asked.amount:
        more = Terms(fits + 1, asked.starts_on, asked.ends_on)
        assert not ledger.decide(more, room, Account(), DAY).granted


@given(terms(), LISTS, promises(), st.integers(0, 12))
def test_more_promises_never_leave_more(asked, all_, one, capacity):
    less = ledger.decide(asked, Room("p", "h", capacity, (*all_, one)), Account(), DAY)
    more = ledger.decide(asked, Room("p", "h", capacity, all_), Account(), DAY)
    assert less.fits <= more.fits


@given(LISTS, st.integers(0, 12))
def test_late_devices_alone_are_never_a_deficit(found, capacity):
    late = Promise("t", 3, day(-1), None)
    room = Room("p", "h", capacity, found)
    assert Room("p", "h", capacity, (*found, late)).deficit(DAY) == room.deficit(DAY)
    assert room.deficit(DAY) >= max(0, sum(p.amount for p in found if p.out) - capacity)


# --- clusters


@st.composite
def wants(draw):
    """Any wishes, of holdings that the rules could have led to: targets within what was granted."""
    found = []
    for n in range(draw(st.integers(0, 5))):
        target = draw(st.integers(0, 5))
        found.append(Want(n, draw(st.integers(0, 6)), target, target + draw(st.integers(0, 3))))
    return found


def again(shares, before):
    """The same clusters after what was decided."""
    asked = {w.cluster: w for w in before}
    return [
        Want(s.cluster, asked[s.cluster].asked, s.target, max(asked[s.cluster].held, s.target))
        for s in shares
    ]


@given(st.integers(0, 15), wants(), st.booleans())
def test_clusters_get_no_more_than_is_granted_whole_or_not_at_all(entitled, before, frozen):
    shares = {s.cluster: s for s in assign(entitled, before, frozen=frozen)}
    assert sum(s.target for s in shares.values()) <= entitled
    for want in before:
        got = shares[want.cluster]
        assert got.target <= want.asked
        assert got.target + got.lacking == want.asked
        if got.target > min(want.target, want.asked):
            assert got.target == want.asked
            assert not frozen
    held, now = sum(w.held for w in before), sum(max(w.held, shares[w.cluster].target) for w in before)
    assert now <= max(held, entitled)  # what is held still is given to nobody else


@given(st.integers(0, 15), wants())
def test_what_a_cluster_has_is_not_taken_for_another(entitled, before):
    if sum(w.target for w in before) <= entitled:
        for share, want in zip(assign(entitled, before), before, strict=True):
            assert share.target >= min(want.target, want.asked)


@given(st.integers(0, 15), wants(), st.booleans())
def test_assigning_again_changes_nothing(entitled, before, frozen):
    shares = assign(entitled, before, frozen=frozen)
    assert assign(entitled, again(shares, before), frozen=frozen) == shares


@given(st.integers(0, 15), st.lists(st.integers(1, 6), max_size=5))
def test_a_younger_cluster_that_comes_changes_nothing_for_older_ones(entitled, asked):
    older = assign(entitled, [Want(n, a) for n, a in enumerate(asked)])
    with_one = assign(entitled, [*(Want(n, a) for n, a in enumerate(asked)), Want(99, 1)])
    assert with_one[:-1] == older


# --- the workflow


@pytest.mark.parametrize(("state", "verb"), list(product(RequestState, RequestVerb)))
def test_every_verb_in_every_state_leads_on_or_is_refused(state, verb):
    if (state, verb) in TRANSITIONS:
        assert requests.after(state, verb) is TRANSITIONS[(state, verb)]
        assert state in OPEN
    else:
        with pytest.raises(
            InvalidTransition, match="what can be done" if state in OPEN else "make a new request"
        ):
            requests.after(state, verb)


def test_every_state_is_reached_and_every_open_one_left_by_the_tenant_an_approver_and_the_clock():
    reached, last = {RequestState.REQUESTED}, set()
    while reached != last:
        last = set(reached)
        reached |= {after for (state, _), after in TRANSITIONS.items() if state in last}
    assert reached == set(RequestState)
    assert set(PARTIES) == set(RequestVerb)
    for state in OPEN:
        ends = {PARTIES[v] for (s, v), after in TRANSITIONS.items() if s is state and after not in OPEN}
        assert ends == set(RequestParty)


def test_what_is_offered_is_approved_by_the_tenant_alone():
    on_ = {
        v
        for s, v in TRANSITIONS
        if s is RequestState.COUNTERED and TRANSITIONS[(s, v)] is RequestState.APPROVED
    }
    assert on_ == {RequestVerb.ACCEPT}
    assert PARTIES[RequestVerb.ACCEPT] is RequestParty.TENANT


@given(
    st.sampled_from(["a", "b", "c"]),
    st.frozensets(st.sampled_from(["a", "b"])),
    st.sampled_from(["", "a", "b"]),
)
def test_nobody_who_asked_decides_and_nobody_agrees_twice(by, asked, endorsed):
    standing = Standing(RequestState.ENDORSED if endorsed else RequestState.REQUESTED, asked, endorsed)
    if by in asked or by == endorsed:
        with pytest.raises(NotAllowed):
            requests.refuse_own(standing, by, RequestVerb.APPROVE)
    else:
        requests.refuse_own(standing, by, RequestVerb.APPROVE)


# --- lives of grants


@given(st.integers(-5, 40), st.booleans(), st.booleans(), st.booleans())
def test_a_grant_is_in_one_phase_and_over_from_its_last_day_on(n, activated, ended, closed):
    course = grants.Course(day(0), day(20), activated, ended, closed)
    phase = grants.phase(course, day(n))
    assert (phase is GrantPhase.RECLAIMED) is closed
    assert (phase is GrantPhase.RECLAIMING) is (not closed and (ended or n >= 20))
    if phase in {GrantPhase.ACTIVE, GrantPhase.EXPIRING}:
        assert (phase is GrantPhase.EXPIRING) is (20 - n <= 7)


@given(st.lists(st.integers(0, 12), max_size=15))
def test_each_reminder_comes_once_and_never_after_a_more_urgent_one(days):
    told, last = [], None
    for n in sorted(days):
        now = grants.reminder(day(10), day(n), last)
        if now is not None:
            told.append(now)
            last = now
    assert told == sorted(set(told), reverse=True)
    assert set(told) <= {7, 3, 1}


LABELS = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["1", "2"]), max_size=2)


@given(LABELS, LABELS)
def test_two_classes_overlap_just_where_a_node_could_have_both(one, other):
    first, second = Accelerator("x", "r/d", labels=one), Accelerator("y", "r/d", labels=other)
    nodes = [
        NodeFacts(
            "n",
            "u",
            ready=True,
            schedulable=True,
            labels=dict(zip("ab", both, strict=True)),
            resources={"r/d": 1},
        )
        for both in product("12", repeat=2)
    ]
    assert overlap(first, second) is any(on_node(first, n) and on_node(second, n) for n in nodes)
