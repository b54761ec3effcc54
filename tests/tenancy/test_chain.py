"""The chain's rules: any single thing done to it is found, and told for what it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.enums import ChainFault, Role
from tenancy.rules import attestation, chain
from tenancy.rules.chain import START, Event, Head

NOW = datetime(2026, 11, 21, 12, 0, 0, 5, tzinfo=UTC)
FACTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.builds(
    Event,
    at=st.datetimes(min_value=datetime(2020, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - made aware
    actor=st.text(max_size=5),
    action=st.text(max_size=5),
    tenant=st.text(max_size=5),
    target=st.text(max_size=5),
    facts=st.dictionaries(st.text(max_size=5), FACTS, max_size=3),
)


def event(number: int) -> Event:
    return Event(
        NOW + timedelta(seconds=number), "alice", "cluster.create", "team", f"cluster/team/c{number}", {}
    )


def rows(count=5):
    return chain.link(START, [event(n) for n in range(1, count + 1)])


def faults(found, kept=None):
    """What a walk over all of it finds, against the chain's own head."""
    at, wrong = chain.walk(START, found, kept or {})
    return [
        (f.kind, f.sequence) for f in [*wrong, *chain.ending(at, kept or {}, end=max(kept) if kept else None)]
    ]


def head(found):
    return {found[-1].sequence: found[-1].digest}


def test_a_chain_as_it_was_written_holds():
    made = rows()
    assert faults(made, head(made)) == []
    assert [row.sequence for row in made] == [1, 2, 3, 4, 5]
    assert chain.link(made[-1].head, [event(6)])[0].previous == made[-1].digest


def test_the_fingerprint_is_what_the_page_says():
    """docs/audit.md, word for word: anybody can compute it without our code."""
    (row,) = chain.link(START, [Event(NOW, "zoë", "a.b", "", "t", {"b": [1, "ü"], "a": None})])
    text = (
        '{"action":"a.b","actor":"zoë","at":"2026-11-21T12:00:00.000005Z","facts":{"a":null,"b":[1,"ü"]},'
        '"format":"atoll.audit/v1","previous":"' + "0" * 64 + '","sequence":1,"target":"t","tenant":""}'
    )
    assert row.digest == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize(
    "change",
    [
        {"at": NOW - timedelta(microseconds=1)},
        {"actor": "bob"},
        {"action": "cluster.delete"},
        {"tenant": "other"},
        {"target": "cluster/team/x"},
        {"facts": {"role": "owner"}},
    ],
)
def test_an_edited_row_is_named(place, change):
    made = rows()
    kept = head(made)
    made[place] = replace(made[place], event=replace(made[place].event, **change))
    assert faults(made, kept) == [(ChainFault.EDITED, place + 1)]


def test_a_row_edited_with_a_new_fingerprint_is_found_by_the_next():
    made = rows()
    changed = replace(made[2].event, actor="bob")
    made[2] = replace(made[2], event=changed, digest=chain.digest(3, changed, made[2].previous))
    assert faults(made) == [(ChainFault.UNLINKED, 4)]


@pytest.mark.parametrize(("gone", "found"), [(0, 2), (2, 4)])
def test_a_deleted_row_leaves_a_gap(gone, found):
    made = rows()
    del made[gone]
    assert faults(made) == [(ChainFault.MISSING, found)]


def test_a_cut_end_is_seen_against_a_kept_head():
    made = rows()
    assert faults(made[:3], head(made)) == [(ChainFault.CUT, 4)]
    assert faults([], head(made)) == [(ChainFault.CUT, 1)]


def test_a_chain_made_anew_is_seen_against_a_kept_head():
    made = rows()
    anew = chain.link(made[1].head, [replace(r.event, actor="bob") for r in made[2:]])
    assert faults([*made[:2], *anew]) == []
    assert faults([*made[:2], *anew], head(made)) == [(ChainFault.REWRITTEN, 5)]


def test_swapped_and_doubled_rows_are_told():
    made = rows()
    swapped = [made[0], made[2], made[1], *made[3:]]
    assert faults(swapped) == [(ChainFault.MISSING, 3), (ChainFault.OUT_OF_ORDER, 2)]
    assert faults([*made[:3], made[2], *made[3:]]) == [(ChainFault.OUT_OF_ORDER, 3)]


def test_rows_that_changed_places_by_their_numbers_are_edited():
    made = rows()
    made[1], made[2] = (
        replace(made[2], sequence=2, previous=made[1].previous),
        replace(made[1], sequence=3, previous=made[2].previous),
    )
    assert (ChainFault.EDITED, 2) in faults(made)
    assert (ChainFault.EDITED, 3) in faults(made)


