"""The library against the real portal, over a network with faults."""

from __future__ import annotations

import time

import httpx
import pytest

from atoll_client import (
    Atoll,
    Conflict,
    Misconfigured,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Problem,
    Unavailable,
    Unreachable,
    sending,
)
from tenancy.models import Operation, VirtualCluster
from tests import factories
from tests.client.portal import Cut

FIRST = "/tenants/team/clusters/first"
CLUSTERS = "/tenants/team/clusters"


@pytest.fixture
def naps(monkeypatch):
    """What it would have slept."""
    taken = []
    monkeypatch.setattr(sending.time, "sleep", taken.append)
    return taken


def later(status, **headers):
    return httpx.Response(status, headers={k.replace("_", "-"): v for k, v in headers.items()}, json={})


def test_writing_reading_and_writing_again(atoll):
    made = atoll.put(FIRST, {"spec": {"resources": {"cpu": "2"}}})
    again = atoll.put(FIRST, {"spec": {"resources": {"cpu": "2"}}})

    assert (made.status, again.status, made.etag) == (201, 200, again.etag)
    assert atoll.get(FIRST)["spec"] == {"resources": {"cpu": "2"}}
    with pytest.raises(Conflict) as refused:
        atoll.put(FIRST, {"spec": {}}, create_only=True)
    assert refused.value.status == 412
    plan = atoll.put(FIRST, {"spec": {}}, if_match=made.etag, dry_run=True).object
    assert plan["action"] == "update"
    assert atoll.delete(FIRST, if_match=made.etag).status == 202


def test_all_pages_are_read(atoll, portal):
    for number in range(5):
        atoll.put(f"{CLUSTERS}/c{number}", {"spec": {}})
    portal.seen.clear()

    names = [one["metadata"]["name"] for one in atoll.items(CLUSTERS, limit=2)]

    assert names == [f"c{number}" for number in range(5)]
    assert len(portal.seen) == 3


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "code"),
    [
        ("GET", "/tenants/nobody", None, NotFound, "not-found"),
        ("PUT", "/tenants/team", {"spec": {}}, NotAllowed, "not-allowed"),
        ("PUT", FIRST, {"spec": {"resources": {"cpu": "many"}}}, Problem, "invalid"),
        ("PATCH", FIRST, {}, Problem, "method-not-allowed"),
    ],
)
def test_refusals_are_exceptions_with_code_and_fields(atoll, method, path, body, kind, code):
    with pytest.raises(Problem) as refused:
        atoll.request(method, path, body)
    assert (type(refused.value), refused.value.code) == (kind, code)
    if code == "invalid":
        assert [fault.path for fault in refused.value.errors] == ["spec.resources.cpu"]
        assert refused.value.errors[0].detail


def test_a_token_that_is_none_is_told(portal, team):
    with pytest.raises(NotSignedIn):
        Atoll("http://testserver", "atoll_nonsense", transport=portal).get("/me")


@pytest.mark.parametrize("fault", [Cut(), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("eof")])
def test_a_post_that_breaks_off_is_sent_again_and_makes_one_cluster(atoll, portal, fault):
    portal.faults = [fault]

    answer = atoll.post(CLUSTERS, {"metadata": {"name": "one"}, "spec": {}})

    assert answer.status == 201
    assert answer.replayed is isinstance(fault, Cut)
    assert (VirtualCluster.objects.count(), Operation.objects.count()) == (1, 1)
    assert len({request.headers["Idempotency-Key"] for request in portal.seen}) == 1


def test_each_post_has_a_key_of_its_own(atoll, portal):
    atoll.post(CLUSTERS, {"metadata": {"name": "one"}, "spec": {}})
    atoll.post(CLUSTERS, {"metadata": {"name": "two"}, "spec": {}})

    assert len({request.headers["Idempotency-Key"] for request in portal.seen}) == 2


