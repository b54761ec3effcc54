from __future__ import annotations

import asyncio
import json

import pytest

from portal.rates import INSIDE, Meter, Quota, RateLimit

ALICE = (b"authorization", b"Bearer alice")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_fifth_of_a_minute_may_come_at_once_and_the_rest_is_earned(clock):
    meter = Meter(Quota("token", 60), clock)

    assert [meter.take("a").left for _ in range(13)] == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, -1]
    refused = meter.take("a")
    assert (refused.refused, refused.wait) == (True, 1.0)
    clock.now += 1
    assert not meter.take("a").refused
    assert meter.take("a").refused
    clock.now += 3600
    assert meter.take("a").left == 11


def test_a_flood_lets_through_what_the_quota_says_and_no_more(clock):
    meter = Meter(Quota("token", 600), clock)
    passed = 0
    for _ in range(60_000):  # a minute of a thousand a second
        clock.now += 0.001
        passed += not meter.take("a").refused

    assert 719 <= passed <= 721  # a minute's worth, and the burst of a fifth


def test_keys_do_not_feel_each_other(clock):
    meter = Meter(Quota("token", 5), clock)
    while not meter.take("loud").refused:
        pass

    assert not meter.take("quiet").refused


def test_keys_that_have_earned_all_are_forgotten(clock, monkeypatch):
    monkeypatch.setattr("portal.rates.KEYS_MAX", 3)
    meter = Meter(Quota("token", 60), clock)
    for key in "abcdef":
        meter.take(key)
        clock.now += 2

    assert len(meter._full_at) <= 3


class Stage:
    """The portal behind the limit; an application that lets only ``alice`` and ``ann`` into ``team``."""

    def __init__(self, **quotas):
        self.seen = 0
        self.limit = RateLimit(self.application, **{"a_token": 50, "a_tenant": 100, **quotas})

    async def application(self, scope, _receive, send):
        self.seen += 1
        if dict(scope["headers"]).get(b"authorization", b"").endswith((b"alice", b"ann")):
            scope[INSIDE] = True
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})
        await send({"type": "http.response.body", "body": b""})

    def get(self, who, path="/api/v1/tenants/team/clusters"):
        sent = []

        async def send(message):
            sent.append(message)

        headers = [(b"authorization", who)] if who else []
        scope = {"type": "http", "path": path, "headers": headers}
        asyncio.run(self.limit(scope, None, send))
        return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def test_whoever_asks_too_often_is_told_when_to_come_back():
    stage = Stage()
    for _ in range(10):
        assert stage.get(b"Bearer bob")[0] == 200

    status, headers, body = stage.get(b"bearer   bob")

    assert (status, stage.seen) == (429, 10)
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"retry-after"] in {b"1", b"2"}
    assert headers[b"ratelimit-policy"] == b'"token";q=10;w=12'
    assert headers[b"ratelimit"].startswith(b'"token";r=0;t=')
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (429, "too-many-requests")
    assert stage.get(b"Bearer carol")[0] == 200


def test_each_answer_tells_what_is_left():
    stage = Stage()

    _, headers, _ = stage.get(b"Bearer bob")

    assert headers[b"x"] == b"y"
    assert (headers[b"ratelimit-policy"], headers[b"ratelimit"]) == (
        b'"token";q=10;w=12',
        b'"token";r=9;t=2',
    )


def test_a_tenants_tokens_share_its_quota():
    stage = Stage(a_token=5000)
    statuses = [stage.get(who)[0] for who in (b"Bearer alice", b"Bearer ann") * 13]

    assert statuses.count(200) == 22  # twenty, and the first of each, before it was known where they belong
    assert stage.get(b"Bearer alice", "/api/v1/tenants/other/clusters")[0] == 200
    assert stage.get(b"Bearer alice", "/api/v1/tenants/team")[0] == 200


def test_strangers_neither_use_up_a_tenants_quota_nor_feel_it():
    stage = Stage(a_token=5000)
    for _ in range(100):
        assert stage.get(b"Bearer stranger")[0] == 200
    while stage.get(b"Bearer alice")[0] == 200:
        pass

    status, headers, _ = stage.get(b"Bearer stranger")
    assert status == 200
    assert b"tenant" not in headers[b"ratelimit"]


def test_who_shows_no_token_and_where_there_is_no_limit_nothing_is_counted():
    some, free = Stage(), Stage(a_token=0, a_tenant=0)

    assert {some.get(b"")[0] for _ in range(50)} == {200}
    assert {free.get(b"Bearer bob")[0] for _ in range(50)} == {200}
    assert b"ratelimit" not in free.get(b"Bearer bob")[1]
