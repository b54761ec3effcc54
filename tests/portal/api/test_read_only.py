"""A database that takes no writes: reads go on, writes are told so."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.backends.signals import connection_created
from django.test import Client

from tenancy.models import ApiToken, VirtualCluster
from tests import factories
from tests.portal.api.client import Api, assert_problem
from tests.portal.api.contract_table import CONTRACT

pytestmark = pytest.mark.django_db(transaction=True)
FIRST = "/tenants/team/clusters/first"
READS = (
    "/livez",
    "/readyz",
    "/me",
    "/tokens",
    "/tenants",
    "/tenants/team",
    "/tenants/team/members",
    "/tenants/team/clusters?limit=1",
    FIRST,
    f"{FIRST}/findings",
    "/operations",
    "/tenants/team/audit",
    "/gpu-requests",
    "/notices",
)


READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET default_transaction_read_only = on",
}


def _make_read_only(connection, **_):
    with connection.cursor() as cursor:
        cursor.execute(READ_ONLY[connection.vendor])


@pytest.fixture
def owner():
    owner = factories.actor("owner")
    factories.host()
    factories.tenant("team", owner=owner)
    factories.user("bea")
    factories.accelerator()
    factories.template("web")
    factories.ready(factories.cluster(owner, "team"))
    return owner


@pytest.fixture
def apis(owner):
    """Tokens that were never used, on a database that has just become a standby."""
    found = {"owner": Api(owner), "admin": Api(factories.admin())}
    page = Client()
    page.force_login(owner.user)
    found["page"] = page
    connection_created.connect(_make_read_only)
    connection.close()
    yield found
    connection_created.disconnect(_make_read_only)
    connection.close()


def test_reads_answer_and_writes_are_told_to_wait(apis):
    owner = apis["owner"]
    for path in READS:
        assert owner.get(path).status_code == 200, path
    assert owner.get(f"{FIRST}/ready").status_code == 200
    assert apis["admin"].get("/metrics").status_code == 200

    for entry in CONTRACT.values():
        for query in ("", "?dry_run=true"):
            refused = apis[entry.by].put(entry.address + query, {"spec": entry.spec})
            assert_problem(refused, 503, "read-only")
            assert refused["Retry-After"] == "30"
    for key in ({}, {"Idempotency_Key": "k"}):
        assert_problem(owner.post("/tokens", {"metadata": {"name": "x"}}, **key), 503, "read-only")
    assert_problem(owner.delete(FIRST), 503, "read-only")
    assert ApiToken.objects.filter(last_used_at=None).exists()


def test_what_is_refused_without_a_write_is_refused_as_always(apis):
    assert_problem(Api().put(FIRST, {"spec": {}}), 401, "not-authenticated")
    assert_problem(apis["owner"].put(FIRST, {"specs": {}}), 400, "invalid")
    assert_problem(apis["owner"].get("/tenants/foreign"), 404, "not-found")


def test_pages_are_shown_and_their_writes_refused_in_words(apis):
    page = apis["page"]
    assert page.get("/clusters/team/first").status_code == 200

    refused = page.post("/clusters/team/first/retry")

    assert (refused.status_code, refused["Retry-After"]) == (503, "30")
    assert b"database only reads" in refused.content


def test_nobody_signs_in_or_out_and_each_is_told(apis, settings):
    stranger = Client(raise_request_exception=False)
    assert stranger.get("/sign-in").status_code == 200
    person = {"username": "owner", "password": factories.PASSWORD}

    for answer in (stranger.post("/sign-in", person), apis["page"].post("/sign-out")):
        assert (answer.status_code, answer["Retry-After"]) == (503, "30")
        assert b"database only reads" in answer.content

    assert apis["page"].get("/").status_code == 200


def test_a_database_that_is_away_is_told_by_api_and_pages(owner, monkeypatch, settings):
    settings.ATOLL_METRICS_TOKEN = "a-token-of-the-operators"
    scraper = {"Authorization": f"Bearer {settings.ATOLL_METRICS_TOKEN}"}
    api, page = Api(owner), Client(raise_request_exception=False)
    page.force_login(owner.user)
    away = connection.settings_dict["NAME"]
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "NAME", "/nowhere/at/all")
    if connection.vendor == "postgresql":
        monkeypatch.setitem(connection.settings_dict, "NAME", "nowhere")
    try:
        refused = [api.get(path) for path in ("/me", "/tenants/team/clusters", f"{FIRST}/ready")]
        refused += [api.put(FIRST, {"spec": {}}), api.delete(FIRST), api.get("/readyz")]
        refused += [api.get("/metrics"), page.get("/metrics", headers=scraper)]
        shown = [page.get("/"), page.post("/sign-in", {"username": "owner", "password": "x"})]
    finally:
        connection.settings_dict["NAME"] = away

    for answer in refused:
        assert_problem(answer, 503, "unavailable")
        assert answer["Retry-After"] == "5"
    for answer in shown:
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert b"The database does not answer" in answer.content


def test_writes_are_taken_while_no_broker_answers(owner, settings):
    """The portal has none: what is wanted waits in the database for the relay."""
    settings.ATOLL_BROKER_URL = "redis://127.0.0.1:1/0"

    assert Api(owner).put("/tenants/team/clusters/second", {"spec": {}}).status_code == 201
    assert VirtualCluster.objects.get(name="second").phase == "Pending"
    due = factories.work.claim(factories.WorkKind.CLUSTER, VirtualCluster.objects.get(name="second").uid)
    assert due is not None
