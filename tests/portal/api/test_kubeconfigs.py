from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from portal.api.views import kubeconfigs
from tenancy.actions import access, work
from tenancy.enums import WorkKind
from tenancy.models import AccessRequest, AuditEvent, IdempotencyRecord, VirtualCluster
from tests import factories
from tests.portal.api.client import Api, assert_problem

FIRST = "/tenants/team/clusters/first"
TEXT = "apiVersion: v1\nkind: Config\n"


@pytest.fixture
def cluster(api):
    api.put(FIRST, {"spec": {}})
    return factories.ready(VirtualCluster.objects.get())


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(kubeconfigs, "PATIENCE", 0.0)


def mint(uid=None):
    row = AccessRequest.objects.get(uid=uid) if uid else AccessRequest.objects.get()
    lease = work.claim(WorkKind.ACCESS, row.uid)
    expires = timezone.now() + timedelta(seconds=row.lifetime)
    assert access.hand_over(lease, row.uid, kubeconfig=TEXT, expires_at=expires)
    return expires


def _worker(monkeypatch, answer):
    """A worker that answers while the portal looks: at the second look."""
    real, looks = kubeconfigs.is_pending, []

    def look(uid):
        looks.append(uid)
        if len(looks) == 2:
            answer(uid)
        return real(uid)

    monkeypatch.setattr(kubeconfigs, "is_pending", look)


def test_a_kubeconfig_comes_in_the_first_answer(api, cluster, monkeypatch):
    _worker(monkeypatch, mint)

    response = api.post(f"{FIRST}/kubeconfig", {"lifetime": "30m"})

    assert response.status_code == 201
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    assert (list(body), body["kubeconfig"]) == (["kubeconfig", "expiresAt"], TEXT)
    row = AccessRequest.objects.get()
    assert (row.lifetime, row.sealed, row.state, row.role) == (1800, "", "collected", "owner")
    assert AuditEvent.objects.filter(action="kubeconfig.collect", actor="alice").count() == 1


def test_no_body_asks_for_an_hour(api, cluster, monkeypatch):
    _worker(monkeypatch, mint)

    assert api.post(f"{FIRST}/kubeconfig").status_code == 201
    assert AccessRequest.objects.get().lifetime == 3600


def test_a_late_worker_is_asked_again_at_location(api, cluster, impatient):
    late = api.post(f"{FIRST}/kubeconfig", {})

    assert (late.status_code, late["Retry-After"]) == (202, "2")
    assert late.json() == {"uid": str(AccessRequest.objects.get().uid), "state": "pending"}
    assert api.get(late["Location"]).status_code == 202
    mint()
    collected = api.get(late["Location"])
    assert (collected.status_code, collected.json()["kubeconfig"]) == (200, TEXT)
    assert_problem(api.get(late["Location"]), 404, "not-found")


def test_only_the_one_who_asked_collects(api, cluster, impatient, outsider, admin):
    where = api.post(f"{FIRST}/kubeconfig", {})["Location"]
    mint()

    assert_problem(outsider.get(where), 404, "not-found")
    assert_problem(admin.get(where), 404, "not-found")
    assert api.get(where).status_code == 200


def test_a_refusal_of_the_worker_is_told(api, cluster, monkeypatch):
    def refuse(uid):
        assert access.refuse(work.claim(WorkKind.ACCESS, uid), uid, "host 'lab' does not answer: try again")

    _worker(monkeypatch, refuse)

    response = api.post(f"{FIRST}/kubeconfig", {})

    body = assert_problem(response, 503, "unavailable")
    assert body["detail"] == "host 'lab' does not answer: try again"
    assert response["Retry-After"] == "5"


@pytest.mark.parametrize("lifetime", ["9m", "61m", "2h", "30", 1800, "", None, "forever"])
def test_lifetimes_out_of_range(api, cluster, lifetime):
    body = assert_problem(api.post(f"{FIRST}/kubeconfig", {"lifetime": lifetime}), 400, "invalid")

    assert body["errors"][0]["path"] == "lifetime"


def test_too_early_is_told(api):
    api.put(FIRST, {"spec": {}})

    body = assert_problem(api.post(f"{FIRST}/kubeconfig", {}), 409, "conflict")

    assert "Ready" in body["detail"]


def test_a_key_goes_on_with_the_same_request_and_keeps_no_credential(api, cluster, impatient):
    first = api.post(f"{FIRST}/kubeconfig", {}, Idempotency_Key="k1")
    mint()
    second = api.post(f"{FIRST}/kubeconfig", {}, Idempotency_Key="k1")
    third = api.post(f"{FIRST}/kubeconfig", {}, Idempotency_Key="k1")

    assert (first.status_code, second.status_code) == (202, 201)
    assert second.json()["kubeconfig"] == TEXT
    assert_problem(third, 409, "conflict")
    assert AccessRequest.objects.count() == 1
    assert TEXT not in IdempotencyRecord.objects.get().body


@pytest.mark.django_db(transaction=True)
def test_waiting_for_the_worker_holds_no_lock():
    """The request sits in one thread and looks; the worker writes in another and is not kept waiting."""
    alice = factories.actor("alice")
    factories.host()
    factories.tenant("team", owner=alice)
    factories.ready(factories.cluster(alice, "team"))
    answers = []

    def ask():
        answers.append(Api(alice).post(f"{FIRST}/kubeconfig", {}))
        connections.close_all()

    asking = threading.Thread(target=ask)
    asking.start()
    while not AccessRequest.objects.exists():
        asking.join(0.05)
        assert asking.is_alive()
    mint()
    asking.join(10)

    assert [answer.status_code for answer in answers] == [201]
