from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenancy.errors import Invalid
from tenancy.rules import templates
from tenancy.rules.spec_parsing import parse_spec
from tenancy.rules.templates import FIELDS

SIZE = {"type": "string", "enum": ["2", "4", "8"], "default": "4"}
ZONE = {"type": "string", "pattern": "^[a-z]{1,9}$", "maxLength": 9}
GPUS = {"type": "integer", "minimum": 1, "maximum": 8, "default": 1}
SAFE = {"type": "boolean", "default": True}


def content(**data):
    return templates.parse_body({"cluster": {}, **data})


def schema(**properties):
    required = [name for name, one in properties.items() if "default" not in one]
    return {"type": "object", "properties": properties, "required": required}


def wish(own, **given_):
    return parse_spec({**own, "template": {"name": "web", "version": "1.0.0", "parameters": given_}}).template


def fill(body, own=None, **given_):
    own = own or {}
    return templates.filled("web 1.0.0", body, wish(own, **given_), own)


def faults(call, *arguments, **named):
    with pytest.raises(Invalid) as refused:
        call(*arguments, **named)
    return [(e.path, e.code) for e in refused.value.errors]


def test_parameters_stand_in_place_of_values_and_keep_their_type():
    body = content(
        cluster={
            "resources": {"cpu": {"$param": "size"}, "memory": "8Gi"},
            "accelerators": [{"class": "gpu", "count": {"$param": "gpus"}}],
            "deletionProtection": {"$param": "safe"},
        },
        parameters=schema(size=SIZE, gpus=GPUS, safe=SAFE),
    )

    assert fill(body, gpus=3) == {
        "resources": {"cpu": "4", "memory": "8Gi"},
        "accelerators": [{"class": "gpu", "count": 3}],
        "deletionProtection": True,
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, [("spec.cluster", "required")]),
        ({"cluster": []}, [("spec.cluster", "required")]),
        ({"cluster": {}, "color": 1}, [("spec.color", "unknown-field")]),
        ({"cluster": {"template": {}}}, [("spec.cluster.template", "unknown-field")]),
        ({"cluster": {"color": 1}}, [("spec.cluster.color", "unknown-field")]),
        ({"cluster": {"resources": {"cpu": "lots"}}}, [("spec.cluster.resources.cpu", "not-a-quantity")]),
        ({"cluster": {}, "locked": ["cpu"]}, [("spec.locked[0]", "not-a-choice")]),
        ({"cluster": {}, "locked": [{}]}, [("spec.locked[0]", "not-a-choice")]),
        ({"cluster": {}, "locked": "cpu"}, [("spec.locked", "wrong-type")]),
        ({"cluster": {}, "locked": [], "overridable": []}, [("spec.overridable", "contradiction")]),
        ({"cluster": {}, "state": "gone"}, [("spec.state", "not-a-choice")]),
        ({"cluster": {}, "state": []}, [("spec.state", "not-a-choice")]),
        ({"cluster": {}, "notes": 1}, [("spec.notes", "wrong-type")]),
        (
            {"cluster": {"persistence": {"$param": "x"}}},
            [("spec.cluster.persistence", "unknown-parameter")],
        ),
        (
            {"cluster": {"persistence": {"$param": "size", "or": 1}}, "parameters": schema(size=SIZE)},
            [("spec.cluster.persistence", "unknown-parameter")],
        ),
        (
            {"cluster": {"resources": {"$param": "size"}}, "parameters": schema(size=SIZE)},
            [("spec.cluster.resources", "misplaced-parameter")],
        ),
        (
            {"cluster": {"accelerators": {"$param": "zone"}}, "parameters": schema(zone=ZONE)},
            [("spec.cluster.accelerators", "misplaced-parameter")],
        ),
        (
            {"cluster": {}, "parameters": schema(size=SIZE)},
            [("spec.parameters.properties.size", "unused")],
        ),
        (
            {"cluster": {"persistence": {"$param": "size"}}, "parameters": schema(size=SIZE)},
            [("spec.cluster.persistence", "not-a-choice")] * 3,
        ),
        (
            {"cluster": {"resources": {"pods": {"$param": "gpus"}}}, "parameters": schema(gpus=GPUS)},
            [("spec.cluster.resources.pods", "out-of-range")],
        ),
        (
            {"cluster": {"isolation": {"model": "shared", "pool": "gold"}}},
            [("spec.cluster.isolation.pool", "contradiction")],
        ),
    ],
)
def test_a_version_that_cannot_be_published(data, expected):
    assert faults(templates.parse_body, data) == expected