def test_a_forged_row_does_not_fit_anywhere():
    made = rows()
    forged = chain.link(made[1].head, [event(99)])
    assert faults([*made[:2], *forged, *made[2:]]) != []
    assert faults([*made[:2], *forged, *made[3:]], head(made)) == [(ChainFault.UNLINKED, 4)]


def test_a_row_behind_the_head_is_found():
    made = rows()
    assert faults(made, head(made[:4])) == [(ChainFault.UNLINKED, 5)]
    at, wrong = chain.walk(START, made, head(made[:4]))
    assert (wrong, chain.ending(at, head(made[:4]))) == ([], []), "a head kept long ago knows of fewer rows"


def test_a_row_before_the_first_is_out_of_order():
    (zero,) = chain.link(Head(-1, "0" * 64), [event(0)])
    assert faults([zero, *rows()]) == [(ChainFault.OUT_OF_ORDER, 0)]


@given(st.lists(EVENTS, min_size=1, max_size=6), st.data())
def test_any_single_mutation_is_found(events, data):
    made = chain.link(START, events)
    kept = head(made)
    assert faults(made, kept) == []
    place = data.draw(st.integers(0, len(made) - 1))
    assert faults(mutated(made, place, data), kept) != []


def mutated(made, place, data):
    kind = data.draw(st.sampled_from(["column", "delete", "double", "swap", "insert", "cut"]))
    row = made[place]
    if kind == "delete":
        return made[:place] + made[place + 1 :]
    if kind == "cut":
        return made[:place]
    if kind == "double":
        other = data.draw(st.integers(0, len(made)))
        return [*made[:other], row, *made[other:]]
    if kind == "insert":
        other = data.draw(st.integers(0, len(made)))
        new = data.draw(EVENTS)
        before = made[other - 1].head if other else START
        return [*made[:other], *chain.link(before, [new]), *made[other:]]
    if kind == "swap" and len(made) > 1:
        other = (place + 1) % len(made)
        found = list(made)
        found[place], found[other] = found[other], found[place]
        return found
    return [*made[:place], edited(row, data), *made[place + 1 :]]


def edited(row, data):
    column = data.draw(
        st.sampled_from(
            ["sequence", "previous", "digest", "at", "actor", "action", "tenant", "target", "facts"]
        )
    )
    if column in {"sequence", "previous", "digest"}:
        old = getattr(row, column)
        new = data.draw(
            st.integers(0, 99) if column == "sequence" else st.text("0123456789abcdef", max_size=64)
        )
        return replace(
            row, **{column: new if new != old else f"x{old}"[:64] if isinstance(old, str) else 100}
        )
    new = getattr(data.draw(EVENTS), column)
    old = getattr(row.event, column)
    if new == old:
        new = {"at": NOW, "facts": {"": [old]}}.get(column, f"{old}!")
    return replace(row, event=replace(row.event, **{column: new}))


@given(FACTS)
def test_facts_come_back_from_json_as_they_went(value):
    once = chain.plain(value)
    assert json.loads(attestation.canonical(once)) == once
    assert chain.plain(once) == once


def test_facts_are_made_plain():
    given_ = {
        "role": Role.OWNER,
        "cpu": 0.5,
        "at": NOW,
        "names": ("a",),
        "set": {"b", "a"},
        "bad\0": "x\ud800",
        1: None,
    }
    assert chain.plain(given_) == {
        "role": "owner",
        "cpu": "0.5",
        "at": "2026-11-21 12:00:00.000005+00:00",
        "names": ["a"],
        "set": ["a", "b"],
        "bad�": "x?",
        "1": None,
    }
    assert type(chain.plain(Role.OWNER)) is str
    with pytest.raises(TypeError, match="bytes cannot be kept"):
        chain.plain({"x": b"raw"})


def test_a_time_is_told_in_utc_to_the_microsecond():
    there = timezone(timedelta(hours=2))
    assert chain.stamp(datetime(2026, 1, 1, 2, 0, tzinfo=there)) == "2026-01-01T00:00:00.000000Z"


def test_a_signed_head_is_read_with_our_keys_only():
    key, other = attestation.new_key(), attestation.new_key()
    envelope = chain.sign([key], Head(7, "ab" * 32), NOW)
    assert chain.read_head([other, key], envelope) == Head(7, "ab" * 32)
    assert chain.read_head([other], envelope) is None
    assert chain.read_head([key], envelope[:-3] + "AAA") is None
    assert chain.read_head([key], "nonsense") is None


def test_another_signed_statement_is_no_head():
    key = attestation.new_key()
    report = attestation.sign([key], '{"format":"atoll.audit-head/v1","sequence":1,"digest":""}').envelope
    assert chain.read_head([key], report) is None
    other = attestation.sign(
        [key], '{"format":"other","sequence":1,"digest":""}', kind=chain.HEAD_TYPE
    ).envelope
    assert chain.read_head([key], other) is None
