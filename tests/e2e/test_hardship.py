"""schemathesis at a whole Atoll of its own, while its broker or its host does not answer: no answer but documented ones.

For each hardship, TEST_SECONDS (60) of made-up requests by three identities; then all goes on as if nothing had been.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lab import build, registry
from tests.e2e.stack import REPOSITORY, Stack, Team, brought_up, free_port

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(3600)]
SECONDS = float(os.environ.get("TEST_SECONDS", "60"))
KILL_EVERY = 3.0


class Unlimited(Stack):
    """One that counts no requests: what is made up here comes faster than a quota lets pass."""

    def environment(self):
        return {
            **super().environment(),
            "ATOLL_RATE_TOKEN": "0",
            "ATOLL_RATE_TENANT": "0",
            "ATOLL_RATE_ADDRESS": "0",
        }


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """Of its own, for what is made up deletes what it finds; ``TEST_STACK=HOME:PORT`` names one that may be used up."""
    programs = build.ensure(["kubernetes", "helm"], lambda *_: None)
    given, _, port = os.environ.get("TEST_STACK", "").rpartition(":")
    home = Path(given) if given else tmp_path_factory.mktemp("hardship") / "home"
    made = Unlimited(home, int(port or free_port()), programs / "kubectl", programs / "helm")
    if given:
        yield made
        return
    with brought_up(made):
        yield made


@pytest.fixture(scope="module")
def identities(stack):
    """Files with tokens: demo's owner, the owner of another team, an admin."""
    with stack.client("admin.token") as api:
        account = "/tenants/outside/service-accounts/ci"
        for path, spec in (("/tenants/outside", {}), (account, {"role": "owner"})):
            assert api.put(path, json={"spec": spec}).status_code < 300
        made = api.post(f"{account}/tokens", json={"metadata": {"name": "stranger"}})
        assert made.status_code == 201, made.text
    stranger = stack.home / "stranger.token"
    stranger.write_text(made.json()["token"])
    return {"owner": stack.home / "demo.token", "stranger": stranger, "admin": stack.home / "admin.token"}


def broker(stack):
    return json.loads((stack.home / "run" / "redis.pid").read_text())


def api_server(stack):
    told = json.loads(stack.command("status", "--json").stdout)["lab"]["processes"]
    return next(one for one in told if one["name"].endswith("apiserver"))


@contextmanager
def stopped(stack, find):
    """It takes connections and answers nothing."""
    process = find(stack)
    os.kill(process["pid"], signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process["pid"], signal.SIGCONT)


@contextmanager
def killed(stack, find):
    """It ends as often as it is started again."""
    over = threading.Event()

    def kill():
        while not over.wait(KILL_EVERY):
            with suppress(OSError, ValueError, StopIteration):
                process = find(stack)
                if registry.start_time(process["pid"]) == process["started"]:
                    os.kill(process["pid"], signal.SIGKILL)

    at_it = threading.Thread(target=kill)
    at_it.start()
    try:
        yield
    finally:
        over.set()
        at_it.join()


@contextmanager
def well(stack, find):
    yield


HARDSHIPS = {
    "none": (well, broker),
    "broker-stopped": (stopped, broker),
    "broker-killed": (killed, broker),
    "host-stopped": (stopped, api_server),
    "host-killed": (killed, api_server),
}


@pytest.mark.parametrize("hardship", HARDSHIPS)
def test_answers_are_documented_ones(stack, identities, hardship):
    way, whom = HARDSHIPS[hardship]
    words = [f"{who}={file}" for who, file in identities.items()]
    argv = [sys.executable, "-m", "tests.support.conformity", stack.url, str(SECONDS), *words]
    with way(stack, whom):
        done = subprocess.run(
            argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=SECONDS * 3 + 300, check=False
        )
    sys.stdout.write(f"{hardship}: {done.stdout}")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
    goes_on(stack)


def goes_on(stack):
    """A cluster comes to be and goes."""
    with stack.client("admin.token") as api:
        assert api.put("/tenants/after", json={"spec": {}}).status_code in {200, 201}
        team = Team(api, "after")
        assert team.put("after", {"persistence": "ephemeral"}).status_code == 201
        team.wait_ready("after", 420)
        assert team.delete("after").status_code == 202
        team.wait_gone("after", 300)