def test_free_text_is_judged_when_it_is_given():
    body = content(
        cluster={"accelerators": [{"class": {"$param": "zone"}}], "persistence": {"$param": "how"}},
        parameters=schema(zone=ZONE, how=ZONE),
    )

    assert fill(body, zone="gpu", how="ephemeral")["persistence"] == "ephemeral"
    assert faults(fill, body, zone="gpu", how="maybe") == [
        ("spec.template.parameters.how", "not-a-choice"),
    ]


LOCKED = content(
    cluster={"resources": {"cpu": "2"}, "isolation": {"sandbox": "gvisor"}, "deletionProtection": True},
    locked=["resources.cpu", "isolation", "deletionProtection", "accelerators"],
)


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"resources": None},
        {"resources": {}},
        {"resources": {"cpu": None}},
        {"resources": {"cpu": "2"}},
        {"isolation": None},
        {"isolation": {"sandbox": None, "pool": None}},
        {"isolation": {"sandbox": "gvisor"}},
        {"deletionProtection": None},
        {"accelerators": None},
    ],
)
def test_what_says_nothing_else_leaves_what_is_locked(own):
    assert fill(LOCKED, own) == {
        "isolation": {"sandbox": "gvisor"},
        "resources": {"cpu": "2"},
        "deletionProtection": True,
    }


@pytest.mark.parametrize(
    ("own", "path"),
    [
        ({"resources": {"cpu": "3"}}, "spec.resources.cpu"),
        ({"resources": {"cpu": "2000m"}}, "spec.resources.cpu"),
        ({"isolation": {"sandbox": "none"}}, "spec.isolation.sandbox"),
        ({"isolation": {"model": "shared"}}, "spec.isolation.model"),
        ({"isolation": {"pool": "mine"}}, "spec.isolation.pool"),
        ({"deletionProtection": False}, "spec.deletionProtection"),
        ({"accelerators": []}, "spec.accelerators"),
        ({"accelerators": [{"class": "gpu"}]}, "spec.accelerators"),
    ],
)
def test_what_is_locked_is_refused_with_its_path_and_the_version(own, path):
    with pytest.raises(Invalid) as refused:
        fill(LOCKED, own)

    (fault,) = refused.value.errors
    assert (fault.path, fault.code) == (path, "locked")
    assert "template web 1.0.0 locks" in fault.detail


@pytest.mark.parametrize(
    "own", [{"Resources": {"cpu": "9"}}, {"resources": {"CPU": "9"}}, {"resources.cpu": "9"}]
)
def test_another_spelling_is_no_field_at_all(own):
    assert [code for _, code in faults(parse_spec, own)] == ["unknown-field"]


def test_whoever_takes_other_nodes_takes_nothing_of_the_templates():
    free = content(cluster={"isolation": {"model": "shared"}})
    pool = content(cluster={"isolation": {"pool": "gold"}})

    assert fill(free, {"isolation": {"pool": "mine"}}) == {"isolation": {"pool": "mine"}}
    assert fill(pool, {"isolation": {"model": "shared"}}) == {"isolation": {"model": "shared"}}
    assert fill(pool, {"isolation": {"model": "dedicated-pool"}})["isolation"]["pool"] == "gold"


def test_only_what_is_overridable_is():
    body = content(cluster={"resources": {"cpu": "2"}}, overridable=["resources.memory"])

    assert fill(body, {"resources": {"memory": "1Gi"}})["resources"] == {"cpu": "2", "memory": "1Gi"}
    assert faults(fill, body, {"resources": {"cpu": "1"}, "persistence": "ephemeral"}) == [
        ("spec.resources.cpu", "locked"),
        ("spec.persistence", "locked"),
    ]


