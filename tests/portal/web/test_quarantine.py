"""Quarantine on a cluster's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tenancy.actions import quarantine
from tests import factories
from tests.portal.web.conftest import shown

if TYPE_CHECKING:
    from tenancy.models import VirtualCluster
    from tests.portal.web.conftest import World

PAGE = "/clusters/team/first"


@pytest.fixture
def cluster(world: World) -> VirtualCluster:
    return factories.ready(factories.cluster(world.alice, "team", "first"))


def test_only_admins_are_offered_it(world: World, cluster: VirtualCluster) -> None:
    assert "Put into quarantine" in shown(world.client("root").get(PAGE))
    assert "Put into quarantine" not in shown(world.client("alice").get(PAGE))


def test_an_admin_begins_and_lifts_it(world: World, cluster: VirtualCluster) -> None:
    root = world.client("root")
    assert root.post(f"{PAGE}/quarantine", {"reason": "a <b>miner</b>"}).status_code == 302
    said = world.client("alice").get(PAGE)
    assert "root took this cluster out of use" in shown(said)
    assert "<b>miner" not in said.content.decode()
    assert "gives out no kubeconfigs" in shown(said)
    assert "Lift the quarantine" not in shown(said)
    assert root.post(f"{PAGE}/quarantine/lift").status_code == 302
    cluster.refresh_from_db()
    assert not cluster.quarantined


def test_others_may_not(world: World, cluster: VirtualCluster) -> None:
    assert world.client("alice").post(f"{PAGE}/quarantine", {"reason": "x"}).status_code == 403
    quarantine.begin(by=world.root, tenant_name="team", name="first", reason="x")
    assert world.client("alice").post(f"{PAGE}/quarantine/lift").status_code == 403
    assert world.client("charlie").post(f"{PAGE}/quarantine/lift").status_code == 404


def test_without_a_reason_nothing_happens(world: World, cluster: VirtualCluster) -> None:
    assert "Say why" in shown(world.client("root").post(f"{PAGE}/quarantine", {"reason": " "}))
    cluster.refresh_from_db()
    assert not cluster.quarantined