def test_what_has_a_precondition_is_not_sent_twice(atoll, portal):
    portal.faults = [Cut()]

    with pytest.raises(Unreachable, match="connection reset"):
        atoll.put(FIRST, {"spec": {}}, create_only=True)

    assert len(portal.seen) == 1
    assert VirtualCluster.objects.count() == 1


def test_what_never_arrived_may_be_sent_again_in_any_case(atoll, portal):
    portal.faults = [httpx.ConnectError("refused")]

    assert atoll.put(FIRST, {"spec": {}}, create_only=True).status == 201


def test_a_delete_that_broke_off_after_its_end_is_one(atoll, portal, team):
    cluster = factories.cluster(team, "team")
    portal.faults = [Cut()]
    portal.after = [lambda: factories.observe(cluster, gone=True)]

    assert atoll.delete(FIRST).status == 200
    with pytest.raises(NotFound):
        atoll.delete(FIRST)


def test_later_is_when_the_server_says(atoll, portal, naps):
    portal.faults = [later(429, Retry_After="3"), later(503, Retry_After="1")]

    assert atoll.get("/me")["username"] == "alice"
    assert [round(nap) for nap in naps] == [3, 1]


def test_without_a_word_pauses_grow(atoll, portal, naps, monkeypatch):
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.2)
    portal.faults = [later(503) for _ in range(3)]

    atoll.get("/me")

    assert [low <= nap <= 2 * low for low, nap in zip((0.1, 0.2, 0.4), naps, strict=True)] == [True] * 3


def test_who_would_wait_longer_than_patience_is_told_at_once(atoll, portal, naps):
    portal.faults = [later(503, Retry_After="60")]

    with pytest.raises(Unavailable) as refused:
        atoll.get("/me")

    assert (naps, refused.value.retry_after) == ([], 60)


@pytest.mark.parametrize("date", ["soon", "Wed, 99 Foo", ""])
def test_what_cannot_be_read_as_a_time_is_none(date):
    assert sending.seconds(date) is None


def test_a_time_of_day_is_seconds_from_now():
    assert sending.seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_nobody_there_is_told_with_the_address_within_patience():
    began = time.monotonic()

    with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:9 does not answer"):
        Atoll("http://127.0.0.1:9", "t", patience=0.2).get("/me")

    assert time.monotonic() - began < 3


def test_a_proxys_page_is_no_problem_document(atoll, portal):
    portal.faults = [httpx.Response(418, text="<html>teapot</html>")]

    with pytest.raises(Problem, match="is a proxy between") as refused:
        atoll.get("/me")

    assert refused.value.code == "not-atoll"


@pytest.mark.parametrize("path", ["me", "//evil.test/x", "https://evil.test/api/v1/me", ""])
def test_the_token_goes_to_this_atoll_only(atoll, portal, path):
    with pytest.raises(Misconfigured, match="no path of the API"):
        atoll.get(path)
    assert portal.seen == []


def test_redirects_are_not_followed(atoll, portal):
    portal.faults = [httpx.Response(302, headers={"Location": "http://evil.test/"})]

    with pytest.raises(Problem):
        atoll.get("/me")
    assert len(portal.seen) == 1


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://a.test", "http://a.test"),
        (" https://a.test:8443/api/v1/ ", "https://a.test:8443"),
        ("https://a.test/atoll/", "https://a.test/atoll"),
    ],
)
def test_addresses_as_people_write_them(url, base):
    assert Atoll(url).url == base


@pytest.mark.parametrize(
    "url", ["", "a.test", "ftp://a.test", "http://", "http://u:p@a.test", "http://a:99999"]
)
def test_what_is_no_address_is_told_with_an_example(url):
    with pytest.raises(Misconfigured, match=r"give it as in https://atoll\.example\.com"):
        Atoll(url)


def test_every_request_has_a_time_limit(atoll, portal):
    atoll.get("/me")
    atoll.request("GET", "/me", longer=30)

    assert [r.extensions["timeout"]["read"] for r in portal.seen] == [30, 60]
    assert all(r.extensions["timeout"][k] for r in portal.seen for k in ("connect", "write", "pool"))