def _some(values):
    return st.one_of(st.none(), st.sampled_from(values))


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "kubernetesVersion": _some(["1.36", "1.35"]),
        "isolation": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "model": _some(["shared", "dedicated-pool"]),
                "sandbox": _some(["gvisor", "none"]),
                "pool": _some(["gold", "mine"]),
            },
        ),
        "resources": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "cpu": _some(["1", 1, "1000m", "4"]),
                "memory": _some(["1Gi", "2Gi"]),
                "storage": _some(["0", "1Gi"]),
                "pods": _some([5, 50]),
            },
        ),
        "accelerators": _some([[], [{"class": "gpu"}], [{"class": "gpu", "count": 2}]]),
        "persistence": _some(["persistent", "ephemeral"]),
        "deletionProtection": _some([True, False]),
        "addOns": _some([[], [{"name": "motd", "version": "1.0.0"}]]),
        "paused": _some([True, False]),
        "releaseAcceleratorsWhilePaused": _some([True, False]),
    },
)
LOCKS = st.lists(st.sampled_from((*templates.GROUPS, *FIELDS)), max_size=6)
_ATTRIBUTES: dict[str, Any] = {
    "kubernetesVersion": lambda spec: spec.kubernetes_version,
    "isolation.model": lambda spec: spec.model,
    "isolation.sandbox": lambda spec: spec.sandbox,
    "isolation.pool": lambda spec: spec.pool,
    "resources.cpu": lambda spec: spec.resources.get("cpu"),
    "resources.memory": lambda spec: spec.resources.get("memory"),
    "resources.storage": lambda spec: spec.resources.get("storage"),
    "resources.pods": lambda spec: spec.resources.get("pods"),
    "accelerators": lambda spec: spec.accelerators,
    "persistence": lambda spec: spec.persistence,
    "deletionProtection": lambda spec: spec.deletion_protection,
    "addOns": lambda spec: spec.add_ons,
    "paused": lambda spec: spec.paused,
    "releaseAcceleratorsWhilePaused": lambda spec: spec.release_accelerators_while_paused,
}


@settings(max_examples=250, deadline=None)
@given(cluster=SPECS, locks=LOCKS, only=st.booleans(), own=SPECS)
def test_no_spec_changes_what_is_locked(cluster, locks, only, own):
    try:
        body = content(cluster=cluster, **{"overridable" if only else "locked": locks})
    except Invalid:
        return  # a pool of a shared cluster
    try:
        spec = parse_spec(fill(body, own))
    except Invalid as refused:
        assert {e.code for e in refused.errors} == {"locked"}  # noqa: PT017 - either end is fine
        return
    for field in body.locked:
        assert _ATTRIBUTES[field](spec) == _ATTRIBUTES[field](parse_spec(cluster)), field


@settings(max_examples=150, deadline=None)
@given(cluster=SPECS, own=SPECS)
def test_what_is_free_is_the_clusters_own_where_it_says_anything(cluster, own):
    try:
        spec, mine = parse_spec(fill(content(cluster=cluster), own)), parse_spec(own)
    except Invalid:
        return
    for field, read in _ATTRIBUTES.items():
        if templates.flat(own).get(field) is not None:
            assert read(spec) == read(mine), field


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "cluster",
                        "parameters",
                        "properties",
                        "type",
                        "enum",
                        "x",
                        "$param",
                        "locked",
                        "resources",
                        "accelerators",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_input_breaks_the_reader(data):
    """Whatever comes is a version or a list of faults."""
    data = data if isinstance(data, dict) else {"cluster": data}
    try:
        found = templates.parse_body(json.loads(json.dumps(data)))
    except Invalid as refused:
        assert refused.errors  # noqa: PT017 - either end is fine
    else:
        assert found.locked <= set(FIELDS)
