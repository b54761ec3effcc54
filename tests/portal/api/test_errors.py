"""Whatever goes wrong, the answer is a problem that says what to do."""

from __future__ import annotations

import json

import pytest
from django.db import IntegrityError, OperationalError

from portal.api import errors
from tenancy import errors as domain
from tests.portal.api.client import Api, assert_problem

FIRST = "/tenants/team/clusters/first"


def test_every_domain_error_has_a_status():
    def kinds(kind):
        return {kind.code}.union(*(kinds(sub) for sub in kind.__subclasses__()))

    assert kinds(domain.DomainError) - {"error"} == set(errors.STATUS)


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer atoll_wrong", "Basic YTpi", "Bearer \xe9"])
def test_without_a_good_token(header):
    response = Api().get("/me", **({"Authorization": header} if header else {}))

    assert_problem(response, 401, "not-authenticated")
    assert response["WWW-Authenticate"] == 'Bearer realm="atoll"'
    assert "Set-Cookie" not in response


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/me", "/api/v1/nothing/x"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_addresses_that_are_none(path, method):
    assert_problem(Api().send(method, path), 404, "not-found")


@pytest.mark.parametrize("path", ["/tokens/nonsense", "/operations/1"])
def test_a_uid_that_is_none_leads_nowhere(api, path):
    assert_problem(api.get(path), 404, "not-found")


def test_unknown_method(api):
    response = api.send("PATCH", FIRST, {"spec": {}})

    assert_problem(response, 405, "method-not-allowed")
    assert response["Allow"] == "GET, HEAD, PUT, DELETE"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "nonsense", "application/yaml"]
)
def test_bodies_that_are_not_said_to_be_json(api, kind):
    assert_problem(api.send("PUT", FIRST, raw=b"{}", Content_Type=kind), 415, "unsupported-media-type")


@pytest.mark.parametrize("packed", ["gzip", "br"])
def test_packed_bodies(api, packed):
    body = assert_problem(
        api.put(FIRST, {"spec": {}}, Content_Encoding=packed), 415, "unsupported-media-type"
    )

    assert "not compressed" in body["detail"]


def test_more_words_behind_the_question_mark_than_anything_reads(api):
    query = "&".join(f"a{n}=1" for n in range(2000))

    assert_problem(api.get(f"/operations?{query}"), 400, "invalid")


def test_refusals_say_what_to_do(api):
    told = {
        "Authorization: Bearer": Api().get("/me"),
        "GET, HEAD, PUT, DELETE": api.send("PATCH", FIRST, {}),
        "application/json": api.send("PUT", FIRST, raw=b"a=b", Content_Type="text/plain"),
        "give a JSON object": api.put(FIRST, []),
        "leave it out": api.put("/webhooks/x", {"spec": {"url": None}}),
        "no such field": api.get("/me?pretty=1"),
    }

    for hint, response in told.items():
        assert hint in response.json()["detail"], response.content


def test_a_charset_beside_the_media_type_is_fine(api):
    response = api.send("PUT", FIRST, raw=b'{"spec": {}}', Content_Type="Application/JSON; charset=utf-8")

    assert response.status_code == 201


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"",
        b"\xff\xfe{}",
        b'{"spec": NaN}',
        b'{"spec": 1e999}',
        b'{"spec": {}, "spec": {}}',
        b'{"spec": ' + b"[" * 20_000,
        b'{"spec": ' + b"9" * 5000 + b"}",
        b'{"spec": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}",
        json.dumps({"spec": {"kubernetesVersion": "1.36\x00"}}).encode(),
        b'{"spec": {"kubernetesVersion": "\\ud800"}}',
        b'{"spec": {"\\u0000": 1}}',
        b'{"spec": {"resources": {"cpu": -99999999999999999999999}}}',
        b"null",
        b'"text"',
        b"5",
    ],
)
def test_bodies_that_cannot_be_read(api, raw):
    response = api.send("PUT", FIRST, raw=raw, Content_Type="application/json")

    assert_problem(response, 400, "invalid")


def test_text_that_cannot_be_stored_is_named_with_its_path(api):
    body = assert_problem(api.put(FIRST, {"spec": {"isolation": {"pool": ["a", "b\x00"]}}}), 400, "invalid")

    assert [(e["path"], e["code"]) for e in body["errors"]] == [("spec.isolation.pool[1]", "bad-characters")]


def test_a_body_beyond_the_limit(api):
    response = api.put(FIRST, {"spec": {"kubernetesVersion": "1" * 300_000}})

    assert_problem(response, 413, "too-large")


@pytest.mark.parametrize("path", ["/tenants/a%00b", "/tenants?name=a%00", "/tenants/team/clusters/%00"])
def test_addresses_with_text_that_cannot_be_stored(api, path):
    assert_problem(api.get(path), 400, "invalid")


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "query.limit"),
        ("limit=101", "query.limit"),
        ("limit=many", "query.limit"),
        ("phase=Nice", "query.phase"),
        ("phaze=Ready", "query.phaze"),
        ("name=a&name=b", "query.name"),
        ("cursor=abc", "query.cursor"),
    ],
)
def test_queries_that_nobody_reads(api, query, path):
    body = assert_problem(api.get(f"/tenants/team/clusters?{query}"), 400, "invalid")

    assert [e["path"] for e in body["errors"]] == [path]


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=1", "nonsense"])
def test_json_is_spoken_whatever_is_asked_for(api, accept):
    assert api.get("/me", Accept=accept)["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["/tenants/team", FIRST, "/me", "/openapi.json"])
def test_a_slash_at_the_end_makes_no_difference(api, path):
    api.put(f"{FIRST}/", {"spec": {}})

    with_slash, without = api.get(f"{path}/"), api.get(path)

    assert with_slash.status_code == without.status_code == 200
    assert with_slash.content == without.content


def _failing(monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("portal.api.views.tokens.tenants.memberships", fail)


def test_a_fault_of_ours_has_a_request_id_and_no_secrets(api, monkeypatch, caplog):
    _failing(monkeypatch, RuntimeError("hunter2"))

    response = api.get("/me", X_Request_Id="abc-1")

    body = assert_problem(response, 500, "internal")
    assert body["requestId"] == response["X-Request-Id"] == "abc-1"
    assert "hunter2" not in response.content.decode()
    assert "request abc-1 failed" in caplog.text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (OperationalError("database is locked"), 503, "unavailable"),
        (IntegrityError("taken"), 409, "conflict"),
    ],
)
def test_a_database_that_is_away_or_ahead(api, monkeypatch, error, status, code):
    _failing(monkeypatch, error)

    response = api.get("/me")

    assert_problem(response, status, code)
    assert ("Retry-After" in response) == (status == 503)


@pytest.mark.django_db
def test_a_host_name_that_is_not_ours(client):
    response = client.get("/api/v1/me", headers={"Host": "evil.example"})

    assert_problem(response, 400, "invalid")
