"""The card of isolation reports on a cluster's page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tenancy.enums import ClaimResult
from tenancy.models import IsolationReport
from tests import factories
from tests.portal.web.conftest import shown

if TYPE_CHECKING:
    from tenancy.models import VirtualCluster
    from tests.portal.web.conftest import World

PAGE = "/clusters/team/first"


@pytest.fixture
def cluster(world: World) -> VirtualCluster:
    return factories.ready(factories.cluster(world.alice, "team", "first"))


def test_without_a_report_the_page_says_so_and_offers_one(world: World, cluster: VirtualCluster) -> None:
    said = world.client("alice").get(PAGE)
    assert "No report yet" in shown(said)
    assert "ask-report" in said.content.decode()
    assert "ask-report" not in world.client("vera").get(PAGE).content.decode()


def test_asking_shows_that_one_is_being_made(world: World, cluster: VirtualCluster) -> None:
    client = world.client("alice")
    assert client.post(f"{PAGE}/reports").status_code == 302
    said = client.get(PAGE)
    assert "A new report is being made" in shown(said)
    assert "ask-report" not in said.content.decode()
    assert IsolationReport.objects.get().requested_by == "alice"


def test_a_report_shows_its_claims_and_can_be_downloaded(world: World, cluster: VirtualCluster) -> None:
    made = factories.report(cluster, factories.claim(name="quota", evidence="zero for nvidia.com/gpu"))
    said = world.client("vera").get(PAGE)
    assert "Holds" in shown(said)
    assert "zero for nvidia.com/gpu" in shown(said)
    (link,) = re.findall(r'id="report" href="([^"]+)"', said.content.decode())
    file = world.client("vera").get(link)
    assert file.content.decode() == made.envelope + "\n"
    assert file["Content-Type"] == "application/jose"
    assert world.client("charlie").get(link).status_code == 404


def test_a_failed_one_names_the_control_and_what_was_seen(world: World, cluster: VirtualCluster) -> None:
    factories.report(cluster, factories.claim(ClaimResult.NOT_RUN, "limits", "it <b>broke</b>"))
    said = world.client("alice").get(PAGE)
    assert "Does not hold" in shown(said)
    assert "could not run" in shown(said)
    assert "Control of limits" in shown(said)
    assert "<b>broke" not in said.content.decode()


def test_the_page_renews_itself_when_a_report_comes(world: World, cluster: VirtualCluster) -> None:
    client = world.client("alice")
    seen = re.search(r"seen=(\w+)", client.get(PAGE).content.decode())
    assert seen is not None
    assert client.get(f"{PAGE}/live?seen={seen[1]}").status_code == 204
    factories.report(cluster)
    assert "Holds" in shown(client.get(f"{PAGE}/live?seen={seen[1]}"))


def test_an_expired_one_is_told_as_such(world: World, cluster: VirtualCluster) -> None:
    made = factories.report(cluster)
    IsolationReport.objects.filter(pk=made.pk).update(expires_at=made.requested_at)
    assert "Expired" in shown(world.client("alice").get(PAGE))
