from __future__ import annotations

import pytest

from tenancy.errors import PreconditionFailed
from tenancy.rules.preconditions import ANYTHING, Expectation, meet
from tenancy.rules.wishes import differences, echo

READ = {"trust": "trusted", "name": "Blue", "suspended": False}


@pytest.mark.parametrize(
    ("text", "now", "told"),
    [
        ("", READ, READ),
        ('{"name": " Blue ", "trust": "trusted"}', READ, {"name": " Blue ", "trust": "trusted"}),
        ('{"name": "Blue"}', {**READ, "suspended": True}, {"name": "Blue", "suspended": True}),
        ('{"name": "Blue"}', {**READ, "name": "Red"}, {"name": "Red"}),
        ('{"name": "Blue"}', {**READ, "of a later release": 1}, {"name": "Blue"}),
    ],
)
def test_what_was_written_is_told_but_for_what_changed_since(text, now, told):
    found = echo(text, READ, now)

    assert (found, list(found)) == (told, list(told))


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({}, {}, ()),
        (None, {"a": 1}, (("spec.a", None, 1),)),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, (("spec.a.c", 2, 3),)),
        ({"a": {"b": 1}}, {}, (("spec.a.b", 1, None),)),
        ({"a": [1]}, {"a": [1, 2]}, (("spec.a", [1], [1, 2]),)),
    ],
)
def test_differences_are_told_by_path(old, new, found):
    assert differences(old, new) == found


@pytest.mark.parametrize(
    ("expected", "tag", "holds"),
    [
        (ANYTHING, None, True),
        (ANYTHING, '"x-1"', True),
        (Expectation(absent=True), None, True),
        (Expectation(absent=True), '"x-1"', False),
        (Expectation(etags=frozenset({'"x-1"'})), '"x-1"', True),
        (Expectation(etags=frozenset({'"x-1"'})), '"x-2"', False),
        (Expectation(etags=frozenset({"*"})), '"x-2"', True),
        (Expectation(etags=frozenset({"*"})), None, False),
    ],
)
def test_what_a_writer_believes_holds_or_is_refused(expected, tag, holds):
    if holds:
        meet(expected, tag)
    else:
        with pytest.raises(PreconditionFailed):
            meet(expected, tag)
