"""What the portal's limits do to a request: who passes, who is refused, what each is told."""

from __future__ import annotations

import asyncio
import json
import time

from portal import rates
from portal.quotas import LocalCounts
from portal.rates import INSIDE, KNOWN, OPEN, RateLimit


class Stage:
    """The portal behind the limit; an application that lets only ``alice`` and ``ann`` into ``team``."""

    def __init__(self, **quotas):
        self.seen, self.revoked = 0, [b"revoked"]
        limits = {"a_token": 50, "a_tenant": 100, "pause": 0, **quotas}
        self.limit = RateLimit(self.application, LocalCounts(), **limits)

    async def application(self, scope, _receive, send):
        self.seen += 1
        sent = dict(scope["headers"]).get(b"authorization", b"")
        if sent.endswith((b"alice", b"ann")):
            scope[INSIDE] = True
        guessed = not sent or sent.endswith(tuple(self.revoked)) or b"guess" in sent
        if not guessed:
            scope[KNOWN] = True
        status = (400 if scope["path"] in OPEN else 401) if guessed else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"x", b"y")]})
        await send({"type": "http.response.body", "body": b""})

    def get(self, who, path="/api/v1/tenants/team/clusters", address="192.0.2.1"):
        start, body = asyncio.run(self._answer(who, path, address))
        return start["status"], dict(start["headers"]), body["body"]

    async def ask(self, who):
        start, _ = await self._answer(who, "/api/v1/me", "192.0.2.1")
        return start["status"]

    async def _answer(self, who, path, address):
        sent = []

        async def send(message):
            sent.append(message)

        headers = [(b"authorization", who)] if who else []
        scope = {"type": "http", "path": path, "headers": headers, "client": (address, 4711)}
        await self.limit(scope, None, send)
        return sent


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


def test_a_refusal_takes_a_moment_in_which_nobody_else_waits(monkeypatch):
    """Who goes on asking asks at the pace of refusals; beyond so many of them they cost no memory, either."""
    monkeypatch.setattr(rates, "HELD_MAX", 2)
    stage = Stage(pause=0.2)
    for _ in range(10):
        stage.get(b"Bearer bob")

    async def asked(who):
        begun = time.monotonic()
        status = await stage.ask(who)
        return status, time.monotonic() - begun > 0.15

    async def together():
        return await asyncio.gather(*(asked(who) for who in (b"Bearer bob",) * 3 + (b"Bearer carol",)))

    assert asyncio.run(together()) == [(429, True), (429, True), (429, False), (200, False)]
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

    assert {some.get(b"", "/sign-in")[0] for _ in range(50)} == {401}
    assert {free.get(b"Bearer bob")[0] for _ in range(50)} == {200}
    assert b"ratelimit" not in free.get(b"Bearer bob")[1]


def guesses(stage, count, address="192.0.2.1"):
    return [stage.get(b"Bearer guess%d" % number, address=address)[0] for number in range(count)]


def test_whoever_guesses_is_slowed_down_and_told():
    stage = Stage(an_address=60)

    assert guesses(stage, 30) == [401] * 12 + [429] * 18
    assert stage.seen == 12
    status, headers, body = stage.get(b"Bearer guess-more")
    assert (status, headers[b"retry-after"]) == (429, b"1")
    assert headers[b"ratelimit-policy"] == b'"address";q=12;w=12'
    assert "more than 60 requests a minute from your address had no good token" in json.loads(body)["detail"]
    assert guesses(stage, 1, "192.0.2.2") == [401]


EXCHANGE = "/api/v1/token-exchange"


def test_who_shows_no_token_is_refused_as_often_as_who_guesses():
    stage = Stage(an_address=60)

    assert [stage.get(b"")[0] for _ in range(20)] == [401] * 12 + [429] * 8
    assert stage.get(b"Bearer carol")[0] == 200, "a new token does not feel it"
    assert guesses(stage, 1) == [401]
    assert stage.get(b"", "/sign-in")[0] == 401
    assert stage.get(b"", address="192.0.2.2")[0] == 401


def test_what_is_open_to_all_has_a_quota_of_refusals_of_its_own():
    """Whoever exchanges a job's token does not feel who guesses; a token beside it makes nothing of it."""
    stage = Stage(an_address=60)
    guesses(stage, 30)

    tried = [stage.get(b"Bearer guess%d" % number, EXCHANGE)[0] for number in range(20)]
    assert tried == [400] * 12 + [429] * 8
    assert stage.get(b"", "/api/v1/openapi.json")[0] == 400


def test_good_tokens_from_where_somebody_guesses_go_on():
    stage = Stage(an_address=60)
    assert stage.get(b"Bearer bob")[0] == 200
    guesses(stage, 30)

    assert stage.get(b"Bearer bob")[0] == 200
    assert stage.get(b"Bearer bob", address="192.0.2.9")[0] == 200
    restarted = Stage(an_address=60)
    restarted.limit._counts = stage.limit._counts
    assert restarted.get(b"Bearer bob")[0] == 200, "another process knows it from the store"
    assert restarted.get(b"Bearer carol")[0] == 429, "nobody has seen it: it may be a guess"


def test_a_token_that_was_good_is_a_guess_once_it_is_refused():
    stage = Stage(an_address=60)
    assert stage.get(b"Bearer bob")[0] == 200
    stage.revoked.append(b"bob")
    assert stage.get(b"Bearer bob")[0] == 401
    guesses(stage, 30)

    assert stage.get(b"Bearer bob")[0] == 429


def test_a_network_of_version_6_is_one_address():
    stage = Stage(an_address=60, a_token=0)
    for host in range(12):
        assert guesses(stage, 1, f"2001:db8::{host}") == [401]

    assert guesses(stage, 1, "2001:db8::ffff:1") == [429]
    assert guesses(stage, 1, "2001:db8:0:1::1") == [401]
    assert guesses(stage, 1, "somewhere") == [401]
    assert guesses(stage, 13, "192.0.2.7")[-1:] == guesses(stage, 1, "::ffff:192.0.2.7") == [429]
