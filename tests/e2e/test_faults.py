"""Faults that must change nothing about the end: workers killed, the broker emptied."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
import redis

from tests.e2e.stack import children, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


def helm_alive(pids):
    """Whether one of these processes is Helm."""
    for pid in pids:
        try:
            if Path(f"/proc/{pid}/exe").resolve().name.startswith("helm"):
                return True
        except OSError:
            continue
    return False


def young(pid):
    """Its descendants as the kernel tells them at once: Helm lives for less than a second."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            mine = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        found += [*mine, *(each for child in mine for each in young(child))]
    return found


def kill_worker(main, *, with_helm: bool) -> bool:
    """kill -9 of the worker and its pool at once; True when a Helm child was seen alive just before."""
    end = time.monotonic() + (90 if with_helm else random.uniform(0, 4))
    seen = False
    while time.monotonic() < end and not seen:
        seen = with_helm and helm_alive(young(main))
        time.sleep(0.005)
    victims = [main, *(pid for pid in children(main) if not helm_alive([pid]))]
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return seen


def empty_broker(stack) -> None:
    for _ in range(5):
        broker(stack).flushall()
        time.sleep(1)


def lives_under_fire(stack, demo, names, *, kills_with_helm: int, deleting: bool) -> None:
    """Each cluster's worker is killed while it is made, and while it is deleted if asked for; the broker forgets both.

    Each kill costs the minute after which a lease is nobody's.
    """
    with_helm = 0
    for name in names:
        main = stack.workers()[0]  # beforehand: the question takes seconds, and Helm would be gone
        assert demo.put(name, {"persistence": "ephemeral"}).status_code == 201
        with_helm += kill_worker(main, with_helm=with_helm < kills_with_helm)
        wait_for("the worker is back", lambda: len(stack.workers()) > 1, 60)
    empty_broker(stack)
    for name in names:
        demo.wait_ready(name, 600)
        (namespace,) = stack.namespaces("demo", name)
        assert stack.releases(namespace) == ["cluster"]
        statefulsets = stack.host("get", "statefulsets,deployments", "-n", namespace)["items"]
        assert len([s for s in statefulsets if s["metadata"]["name"] == "cluster"]) == 1
    for name in names:
        main = stack.workers()[0]
        assert demo.delete(name).status_code == 202
        if deleting:
            kill_worker(main, with_helm=False)
            wait_for("the worker is back", lambda: len(stack.workers()) > 1, 60)
    empty_broker(stack)
    for name in names:
        demo.wait_gone(name, 600)
        assert stack.namespaces("demo", name) == []
    assert with_helm >= kills_with_helm


def test_killed_workers_and_an_emptied_broker_change_nothing(stack, demo):
    lives_under_fire(stack, demo, ["fire"], kills_with_helm=1, deleting=False)


@pytest.mark.long
def test_ten_lives_under_fire(stack, demo):
    lives_under_fire(stack, demo, [f"fire-{i}" for i in range(10)], kills_with_helm=3, deleting=True)


def broker(stack) -> redis.Redis:
    lines = (stack.home / "run" / "env").read_text().splitlines()
    url = dict(line.removeprefix("export ").split("=", 1) for line in lines)["ATOLL_BROKER_URL"].strip("'\"")
    return redis.Redis(unix_socket_path=url.split("://", 1)[1])
