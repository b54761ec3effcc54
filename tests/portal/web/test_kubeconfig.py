from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.web.views import access as views
from tenancy.actions import access, tenants, work
from tenancy.enums import WorkKind
from tenancy.models import AccessRequest, AuditEvent
from tests import factories
from tests.portal.web.conftest import World, shown

ADDRESS = "/clusters/team/first/kubeconfig"


@pytest.fixture
def ready(world: World) -> World:
    factories.ready(factories.cluster(world.alice, "team", "first"))
    return world


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PATIENCE", 0.3)


def answer_first_look(monkeypatch: pytest.MonkeyPatch, mint) -> None:
    """The worker answers between the portal's first look and its second."""
    collect = access.collect

    def late(**facts):
        found = collect(**facts)
        mint(facts["uid"])
        monkeypatch.setattr(access, "collect", collect)
        return found

    monkeypatch.setattr(access, "collect", late)


def mint(uid) -> None:
    lease = work.claim(WorkKind.ACCESS, uid)
    assert lease is not None
    expires = timezone.now() + timedelta(minutes=10)
    assert access.hand_over(lease, uid, kubeconfig="kind: Config\n", expires_at=expires)
    work.finish(lease)


def refuse(uid) -> None:
    lease = work.claim(WorkKind.ACCESS, uid)
    assert lease is not None
    assert access.refuse(lease, uid, "the tenant's API did not answer: try again")
    work.finish(lease)


def test_download_is_a_file_with_the_lifetime_asked_for(
    ready: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_first_look(monkeypatch, mint)
    response = ready.client("vera").post(ADDRESS, {"lifetime": "600"})
    assert response.content == b"kind: Config\n"
    assert response["Content-Disposition"] == 'attachment; filename="team-first.yaml"'
    assert "no-store" in response["Cache-Control"].split(", ")
    assert response["X-Atoll-Expires-At"] > timezone.now().isoformat()
    row = AccessRequest.objects.get()
    assert (row.lifetime, row.role, row.sealed) == (600, "viewer", "")
    asked = AuditEvent.objects.filter(action__startswith="kubeconfig.").values_list("action", flat=True)
    assert set(asked) == {"kubeconfig.request", "kubeconfig.collect"}


def test_refusal_of_the_worker_is_told(ready: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_first_look(monkeypatch, refuse)
    response = ready.client("alice").post(ADDRESS, {"lifetime": "600"})
    assert response.status_code == 409
    assert "No kubeconfig could be made: the tenant's API did not answer: try again." in shown(response)


@pytest.mark.usefixtures("impatient")
def test_late_worker_is_told_and_nothing_is_held(ready: World) -> None:
    started = time.monotonic()
    response = ready.client("alice").post(ADDRESS, {"lifetime": "600"})
    assert response.status_code == 503
    assert "Ask again in a moment" in shown(response)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("lifetime", ["", "5", "86400", "soon"])
def test_other_lifetimes_are_refused(ready: World, lifetime: str) -> None:
    response = ready.client("alice").post(ADDRESS, {"lifetime": lifetime})
    assert response.status_code == 409
    assert "10 minutes, 30 minutes or an hour" in shown(response)
    assert not AccessRequest.objects.exists()


def test_cluster_that_is_not_ready_gives_none(world: World) -> None:
    factories.cluster(world.alice, "team", "first")
    response = world.client("alice").post(ADDRESS, {"lifetime": "600"})
    assert "wait until it is Ready" in shown(response)


def test_download_by_a_link_does_nothing(ready: World) -> None:
    assert ready.client("alice").get(ADDRESS).status_code == 405


def test_who_may_not_is_told_so_and_it_is_written_down(ready: World) -> None:
    tenants.update(by=factories.admin(), name="team", suspended=True)
    assert ready.client("vera").post(ADDRESS, {"lifetime": "600"}).status_code == 403
    (row,) = AuditEvent.objects.filter(action="denied")
    assert (row.actor, row.tenant, row.target) == ("vera", "team", ADDRESS)
    assert not AccessRequest.objects.exists()
