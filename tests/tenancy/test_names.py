from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.names import CLUSTER_MAX, RESERVED, TENANT_MAX, host_namespace, name_errors


@pytest.mark.parametrize("name", ["a", "first", "team-1", "0day", "a" * 24])
def test_good_names_have_no_errors(name):
    assert name_errors("metadata.name", name, longest=CLUSTER_MAX) == ()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "required"),
        ("a" * 25, "too-long"),
        ("First", "bad-characters"),
        ("-a", "bad-characters"),
        ("a-", "bad-characters"),
        ("a_b", "bad-characters"),
        ("a\n", "bad-characters"),
        ("ä", "bad-characters"),
        ("admin", "reserved"),
    ],
)
def test_bad_names_say_why(name, code):
    (error,) = name_errors("metadata.name", name, longest=CLUSTER_MAX)
    assert (error.path, error.code) == ("metadata.name", code)


@given(
    tenant=st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True),
    cluster=st.from_regex(r"[a-z0-9]{1,24}", fullmatch=True),
)
def test_a_namespace_fits_and_differs_with_each_uid(tenant, cluster):
    one, two = host_namespace(tenant, cluster, uuid4()), host_namespace(tenant, cluster, uuid4())
    assert one != two
    assert len(one) <= 63


def test_longest_names_fit_into_a_namespace():
    assert len(host_namespace("t" * TENANT_MAX, "c" * CLUSTER_MAX, uuid4())) == 60


def test_reserved_names_are_legal_otherwise():
    assert all(name == name.lower() for name in RESERVED)
