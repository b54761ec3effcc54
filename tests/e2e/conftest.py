from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab import build
from tests.e2e.stack import Stack, Team, free_port, wait_for


@pytest.fixture(scope="package")
def stack(tmp_path_factory):
    """One Atoll with its lab for all end-to-end tests; stopped as Ctrl-C stops it.

    ``TEST_STACK=HOME:PORT`` names one that runs already and is left running.
    """
    programs = build.ensure(["kubernetes", "helm"], lambda *_: None)
    given = os.environ.get("TEST_STACK")
    if given:
        folder, _, port = given.rpartition(":")
        yield Stack(Path(folder), int(port), programs / "kubectl", programs / "helm")
        return
    home = tmp_path_factory.mktemp("e2e") / "home"
    made = Stack(home, free_port(), programs / "kubectl", programs / "helm")
    made.up()
    try:
        with made.client() as api:
            demo = Team(api, "demo")
            wait_for("the bootstrap made demo/first", lambda: demo.get("first").status_code == 200, 120)
            demo.wait_ready("first", 300)
        yield made
    finally:
        made.stop()


@pytest.fixture
def demo(stack):
    with stack.client() as api:
        yield Team(api, "demo")
