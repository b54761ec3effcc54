"""Several grants behind what a cluster holds: each that ends takes back its own devices, by its own deadline. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.allocations import Ending, Step, Want, assign, came_back, is_back, steps

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
TUESDAY, FRIDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=4)


def test_each_deadline_takes_its_own_grant_back():
    endings = [Ending("b", 2, FRIDAY), Ending("a", 2, MONDAY)]
    found = steps(0, endings, [Want("c", 4, 4, 4)], {"c": 0})
    assert found == {"c": (Step(MONDAY, 2), Step(FRIDAY, 0))}


def test_what_its_tenant_wants_less_of_has_a_deadline_only_where_no_grant_covers_it():
    wants = [Want("c", asked=1, target=1, held=4)]
    assert steps(4, [], wants, {"c": 1}) == {"c": ()}
    assert steps(2, [Ending("a", 2, MONDAY)], wants, {"c": 1}) == {"c": (Step(MONDAY, 2),)}


def test_the_youngest_goes_down_first():
    wants = [Want("old", 2, 2, 2), Want("young", 2, 2, 2)]
    endings = [Ending("a", 1, MONDAY), Ending("b", 2, FRIDAY)]
    found = steps(1, endings, wants, {"old": 1, "young": 0})
    assert found == {"old": (Step(FRIDAY, 1),), "young": (Step(MONDAY, 1), Step(FRIDAY, 0))}


@given(
    entitled=st.integers(0, 6),
    endings=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), max_size=4),
    asked=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=4),
)
def test_by_each_deadline_no_more_is_held_than_is_covered(entitled, endings, asked):
    over = [Ending(str(n), amount, MONDAY + timedelta(days=d)) for n, (amount, d) in enumerate(endings)]
    counted, wants = entitled + sum(one.amount for one in over), []
    for n, (wish, held) in enumerate(asked):  # clusters never hold more than what counts
        held = min(held, counted)  # noqa: PLW2901
        counted -= held
        wants.append(Want(n, wish, held, held))
    targets = {share.cluster: share.target for share in assign(entitled, wants)}
    held = {w.cluster: max(w.held, targets[w.cluster]) for w in wants}
    found, before = steps(entitled, over, wants, targets), sum(held.values())
    for day in (MONDAY + timedelta(days=n) for n in range(4)):
        for cluster, ways in found.items():
            held[cluster] = min([held[cluster], *(one.devices for one in ways if one.deadline <= day)])
            assert held[cluster] >= targets[cluster]
        late = sum(one.amount for one in over if one.deadline > day)
        assert sum(held.values()) <= max(entitled + late, sum(targets.values()))
    after = sum(held.values())
    back = came_back(entitled, over, before, after)
    assert sum(back.values()) == before - max(after, min(before, entitled))
    assert all(is_back(one.grant, entitled, over, after) for one in over)
