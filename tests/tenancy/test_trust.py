from __future__ import annotations

from dataclasses import replace

import pytest

from tenancy.rules.trust import TrustPolicy, faults, matches, refusal

GITHUB = "https://token.actions.githubusercontent.com"
HERE = "https://atoll.example.com"
POLICY = TrustPolicy(GITHUB, {"repository": "acme/shop", "ref": "refs/heads/*"})
CLAIMS = {
    "aud": HERE,
    "repository": "acme/shop",
    "ref": "refs/heads/main",
    "run_attempt": 1,
    "ref_protected": True,
}


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("acme/shop", "acme/shop", True),
        ("acme/shop", "acme/shop2", False),
        ("acme/shop", "Acme/Shop", False),
        ("acme/shop", "xacme/shop", False),
        ("acme/*", "acme/shop", True),
        ("acme/*", "acme/shop/evil", False),
        ("acme*", "acme/shop", False),
        ("acme*", "acme-evil", True),
        ("repo:acme/shop:*", "repo:acme/shop:main", True),
        ("repo:acme/shop:*", "repo:acme/shop:ref:refs/heads/main", False),
        ("repo:acme/shop:**", "repo:acme/shop:ref:refs/heads/main", True),
        ("repo:acme/*:environment:prod", "repo:acme/shop:environment:prod", True),
        ("repo:acme/*:environment:prod", "repo:acme/x:pull_request:environment:prod", False),
        ("refs/tags/v*.*", "refs/tags/v1.2", True),
        ("a.c", "abc", False),
        ("[a-z]", "b", False),
        ("a**", "a\nb", True),
        ("a", "a\n", False),
        ("*", "", True),
        ("a*", "a", True),
    ],
)
def test_patterns(pattern, text, fits):
    assert matches(pattern, text) is fits


def test_a_pattern_made_to_be_slow_is_quick():
    assert not matches("a*a*a*a*a*a*a*a*b", "a" * 255)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, ""),
        ({"aud": ["x", HERE]}, ""),
        ({"aud": "x"}, "aud is not"),
        ({"aud": [7]}, "aud is not"),
        ({"aud": None}, "aud is not"),
        ({"repository": "acme/other"}, "repository"),
        ({"repository": None}, "missing"),
        ({"repository": ["acme/shop"]}, "missing"),
        ({"ref": "refs/heads/a/b"}, "ref"),
    ],
)
def test_what_a_policy_admits(more, words):
    found = refusal(POLICY, {**CLAIMS, **more}, HERE)
    assert (words in found) if words else found == ""


def test_numbers_and_flags_match_as_json_spells_them():
    policy = replace(POLICY, claims={"run_attempt": "1", "ref_protected": "true"})
    assert refusal(policy, CLAIMS, HERE) == ""
    assert refusal(replace(policy, claims={"ref_protected": "True"}), CLAIMS, HERE)


def test_an_audience_of_its_own():
    policy = replace(POLICY, audience="sts.example")
    assert refusal(policy, CLAIMS, HERE)
    assert refusal(policy, {**CLAIMS, "aud": "sts.example"}, HERE) == ""


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"issuer": "https://evil.example"}, "spec.trust[0].issuer"),
        ({"claims": {}}, "spec.trust[0].claims"),
        ({"claims": {"repository": "*", "ref": "**"}}, "spec.trust[0].claims"),
        ({"claims": {"a": "b", "ref": "x***"}}, "spec.trust[0].claims.ref"),
        ({"claims": {"a": "b", "ref": ""}}, "spec.trust[0].claims.ref"),
        ({"claims": {"a": "b" * 256}}, "spec.trust[0].claims.a"),
        ({"claims": {"a": "b", "": "c"}}, "spec.trust[0].claims."),
        ({"claims": {"a": "b\x00"}}, "spec.trust[0].claims.a"),
        ({"claims": {str(n): "b" for n in range(21)}}, "spec.trust[0].claims"),
        ({"lifetime": 59}, "spec.trust[0].lifetime"),
        ({"lifetime": 3601}, "spec.trust[0].lifetime"),
    ],
)
def test_policies_that_cannot_be(change, where):
    assert [f.path for f in faults([replace(POLICY, **change)], [GITHUB], "spec.trust")] == [where]


def test_a_good_policy_and_too_many():
    assert list(faults([POLICY] * 20, [GITHUB], "spec.trust")) == []
    assert [f.code for f in faults([POLICY] * 21, [GITHUB], "spec.trust")] == ["too-many"]
    assert "ATOLL_CI_ISSUERS" in next(iter(faults([POLICY], [], "spec.trust"))).detail
