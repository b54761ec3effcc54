"""CI jobs get tokens for their own: whom their policy trusts, once, and nobody learns more."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import urlencode

import pytest
import time_machine
from django.utils import timezone

from portal.identity import providers
from tenancy.actions import exchange, tenants
from tenancy.models import ApiToken, AuditEvent, TokenExchange
from tests import factories
from tests.portal.api.client import Api, assert_problem
from tests.support import oidc_provider
from tests.support.oidc_provider import BAD_TOKENS, Key

CI = "/tenants/team/service-accounts/ci"
HERE = "https://atoll.example.com"
JOB = {
    "aud": HERE,
    "sub": "repo:acme/shop:ref:refs/heads/main",
    "jti": "job-1",
    "repository": "acme/shop",
    "ref": "refs/heads/main",
    "environment": "production",
}
FIELDS = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "service_account": "team/ci",
}


@pytest.fixture(scope="module")
def running():
    with oidc_provider.running() as found:
        yield found


@pytest.fixture
def github(running, settings):
    """The CI system, allowed here."""
    providers.forget()
    settings.ATOLL_CI_ISSUERS, settings.ATOLL_OIDC_LOOPBACK = (running.issuer,), True
    settings.PUBLIC_URL = HERE
    running.published, running.person, running.down = [running.key], {}, False
    running.asked.clear()
    return running


@pytest.fixture
def trust(github):
    return {"issuer": github.issuer, "claims": {"repository": "acme/shop", "ref": "refs/heads/*"}}


@pytest.fixture
def ci(api, trust):
    """A member of the team that trusts jobs of acme/shop."""
    made = api.put(CI, {"spec": {"role": "member", "trust": [trust]}})
    assert made.status_code == 201, made.content
    return api


def ask(github, job=None, **fields):
    fields.setdefault("subject_token", github.key.sign(github.claims(**JOB, **(job or {}))))
    return Api().post("/token-exchange", {**FIELDS, **fields})


def with_claims(github, **changed):
    return {"subject_token": github.key.sign(github.claims(**{**JOB, **changed}))}


def denial():
    return AuditEvent.objects.get(action="denied")


def test_a_job_that_is_trusted_gets_a_short_lived_token(ci, github):
    answer = ask(github)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    body = answer.json()
    text = body.pop("access_token")
    assert body == {
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": 900,
        "scope": "*:*",
    }
    job = Api()
    job.token = text
    assert job.get("/me").json()["username"] == "sa:team/ci"
    assert job.put("/tenants/team/clusters/first", {"spec": {}}).status_code == 201
    assert job.get("/tenants/other").status_code == 404
    row = AuditEvent.objects.get(action="token.exchange")
    assert (row.actor, row.tenant, row.facts["subject"]) == ("sa:team/ci", "team", JOB["sub"])
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1)):
        assert_problem(job.get("/me"), 401, "not-authenticated")


def test_the_standards_form_is_understood_too(ci, github):
    form = urlencode({**FIELDS, **with_claims(github), "scope": "clusters:read"})
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = Api().send("POST", "/token-exchange", raw=form.encode(), **kind)
    assert (answer.status_code, answer.json()["scope"]) == (200, "clusters:read")
    twice = Api().send("POST", "/token-exchange", raw=(form + "&scope=x").encode(), **kind)
    assert_problem(twice, 400, "invalid")


def test_a_scope_narrows_it(ci, github):
    job = Api()
    job.token = ask(github, scope="clusters:read").json()["access_token"]
    assert job.get("/tenants/team/clusters").status_code == 200
    assert_problem(job.put("/tenants/team/clusters/first", {"spec": {}}), 403, "insufficient-scope")
    assert_problem(ask(github, scope="all of it"), 400, "invalid")


def test_how_long_it_lives_is_the_accounts_to_say(api, trust, github):
    wish = {"role": "viewer", "trust": [{**trust, "lifetime": "2m"}]}
    made = api.put(CI, {"spec": wish}).json()
    assert made["spec"] == wish
    assert made["status"]["effective"]["trust"] == [{**trust, "audience": "", "lifetime": "120s"}]
    assert ask(github).json()["expires_in"] == 120


def test_each_of_a_jobs_tokens_is_good_once(ci, github):
    assert ask(github).status_code == 200
    assert_problem(ask(github), 400, "exchange-refused")
    assert "used before" in denial().facts["reason"]
    assert ask(github, **with_claims(github, jti="job-2")).status_code == 200


REFUSED = (
    {"repository": "acme/other"},
    {"ref": "refs/heads/x/y"},
    {"ref": "refs/tags/v1"},
    {"ref": None},
    {"aud": "https://other.example"},
    {"exp": 4102444800},
)


def test_a_job_that_is_not_trusted_hears_what_strangers_hear(ci, github):
    told = [
        ask(github, service_account=account, **with_claims(github, **wrong)).content
        for account in ("team/ci", "team/none", "nowhere/ci", "team")
        for wrong in REFUSED
    ]
    assert len(set(told)) == 1
    problem = json.loads(told[0])
    assert (problem["code"], problem["error"]) == ("exchange-refused", "invalid_request")
    assert not ApiToken.objects.filter(user__username="sa:team/ci").exists()
    rows = AuditEvent.objects.filter(action="denied").order_by("sequence")
    assert [(row.actor, row.tenant) for row in rows] == [("token-exchange", "team"), ("token-exchange", "")]


def test_the_tenant_reads_why(ci, github):
    ask(github, **with_claims(github, repository="acme/other"))
    row = ci.get("/tenants/team/audit?action=denied").json()["items"][0]
    assert "claim 'repository' is 'acme/other', not 'acme/shop'" in row["facts"]["reason"]


def test_bad_tokens_are_refused_before_anything_is_looked_up(ci, github):
    good, told = github.claims(**JOB), {}
    for flaw in set(BAD_TOKENS) - {"wrong audience", "audience of others only"}:
        problem = ask(github, subject_token=BAD_TOKENS[flaw](github, good) or " ").json()
        told[flaw] = problem["status"], problem["code"]
    unread = {flaw: told.pop(flaw) for flaw in ("empty", "too long")}
    assert set(unread.values()) == {(400, "invalid")}
    assert set(told.values()) == {(400, "token-refused")}, told
    assert not TokenExchange.objects.exists()


def test_a_token_of_another_issuer_fetches_nothing(ci, github):
    stranger = Key("x").sign({**github.claims(**JOB), "iss": "http://127.0.0.1:1"})
    assert_problem(ask(github, subject_token=stranger), 400, "token-refused")
    assert github.asked == []
    assert "not allowed here" in denial().facts["reason"]


def test_keys_are_asked_for_seldom_however_many_tokens_come(ci, github):
    for number in range(5):
        ask(github, subject_token=Key(f"made-up-{number}").sign(github.claims(**JOB)))
    assert len(github.asked) <= 2


def test_an_issuer_that_is_away_is_a_503(ci, github):
    github.down = True
    assert assert_problem(ask(github), 503, "unavailable")


def test_without_ci_systems_it_is_off(ci, github, settings):
    settings.ATOLL_CI_ISSUERS = ()
    assert "ATOLL_CI_ISSUERS" in assert_problem(ask(github), 400, "token-refused")["detail"]


def test_a_suspended_tenant_gets_none(ci, github):
    tenants.update(by=factories.admin(), name="team", suspended=True)
    assert_problem(ask(github), 400, "exchange-refused")


def test_what_came_of_exchanges_is_forgotten_a_day_later(ci, github):
    ask(github)
    assert exchange.sweep() == 0
    with time_machine.travel(timezone.now() + timedelta(days=1, hours=1)):
        exchange.sweep()
    assert (TokenExchange.objects.count(), ApiToken.objects.filter(user__username="sa:team/ci").count()) == (
        0,
        0,
    )


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"issuer": "https://evil.example"}, "spec.trust[0].issuer"),
        ({"claims": {}}, "spec.trust[0].claims"),
        ({"claims": {"repository": "**"}}, "spec.trust[0].claims"),
        ({"lifetime": "2h"}, "spec.trust[0].lifetime"),
        ({"lifetime": 60}, "spec.trust[0].lifetime"),
        ({"more": 1}, "spec.trust[0].more"),
    ],
)
def test_a_trust_that_cannot_be(api, trust, wrong, path):
    problem = assert_problem(
        api.put(CI, {"spec": {"role": "viewer", "trust": [{**trust, **wrong}]}}), 400, "invalid"
    )
    assert [e["path"] for e in problem["errors"]] == [path]
