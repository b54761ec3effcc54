"""Quotas of tokens, tenants and addresses, counted in one process and, through a real Redis, in several."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from contextlib import asynccontextmanager

import pytest
from django.core.cache.backends.redis import RedisCache

from portal import quotas, shared_counts
from portal.quotas import LocalCounts, Quota, Way
from portal.shared_counts import SharedCounts
from portal.web import throttle
from tests.support import redis_server


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with redis_server.running(tmp_path_factory.mktemp("redis")) as server:
        yield server


@asynccontextmanager
async def counts_in(server):
    # On a busy machine 0.2 s pass, and then each process counts for itself: that is another test's matter.
    counts = SharedCounts(server.url, patience=10) if server else LocalCounts()
    try:
        yield counts
    finally:
        if server:
            await counts.close()


@pytest.fixture(params=["memory", "redis"])
def ask(request):
    """Runs what a test asks of a store, in a loop of its own."""
    server = request.getfixturevalue("redis") if request.param == "redis" else None
    if server:
        server.client().flushall()

    def run(script):
        async def body():
            async with counts_in(server) as counts:
                return await script(counts)

        return asyncio.run(body())

    return run


async def lefts(counts, quota, key, times, way=Way.TAKE):
    return [(await counts.ask(quota, key, way)).left for _ in range(times)]


def test_a_fifth_of_a_minute_may_come_at_once_and_the_rest_is_earned(ask):
    quota = Quota("token", 60)

    async def script(counts):
        assert await lefts(counts, quota, "a", 13) == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, -1]
        refused = await counts.ask(quota, "a")
        assert refused.refused
        assert 0.5 < refused.wait <= 1
        await asyncio.sleep(refused.wait)
        assert await lefts(counts, quota, "a", 2) == [0, -1]
        assert await lefts(counts, quota, "b", 1) == [11]
        assert (await counts.ask(Quota("tenant", 60), "a")).left == 11

    ask(script)


def test_looking_costs_nothing_and_what_happened_is_owed(ask):
    quota = Quota("address", 60)

    async def script(counts):
        assert await lefts(counts, quota, "a", 3, Way.LOOK) == [11] * 3
        await lefts(counts, quota, "a", 20, Way.CHARGE)
        verdict = await counts.ask(quota, "a", Way.LOOK)
        assert verdict.refused
        assert 8 < verdict.wait <= 9, "12 were free, 8 are owed, and this would be the next"

    ask(script)


def test_facts_are_remembered_until_they_are_forgotten(ask):
    async def script(counts):
        assert not await counts.remembers("good:a")
        await counts.remember("good:a", 60)
        assert await counts.remembers("good:a")
        await counts.remember("good:a", 0)
        assert not await counts.remembers("good:a")

    ask(script)


def test_many_at_once_get_no_more_than_there_is(ask):
    async def script(counts):
        verdicts = await asyncio.gather(*(counts.ask(Quota("token", 60), "a") for _ in range(100)))
        assert sum(not verdict.refused for verdict in verdicts) == 12

    ask(script)


def test_two_processes_count_together_and_leave_nothing_behind(redis):
    redis.client().flushall()
    quota, passed = Quota("token", 600), []

    def portal():
        async def body():
            async with counts_in(redis) as counts:
                passed.append(sum(left >= 0 for left in await lefts(counts, quota, "a", 150)))

        asyncio.run(body())

    begun = time.monotonic()
    both = [threading.Thread(target=portal) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(20)

    earned = (time.monotonic() - begun) / quota.interval
    assert 120 <= sum(passed) <= 121 + earned
    (key,) = redis.client().keys()
    assert 0 < redis.client().pttl(key) <= 12_100


def test_while_the_store_is_away_each_counts_for_itself_and_says_so_once(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(shared_counts, "PAUSE", 0.2)
    quota = Quota("token", 60)

    async def script(server):
        async with counts_in(server) as counts:
            assert await lefts(counts, quota, "a", 12) == list(range(11, -1, -1))
            server.kill()
            begun = time.monotonic()
            assert await lefts(counts, quota, "a", 13) == [*range(11, -1, -1), -1]
            await counts.remember("good:a", 60)
            assert not await counts.remembers("good:a")
            assert time.monotonic() - begun < 1
            server.start()
            await asyncio.sleep(0.25)
            assert (await counts.ask(quota, "new")).left == 11
            assert server.client().exists("atoll:rate:token:new")

    with redis_server.running(tmp_path) as server, caplog.at_level(logging.WARNING, "portal.shared_counts"):
        asyncio.run(script(server))
    assert len(caplog.records) == 1
    assert "does not answer, so this process counts for itself" in caplog.text


def test_a_store_that_hangs_costs_a_request_a_fifth_of_a_second(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_counts, "PAUSE", 60.0)

    async def script():
        counts = SharedCounts(f"unix://{tmp_path}/r.sock")
        begun = time.monotonic()
        assert (await counts.ask(Quota("token", 60), "a")).left == 11
        first = time.monotonic() - begun
        assert (await counts.ask(Quota("token", 60), "a")).left == 10
        await counts.close()
        return first, time.monotonic() - begun - first

    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "r.sock"))
        deaf.listen()
        first, second = asyncio.run(script())
    assert 0.15 < first < 1.5
    assert second < 0.1


@pytest.fixture
def sign_ins(redis, monkeypatch):
    """Sign-ins that failed, counted in the Redis as settings have it."""
    redis.client().flushall()
    options = {"serializer": "portal.web.throttle.Whole", "socket_timeout": 0.2}
    cache = RedisCache(redis.url, {"KEY_PREFIX": "atoll:sign-in", "OPTIONS": options})
    monkeypatch.setattr(throttle, "cache", cache)
    return redis


def test_sign_ins_that_fail_are_counted_together(sign_ins):
    for _ in range(throttle.ATTEMPTS):
        assert not throttle.blocked("Ann", "192.0.2.1")
        throttle.note_failure("ann", "192.0.2.1")
    (key,) = sign_ins.client().keys()
    assert (sign_ins.client().get(key), sign_ins.client().ttl(key) <= throttle.WINDOW) == (b"10", True)
    assert throttle.blocked("ANN", "192.0.2.1")
    assert not throttle.blocked("ann", "192.0.2.2")
    throttle.forget("ann", "192.0.2.1")
    assert not throttle.blocked("ann", "192.0.2.1")


def test_what_somebody_else_puts_there_is_not_run(sign_ins):
    throttle.note_failure("ann", "192.0.2.1")
    (key,) = sign_ins.client().keys()
    sign_ins.client().set(key, b"cos\nsystem\n(S'true'\ntR.")

    with pytest.raises(ValueError, match="invalid literal"):
        throttle.blocked("ann", "192.0.2.1")


def test_sign_ins_are_counted_here_while_the_store_is_away(tmp_path, monkeypatch, caplog):
    cache = RedisCache(f"unix://{tmp_path}/none.sock", {"OPTIONS": {"socket_connect_timeout": 0.2}})
    monkeypatch.setattr(throttle, "cache", cache)
    begun = time.monotonic()

    for _ in range(throttle.ATTEMPTS):
        throttle.note_failure("ben", "192.0.2.1")

    assert throttle.blocked("ben", "192.0.2.1")
    assert time.monotonic() - begun < 2
    assert "counts sign-ins for itself" in caplog.text


def test_a_flood_lets_through_what_the_quota_says_and_no_more(clock):
    quota = Quota("token", 600)

    async def script():
        counts, passed = LocalCounts(clock), 0
        for _ in range(60_000):  # a minute of a thousand a second
            clock.now += 0.001
            passed += not (await counts.ask(quota, "a")).refused
        return passed

    assert 719 <= asyncio.run(script()) <= 721  # a minute's worth, and the burst of a fifth


def test_keys_are_forgotten_first_those_that_have_earned_all(clock, monkeypatch):
    monkeypatch.setattr(quotas, "KEYS_MAX", 3)

    async def script():
        counts = LocalCounts(clock)
        for key in "abcdef":
            await counts.ask(Quota("token", 60), key)
            clock.now += 2
        for key in "ghijkl":
            await counts.ask(Quota("token", 60), key)
        return len(counts._until)

    assert asyncio.run(script()) <= 3
