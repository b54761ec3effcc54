"""The command line at a terminal, against a portal that runs: progress as it is seen, and Ctrl-C."""

from __future__ import annotations

import json
import re
import sys

import pytest

from tests.support.terminal import CTRL_C, at_a_terminal

pytestmark = pytest.mark.timeout(180)
ATOLL = [sys.executable, "-m", "atoll_client"]
WAITING = {"spec": {"accelerators": [{"class": "nvidia-h100", "count": 2}]}}
"""A spec that waits for an admin, so that nothing comes of it here."""


@pytest.fixture
def environment(atoll, tmp_path):
    return atoll.environment(XDG_CACHE_HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path))


@pytest.fixture
def asked_for(atoll):
    """A cluster that awaits approval."""
    with atoll.api() as api:
        assert api.put("/tenants/demo/clusters/asks", json=WAITING).status_code in {200, 201}
        yield "demo/asks"
        gone(api, "asks")


def gone(api, name):
    """The next module finds the tenant as this one did."""
    assert api.delete(f"/tenants/demo/clusters/{name}?wait=20s").status_code == 200


def test_progress_is_drawn_in_place_and_gone_at_the_end(environment, atoll):
    with at_a_terminal([*ATOLL, "cluster", "create", "demo/drawn", "--wait"], environment) as terminal:
        assert terminal.ended() == 0

    assert re.search(r"cluster demo/drawn: (Pending|Provisioning) \(\d+ s\)", terminal.shown)
    assert "\x1b[1A" in terminal.raw  # up again, over what stood there
    assert terminal.raw.count("\x1b[?25l") == terminal.raw.count("\x1b[?25h") == 1  # the cursor is back
    after_the_picture = terminal.raw.rpartition("\x1b[2K")[2]
    assert after_the_picture.strip() == "cluster demo/drawn created"
    with atoll.api() as api:
        gone(api, "drawn")


def test_ctrl_c_says_that_it_goes_on_and_how(environment, asked_for):
    with at_a_terminal([*ATOLL, "cluster", "wait", asked_for], environment) as terminal:
        terminal.until("AwaitingApproval")
        terminal.type(CTRL_C)
        assert terminal.ended() == 130

    resume = "it goes on; look again: atoll cluster wait demo/asks --for ready"
    assert terminal.shown.rstrip().endswith(f"atoll: interrupted; {resume}")
    assert terminal.raw.count("\x1b[?25h") == 1


def test_json_is_alone_on_standard_output(environment, atoll):
    """The terminal has the progress, the pipe the result."""
    words = [*ATOLL, "cluster", "apply", "demo/piped", "--wait", "-o", "json"]
    with at_a_terminal(words, environment, piped=True) as terminal:
        assert terminal.ended() == 0
        out = terminal.program.stdout.read()

    assert json.loads(out)["status"]["phase"] == "Ready"
    assert "cluster demo/piped: " in terminal.shown
    with atoll.api() as api:
        gone(api, "piped")
