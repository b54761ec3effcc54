"""Several writers at once, on real transactions: one effect, one answer for all."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connections

from tenancy.actions import idempotency
from tenancy.models import AuditEvent, Operation, Tenant, VirtualCluster
from tests import factories
from tests.portal.api.client import Api, assert_problem
from tests.support.threads import in_threads

pytestmark = pytest.mark.django_db(transaction=True)
FIRST = "/tenants/team/clusters/first"


@pytest.fixture
def alice():
    alice = factories.actor("alice")
    factories.host()
    factories.tenant("team", owner=alice)
    return alice


def test_equal_puts_make_one_cluster_and_all_succeed(alice):
    api = Api(alice)

    answers = in_threads(6, lambda: api.put(FIRST, {"spec": {"resources": {"cpu": 2}}}))

    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer["ETag"] for answer in answers}) == 1
    assert (VirtualCluster.objects.get().generation, Operation.objects.count()) == (1, 1)
    assert AuditEvent.objects.filter(action="cluster.create").count() == 1


def test_of_writers_who_read_the_same_one_wins(alice):
    api = Api(alice)
    tag = api.put(FIRST, {"spec": {}})["ETag"]
    cpus = iter(range(1, 7))
    lock = threading.Lock()

    def write():
        with lock:
            cpu = next(cpus)
        return api.put(FIRST, {"spec": {"resources": {"cpu": cpu}}}, If_Match=tag)

    answers = in_threads(6, write)

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
    assert VirtualCluster.objects.get().generation == 2


def test_of_editors_of_a_tenant_one_wins(alice):
    """Written by the block that all but clusters share."""
    api = Api(factories.admin())
    tag = api.put("/tenants/blue", {"spec": {}})["ETag"]
    names = iter("abcdef")
    lock = threading.Lock()

    def write():
        with lock:
            name = next(names)
        return api.put("/tenants/blue", {"spec": {"displayName": name}}, If_Match=tag)

    answers = in_threads(6, write)

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
    assert Tenant.objects.get(name="blue").generation == 2


def test_equal_puts_of_a_new_tenant_make_one(alice):
    api = Api(factories.admin())

    answers = in_threads(6, lambda: api.put("/tenants/blue", {"spec": {}}))

    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer["ETag"] for answer in answers}) == 1


def test_twins_with_a_key_have_one_effect_and_one_answer(alice):
    api = Api(alice)

    answers = in_threads(5, lambda: api.post("/tokens", {"metadata": {"name": "ci"}}, Idempotency_Key="k"))

    assert [answer.status_code for answer in answers] == [201] * 5
    assert len({answer.json()["metadata"]["uid"] for answer in answers}) == 1
    assert sum("token" in answer.json() for answer in answers) == 1
    assert alice.user.api_tokens.filter(name="ci").count() == 1


def test_fifty_posts_with_a_key_have_one_effect(alice):
    """Who waits longer than 5 seconds is told to come again, and then gets the first one's answer."""
    api = Api(alice)
    body = {"metadata": {"name": "first"}, "spec": {"resources": {"cpu": 2}}}

    def send():
        return api.post("/tenants/team/clusters", body, Idempotency_Key="one")

    answers = in_threads(50, send)
    late = [answer for answer in answers if answer.status_code == 409]
    assert {answer.json()["code"] for answer in late} <= {"idempotency-key-in-use"}
    answers = [answer if answer.status_code != 409 else send() for answer in answers]

    assert [answer.status_code for answer in answers] == [201] * 50
    assert len({answer.json()["metadata"]["uid"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer for answer in answers) == 1
    assert (VirtualCluster.objects.count(), Operation.objects.count()) == (1, 1)
    assert AuditEvent.objects.filter(action="cluster.create").count() == 1


def test_a_twin_does_not_wait_for_ever(alice, monkeypatch):
    """The first request holds its transaction open; the second is told so in time and may come again."""
    api = Api(alice)
    monkeypatch.setattr(idempotency, "PATIENCE_MS", 300)
    assert api.get("/me").status_code == 200  # notes the use of the token, which is a write as well
    inside, leave = threading.Event(), threading.Event()
    first = []

    def slow():
        def effect():
            inside.set()
            leave.wait(20)
            return idempotency.StoredAnswer(201, "{}")

        try:
            first.append(idempotency.once(by=alice, key="k", fingerprint="f", effect=effect))
        finally:
            connections.close_all()

    holder = threading.Thread(target=slow)
    holder.start()
    assert inside.wait(10)
    began = time.monotonic()
    response = api.post("/tokens", {"metadata": {"name": "ci"}}, Idempotency_Key="k")
    took = time.monotonic() - began
    leave.set()
    holder.join(20)

    body = assert_problem(response, 409, "idempotency-key-in-use")
    assert response["Retry-After"] == "1"
    assert "again" in body["detail"]
    assert took < 6
    assert first[0][1] is False


def test_a_delete_and_a_put_are_decided_one_after_the_other(alice):
    api = Api(alice)
    api.put(FIRST, {"spec": {}})
    verbs = iter([lambda: api.delete(FIRST), lambda: api.put(FIRST, {"spec": {"resources": {"cpu": 2}}})])
    lock = threading.Lock()

    def act():
        with lock:
            verb = next(verbs)
        return verb()

    statuses = sorted(answer.status_code for answer in in_threads(2, act))

    assert statuses in ([200, 202], [202, 409])
    cluster = VirtualCluster.objects.get()
    assert cluster.deleting
    assert Operation.objects.filter(state="running").get().kind == "delete"


def test_a_version_goes_or_clusters_stand_on_it(alice):
    """Who removes it and who begins with it come at the same moment: nobody stands on nothing."""
    api, admin = Api(alice), Api(factories.admin())
    factories.published("1.0.0")
    spec = {"template": {"name": "web", "version": "1.0.0"}}
    jobs = [lambda n=n: api.put(f"/tenants/team/clusters/c{n}", {"spec": spec}) for n in range(3)]
    jobs += [lambda: admin.delete("/cluster-templates/web/versions/1.0.0")] * 2
    lock = threading.Lock()

    def one():
        with lock:
            job = jobs.pop()
        return job()

    answers = in_threads(5, one)

    there = admin.get("/cluster-templates/web/versions/1.0.0").status_code == 200
    made = VirtualCluster.objects.filter(template_version__isnull=False).count()
    assert (made > 0) == there
    codes = sorted(answer.status_code for answer in answers)
    assert codes in ([200, 400, 400, 400, 404], [201, 201, 201, 409, 409]), codes
