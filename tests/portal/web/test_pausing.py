"""Pause and Resume, on a cluster's page and in the list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tenancy.actions import pausing
from tenancy.enums import ConditionStatus, ConditionType, Phase, Reason
from tenancy.rules.conditions import Condition
from tests import factories
from tests.portal.web.conftest import shown

if TYPE_CHECKING:
    from tenancy.models import VirtualCluster
    from tests.portal.web.conftest import World

PAGE = "/clusters/team/first"


@pytest.fixture
def cluster(world: World) -> VirtualCluster:
    return factories.ready(factories.cluster(world.alice, "team", "first"))


def sleep(made: VirtualCluster) -> None:
    made.refresh_from_db()
    told = Condition(ConditionType.PAUSED, ConditionStatus.TRUE, Reason.PAUSED, "asleep", made.generation)
    assert factories.observe(made, told, clean=True).phase == Phase.PAUSED


def test_it_is_told_what_it_means_then_it_sleeps_and_wakes(world: World, cluster: VirtualCluster) -> None:
    alice = world.client("alice")
    for page in ("/", PAGE, "/tenants/team"):
        assert f'href="{PAGE}/pause"' in alice.get(page).content.decode()
    asked = shown(alice.get(f"{PAGE}/pause"))
    assert "Its objects and volumes are kept" in asked
    assert "Its accelerators" not in asked
    assert alice.post(f"{PAGE}/pause")["Location"] == PAGE
    sleep(cluster)
    said = shown(alice.get(PAGE))
    assert "Resume wakes it" in said
    assert "gives out no kubeconfigs" in said
    for page in ("/", PAGE):
        assert f'action="{PAGE}/resume"' in alice.get(page).content.decode()
    assert alice.post(f"{PAGE}/resume").status_code == 302
    cluster.refresh_from_db()
    assert cluster.spec_text == "{}"


def test_who_only_looks_is_offered_neither(world: World, cluster: VirtualCluster) -> None:
    vera = world.client("vera")
    for page in ("/", PAGE):
        assert "/pause" not in vera.get(page).content.decode()
    assert vera.get(f"{PAGE}/pause").status_code == 403
    assert vera.post(f"{PAGE}/resume").status_code == 403
    assert world.client("charlie").post(f"{PAGE}/pause").status_code == 404


def test_what_cannot_sleep_is_told_why(world: World) -> None:
    factories.ready(factories.cluster(world.alice, "team", "first", {"persistence": "ephemeral"}))
    answer = world.client("alice").post(f"{PAGE}/pause")
    assert answer.status_code == 422
    assert "would forget every object" in shown(answer)


@pytest.mark.parametrize(("choice", "released"), [("keep", False), ("release", True)])
def test_with_accelerators_it_is_asked_what_becomes_of_them(
    world: World, choice: str, released: bool
) -> None:
    factories.accelerator()
    factories.gpu_pool(4)
    factories.gpu_grant(world.alice, 2)
    spec = {"accelerators": [{"class": "gpu", "count": 2}]}
    made = factories.ready(factories.cluster(world.alice, "team", "first", spec))
    alice = world.client("alice")
    asked = shown(alice.get(f"{PAGE}/pause"))
    assert "It has 2 gpu" in asked
    assert "Give them back" in asked
    assert alice.post(f"{PAGE}/pause").status_code == 422
    assert alice.post(f"{PAGE}/pause", {"accelerators": choice}).status_code == 302
    made.refresh_from_db()
    told = json.loads(made.spec_text)
    assert (told["paused"], told.get(pausing.RELEASE, False)) == (True, released)
    assert ("none while it sleeps" in shown(alice.get(PAGE))) is released
