from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenancy.rules.versions import Version, newest, parse_range, parse_version

versions = st.builds(Version, *[st.integers(0, 4)] * 3)
ALL = [Version(a, b, c) for a in range(4) for b in range(5) for c in range(5)]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("1.2.0", ["1.2.0"], ["1.2.1", "1.1.9"]),
        ("^1.2", ["1.2.0", "1.99.0"], ["1.1.9", "2.0.0"]),
        ("^1.2.3", ["1.2.3", "1.3.0"], ["1.2.2", "2.0.0"]),
        ("^0.2", ["0.2.0", "0.2.9"], ["0.3.0", "1.0.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0", ["0.0.0", "0.9.9"], ["1.0.0"]),
        ("~1.2", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("~1.2.3", ["1.2.3", "1.2.9"], ["1.2.2", "1.3.0"]),
        ("~1", ["1.0.0", "1.9.0"], ["2.0.0"]),
        (">=1.2 <2", ["1.2.0", "1.10.0"], ["1.1.0", "2.0.0"]),
        (">1.2", ["1.3.0", "9.0.0"], ["1.2.0", "1.2.9"]),
        ("<=1.2", ["1.2.9", "0.0.1"], ["1.3.0"]),
        ("=1.2", ["1.2.0", "1.2.7"], ["1.3.0"]),
    ],
)
def test_a_range_holds_what_npm_says(text, inside, outside):
    found = parse_range(text)

    assert [v for v in inside if parse_version(v) not in found] == []
    assert [v for v in outside if parse_version(v) in found] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.2", "write '~1.2'"),
        ("*", "give a version"),
        ("latest", "give a version"),
        ("", "give a version"),
        (None, "give a version"),
        (1.2, "give a version"),
        ("v1.2.0", "give a version"),
        ("1.2.0-rc.1", "give a version"),
        ("01.2.0", "give a version"),
        ("^1.2.3.4", "give a version"),
        (">=2 <1", "contradict"),
        (">= 1.2", "give a version"),
        ("^" + "1" * 7, "give a version"),
        ("^1 " * 50, "give a version"),
        ("\u0661.\u0662.\u0663", "give a version"),
    ],
)
def test_what_is_no_range_is_told_how_to_write_one(text, words):
    with pytest.raises(ValueError, match=words.replace("*", r"\*")):
        parse_range(text)


@settings(max_examples=60)
@given(st.sampled_from(["^", "~", ">=", ">", "<=", "<", "="]), versions, st.integers(1, 3))
def test_a_range_is_what_its_operator_says_of_the_numbers_given(operator, version, places):
    given_ = (version.major, version.minor, version.patch)[:places]
    try:
        found = parse_range(operator + ".".join(map(str, given_)))
    except ValueError:
        assert (operator, set(given_)) == ("<", {0})  # nothing is below the first
        return
    counting = next((n for n, number in enumerate(given_) if number), places - 1)

    for one in ALL:
        numbers = (one.major, one.minor, one.patch)
        same, least = numbers[:places], numbers >= (*given_, 0, 0)[:3]
        expected = {
            "^": least and numbers[: counting + 1] == given_[: counting + 1],
            "~": least and numbers[: min(2, places)] == given_[:2],
            ">=": least,
            ">": same > given_,
            "<=": same <= given_,
            "<": not least,
            "=": same == given_,
        }[operator]
        assert (one in found) is expected, (found, one)


@settings(max_examples=60)
@given(st.lists(versions), st.sampled_from(["^1", "~1.2", ">=0.3 <3", "2.2.2"]))
def test_the_newest_is_compared_as_numbers(published, text):
    wanted = parse_range(text)
    able = sorted((v for v in published if v in wanted), key=lambda v: (v.major, v.minor, v.patch))

    assert newest(wanted, published) == (able[-1] if able else None)


def test_ten_is_more_than_nine():
    published = [parse_version(text) for text in ("1.9.0", "1.10.0", "2.0.0")]
    assert str(newest(parse_range("^1"), published)) == "1.10.0"
