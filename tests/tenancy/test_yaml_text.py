from __future__ import annotations

import pytest

from tenancy.rules.yaml_text import DEEPEST, document, documents


def test_dates_are_text_and_json_is_yaml():
    assert documents('a: 2020-01-01\nb: yes\n---\n---\n{"x": [1, null]}') == [
        {"a": "2020-01-01", "b": True},
        {"x": [1, None]},
    ]
    assert document("[" * DEEPEST + "]" * DEEPEST) is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b: c", "line 1: mapping values"),
        ("a: 1\nb: 2\na: 3", "line 3: key 'a' is given twice"),
        ("a: &x [1]\nb: *x", "line 2: aliases"),
        ("a: !!python/object:os.system x", "line 1: tags"),
        ("a: !!binary aGVsbG8=", "line 1: tags"),
        ("a: .nan", "JSON cannot say"),
        ("[" * 300_000, "line 1: more than 40 levels"),
        ("a: " + "9" * 5_000, "4300 digits"),
        ("a: \x00", "unacceptable character"),
        ("a: \ud800", "surrogates"),
        ("{{ x }}: 1", "unhashable"),
        ("", "nothing in it"),
        ("--- {}\n--- {}", "these are 2"),
    ],
)
def test_what_cannot_be_read_is_told(text, told):
    with pytest.raises(ValueError, match=told):
        document(text)
