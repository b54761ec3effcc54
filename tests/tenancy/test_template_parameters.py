from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenancy.rules import patterns
from tenancy.rules import template_parameters as parameters
from tests.tenancy.test_template_rules import GPUS, SAFE, SIZE, ZONE, schema


@pytest.mark.parametrize(
    ("given_", "path", "code"),
    [
        ({"size": "3"}, "size", "not-allowed"),
        ({"size": 4}, "size", "not-allowed"),
        ({"size": None}, "size", "not-allowed"),
        ({"size": ["4"]}, "size", "not-allowed"),
        ({"gpus": 0}, "gpus", "not-allowed"),
        ({"gpus": 9}, "gpus", "not-allowed"),
        ({"gpus": 1.0}, "gpus", "not-allowed"),
        ({"gpus": True}, "gpus", "not-allowed"),
        ({"gpus": "1"}, "gpus", "not-allowed"),
        ({"safe": 1}, "safe", "not-allowed"),
        ({"safe": "true"}, "safe", "not-allowed"),
        ({"zone": "a\n"}, "zone", "not-allowed"),
        ({"zone": "a" * 10}, "zone", "not-allowed"),
        ({"zone": ""}, "zone", "not-allowed"),
        ({"zone": "a{b}"}, "zone", "not-allowed"),
        ({"Size": "4"}, "Size", "unknown-field"),
        ({"$param": "size"}, "$param", "unknown-field"),
    ],
)
def test_a_value_that_the_schema_does_not_take(given_, path, code):
    one = schema(size=SIZE, gpus=GPUS, safe=SAFE, zone=ZONE)
    values = {"zone": "a", **given_}

    assert [(e.path, e.code) for e in parameters.value_faults(one, values, "p")] == [(f"p.{path}", code)]


def test_what_is_required_is_asked_for():
    found = list(parameters.value_faults(schema(zone=ZONE), {}, "p"))
    assert [(e.path, e.code) for e in found] == [("p.zone", "required")]
    assert "at most 9 characters" in found[0].detail


@pytest.mark.parametrize(
    ("one", "where"),
    [
        ({"type": "string"}, "maxLength"),
        ({"type": "string", "maxLength": 10}, "pattern"),
        ({"type": "string", "maxLength": 1000, "pattern": "^a$"}, "maxLength"),
        ({"type": "string", "maxLength": 10, "pattern": "^(a+)+$"}, "pattern"),
        ({"type": "string", "maxLength": 10, "pattern": "^(a|a)*$"}, "pattern"),
        ({"type": "string", "maxLength": 10, "pattern": "[a-z]+"}, "pattern"),
        ({"type": "string", "maxLength": 10, "pattern": "^[z-a]$"}, "pattern"),
        ({"type": "string", "maxLength": 10, "pattern": "^(?=a)a$"}, "pattern"),
        ({"type": "string", "maxLength": 200, "pattern": "^a*a*a*a*$"}, "pattern"),
        ({"type": "string", "maxLength": 10, "minLength": 11, "pattern": "^a*$"}, "minLength"),
        ({"type": "string", "enum": []}, "enum"),
        ({"type": "string", "enum": ["a", 1]}, "enum"),
        ({"type": "string", "enum": ["a\n"]}, "enum"),
        ({"type": "string", "enum": ["a"] * 51}, "enum"),
        ({"type": "string", "enum": ["a"], "pattern": "^a$"}, "pattern"),
        ({"type": "integer"}, "minimum"),
        ({"type": "integer", "minimum": 1}, "maximum"),
        ({"type": "integer", "minimum": 2, "maximum": 1}, "maximum"),
        ({"type": "integer", "minimum": True, "maximum": 2}, "minimum"),
        ({"type": "integer", "minimum": 1, "maximum": 2, "multipleOf": 0}, "multipleOf"),
        ({"type": "integer", "enum": [True]}, "enum"),
        ({"type": "number", "minimum": 1, "maximum": 2}, "type"),
        ({"type": ["string", "null"]}, "type"),
        ({"type": "object"}, "type"),
        ({"enum": ["a"]}, "type"),
        ({"$ref": "https://example.com/schema"}, "type"),
        ({"type": "string", "enum": ["a"], "$ref": "#/properties/x"}, "$ref"),
        ({"type": "string", "enum": ["a"], "format": "uri"}, "format"),
        ({"type": "string", "enum": ["a"], "default": "b"}, "default"),
        ({"type": "string", "enum": ["a"], "title": 1}, "title"),
        ("string", "type"),
        (None, "type"),
    ],
)
def test_a_parameter_that_is_not_taken(one, where):
    found = list(parameters.schema_faults({"properties": {"x": one}, "required": ["x"]}, "p"))
    assert [e.path for e in found] == [f"p.properties.x.{where}"]


@pytest.mark.parametrize(
    ("one", "where"),
    [
        ([], "p"),
        ({"type": "array"}, "p.type"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "p.$schema"),
        ({"additionalProperties": True}, "p.additionalProperties"),
        ({"$defs": {}}, "p.$defs"),
        ({"properties": []}, "p.properties"),
        ({"properties": {f"x{n}": SAFE for n in range(33)}}, "p.properties"),
        ({"required": ["y"]}, "p.required"),
        ({"required": [{}]}, "p.required"),
        ({"required": "x"}, "p.required"),
        ({"properties": {"a b": SAFE}}, "p.properties.a b"),
        ({"properties": {"": SAFE}}, "p.properties."),
        ({"properties": {"x": {"type": "boolean"}}}, "p.properties.x.default"),
    ],
)
def test_a_schema_that_is_not_taken(one, where):
    assert [e.path for e in parameters.schema_faults(one, "p")] == [where]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "[ab]", r"\w", "[a-z]"]), st.sampled_from(["", "*", "+", "?", "{1,9}"])
        ),
        min_size=1,
        max_size=12,
    )
)
def test_no_pattern_that_is_taken_is_slow(parts):
    pattern = "^" + "".join(map("".join, parts)) + "$"
    if patterns.fault(pattern, 60):
        return
    one = {"type": "string", "pattern": pattern, "maxLength": 61}
    before = time.process_time()

    parameters.fits(one, "a" * 60 + "!")

    assert time.process_time() - before < 1
