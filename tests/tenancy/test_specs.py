from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.enums import IsolationModel, Persistence, Sandbox, Trust
from tenancy.errors import Invalid
from tenancy.rules import offers, quantities
from tenancy.rules.runtimes import RuntimeClass
from tenancy.rules.spec_parsing import parse_spec
from tenancy.rules.specs import facts_from_json, facts_to_json
from tenancy.rules.survey import survey
from tests.factories import FACTS, NODE

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def refused(spec):
    with pytest.raises(Invalid) as caught:
        parse_spec(spec)
    return [(error.path, error.code) for error in caught.value.errors]


def test_an_empty_spec_is_a_small_sandboxed_cluster():
    effective = offers.effective(parse_spec({}), FACTS, Trust.UNTRUSTED, ["1.35", "1.36"])
    assert effective is not None
    assert effective.kubernetes_version == "1.36"
    assert (effective.sandbox, effective.runtime_class) == (Sandbox.GVISOR, "gvisor")
    assert effective.persistence is Persistence.PERSISTENT
    assert effective.model is IsolationModel.SHARED
    assert (effective.resources.cpu, effective.resources.pods) == (Decimal(4), 50)


def test_a_full_spec_is_read():
    spec = parse_spec(
        {
            "kubernetesVersion": "1.36",
            "isolation": {"model": "shared", "sandbox": "gvisor", "pool": None},
            "resources": {"cpu": "1500m", "memory": "2Gi", "storage": "10G", "pods": 20},
            "accelerators": [],
            "persistence": "ephemeral",
            "deletionProtection": True,
        }
    )
    assert spec.resources == {
        "cpu": Decimal("1.5"),
        "memory": Decimal(2 * 1024**3),
        "storage": Decimal(10 * 10**9),
        "pods": Decimal(20),
    }
    assert spec.deletion_protection is True


@pytest.mark.parametrize(
    ("spec", "path", "code"),
    [
        ([], "spec", "wrong-type"),
        ("x", "spec", "wrong-type"),
        ({"size": 1}, "spec.size", "unknown-field"),
        ({"isolation": {"sandbx": "gvisor"}}, "spec.isolation.sandbx", "unknown-field"),
        ({"isolation": {"sandbox": "docker"}}, "spec.isolation.sandbox", "not-a-choice"),
        ({"isolation": {"sandbox": []}}, "spec.isolation.sandbox", "not-a-choice"),
        ({"isolation": {"pool": 1}}, "spec.isolation.pool", "wrong-type"),
        ({"kubernetesVersion": 1.36}, "spec.kubernetesVersion", "wrong-type"),
        ({"resources": {"cpu": "lots"}}, "spec.resources.cpu", "not-a-quantity"),
        ({"resources": {"cpu": "-1"}}, "spec.resources.cpu", "not-a-quantity"),
        ({"resources": {"cpu": True}}, "spec.resources.cpu", "wrong-type"),
        ({"resources": {"cpu": "1m"}}, "spec.resources.cpu", "out-of-range"),
        ({"resources": {"memory": "1Ei"}}, "spec.resources.memory", "not-a-quantity"),
        ({"resources": {"memory": "9" * 400}}, "spec.resources.memory", "not-a-quantity"),
        ({"resources": {"pods": 4}}, "spec.resources.pods", "out-of-range"),
        ({"resources": {"pods": "50"}}, "spec.resources.pods", "out-of-range"),
        ({"accelerators": {"class": "h100"}}, "spec.accelerators", "wrong-type"),
        ({"accelerators": [{"count": 1}]}, "spec.accelerators[0].class", "required"),
        ({"accelerators": [{"class": "h100", "count": 0}]}, "spec.accelerators[0].count", "out-of-range"),
        ({"accelerators": [{"class": "h100"}, {"class": "h100"}]}, "spec.accelerators[1].class", "duplicate"),
        ({"accelerators": [{"class": "h100", "model": 1}]}, "spec.accelerators[0].model", "unknown-field"),
        ({"persistence": "forever"}, "spec.persistence", "not-a-choice"),
        ({"deletionProtection": "yes"}, "spec.deletionProtection", "wrong-type"),
    ],
)
def test_a_fault_names_its_field(spec, path, code):
    assert refused(spec) == [(path, code)]


def test_all_faults_are_named_at_once():
    assert refused({"a": 1, "resources": {"cpu": "x"}, "persistence": "x"}) == [
        ("spec.a", "unknown-field"),
        ("spec.resources.cpu", "not-a-quantity"),
        ("spec.persistence", "not-a-choice"),
    ]


@given(JSON)
def test_no_input_breaks_the_parser(data):
    try:
        parse_spec(data)
    except Invalid as error:
        found = error.errors
    else:
        found = None
    assert found is None or all(fault.path.startswith("spec") for fault in found)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", "1"), ("500m", "0.5"), ("1.5", "1.5"), ("8Gi", str(8 * 1024**3)), ("1k", "1000")],
)
def test_quantities_are_read_as_kubernetes_does(text, value):
    assert quantities.parse(text) == Decimal(value)


def test_quantities_are_written_rounded_up():
    assert quantities.millis(Decimal("1.0001")) == "1001m"
    assert quantities.mebibytes(Decimal(1024**2 + 1)) == "2Mi"


def refusal(spec, trust=Trust.UNTRUSTED, facts=FACTS):
    found = offers.refusals(parse_spec(spec), facts, trust, ["1.36"], "lab")
    return [(error.path, error.code) for error in found]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        ({"kubernetesVersion": "1.31"}, [("spec.kubernetesVersion", "not-offered")]),
        ({"isolation": {"sandbox": "none"}}, [("spec.isolation.sandbox", "not-trusted")]),
        ({"isolation": {"sandbox": "kata"}}, [("spec.isolation.sandbox", "not-offered")]),
    ],
)
def test_what_a_host_cannot_do_is_refused_at_once(spec, expected):
    assert refusal(spec) == expected


def test_a_host_without_sandbox_takes_no_untrusted_tenant():
    bare = replace(FACTS, sandboxes=survey((NODE,), {"odd": RuntimeClass("other")}, "v1.36.3"))
    assert refusal({}, facts=bare) == [("spec.isolation.sandbox", "not-offered")]
    assert refusal({}, trust=Trust.TRUSTED, facts=bare) == []
    assert offers.effective(parse_spec({}), bare, Trust.UNTRUSTED, ["1.36"]) is None


def test_a_host_without_storage_makes_ephemeral_clusters():
    bare = facts_from_json({**facts_to_json(FACTS), "defaultStorageClass": ""})
    assert refusal({"persistence": "persistent"}, facts=bare) == [("spec.persistence", "not-offered")]
    effective = offers.effective(parse_spec({}), bare, Trust.UNTRUSTED, ["1.36"])
    assert effective is not None
    assert effective.persistence is Persistence.EPHEMERAL


def test_an_unseen_host_refuses_only_what_none_could_give():
    assert refusal({"isolation": {"sandbox": "gvisor"}, "persistence": "persistent"}, facts=None) == []


def test_facts_survive_the_database():
    assert facts_from_json(facts_to_json(FACTS)) == FACTS
