from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab import build
from tests.e2e.stack import Stack, Team, brought_up, free_port


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
    with brought_up(made):
        yield made


@pytest.fixture
def demo(stack):
    with stack.client() as api:
        yield Team(api, "demo")
