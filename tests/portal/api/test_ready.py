from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient

from portal.api import waiting
from tenancy.enums import ConditionStatus, ConditionType, Reason
from tenancy.models import VirtualCluster
from tenancy.rules.conditions import Condition
from tests import factories
from tests.portal.api.client import assert_problem

FIRST = "/tenants/team/clusters/first"


@pytest.fixture
def cluster(api):
    api.put(FIRST, {"spec": {}})
    return VirtualCluster.objects.get()


def test_not_ready_says_when_to_come_back_and_why(api, cluster):
    seen = Condition(
        ConditionType.HOST_REACHABLE, ConditionStatus.FALSE, Reason.HOST_STARTING, "containerd: 3 of 9", 1
    )
    factories.observe(cluster, seen)

    response = api.get(f"{FIRST}/ready")

    body = assert_problem(response, 503, "not-ready")
    assert response["Retry-After"] == "2"
    assert (body["phase"], body["detail"]) == ("Pending", "team/first is Pending: containerd: 3 of 9")


def test_ready_answers_with_the_cluster(api, cluster):
    factories.ready(cluster)

    response = api.get(f"{FIRST}/ready")

    assert response.status_code == 200
    assert response.json() == api.get(FIRST).json()
    assert response["ETag"] == api.get(FIRST)["ETag"]


def test_ready_means_at_this_generation(api, cluster):
    factories.ready(cluster)
    api.put(FIRST, {"spec": {"resources": {"cpu": 1}}})

    assert_problem(api.get(f"{FIRST}/ready"), 503, "not-ready")


def test_a_stalled_cluster_ends_the_waiting(api, cluster):
    factories.observe(
        cluster,
        Condition(ConditionType.STALLED, ConditionStatus.TRUE, Reason.CHART_INVALID, "values: bad", 1),
    )

    body = assert_problem(api.get(f"{FIRST}/ready?wait=30s"), 409, "will-not-be-ready")

    assert body["detail"] == "team/first is Failed: values: bad"


def test_a_cluster_on_its_way_out_ends_the_waiting(api, cluster):
    api.delete(FIRST)

    assert_problem(api.get(f"{FIRST}/ready?wait=30s"), 409, "will-not-be-ready")


def test_waiting_ends_after_the_time_asked_for(api, cluster):
    began = time.monotonic()

    assert_problem(api.get(f"{FIRST}/ready?wait=1s"), 503, "not-ready")

    assert 0.5 <= time.monotonic() - began < 3


@pytest.mark.parametrize("wait", ["30", "soon", "-1s", "61s", "2h", "99999999s"])
def test_waits_that_cannot_be_read(api, cluster, wait):
    body = assert_problem(api.get(f"{FIRST}/ready?wait={wait}"), 400, "invalid")

    assert body["errors"][0]["path"] == "query.wait"


def test_a_revoked_token_is_told_nothing_more(api, cluster, alice, monkeypatch):
    from tenancy.actions import tokens
    from tenancy.models import ApiToken

    def sleep(_):
        tokens.revoke(by=alice, uid=ApiToken.objects.get().uid)
        factories.ready(cluster)

    _meanwhile(monkeypatch, sleep)

    assert_problem(api.get(f"{FIRST}/ready?wait=10s"), 401, "not-authenticated")


def test_a_cluster_that_goes_while_somebody_waits(api, cluster, monkeypatch):
    _meanwhile(monkeypatch, lambda _: factories.observe(cluster, gone=True))

    assert_problem(api.get(f"{FIRST}/ready?wait=10s"), 404, "not-found")


def test_while_somebody_waits_one_small_query_a_look(api, cluster, django_assert_max_num_queries):
    with django_assert_max_num_queries(19):
        assert_problem(api.get(f"{FIRST}/ready?wait=3s"), 503, "not-ready")


def _meanwhile(monkeypatch, act):
    """Something happens while the portal sleeps between two looks."""
    real, acts = waiting.asyncio.sleep, []

    async def sleep(seconds):
        if not acts:
            acts.append(seconds)
            await sync_to_async(act)(seconds)
        await real(seconds)

    monkeypatch.setattr("portal.api.waiting.asyncio.sleep", sleep)


@pytest.mark.django_db(transaction=True)
def test_many_wait_at_once_and_all_are_told(settings):
    """Through the ASGI application: forty waiters, told within a second or two of the news."""
    alice = factories.actor("alice")
    factories.host()
    factories.tenant("team", owner=alice)
    cluster = factories.cluster(alice, "team")
    token = factories.token(alice)
    client = AsyncClient()
    path = "/api/v1/tenants/team/clusters/first/ready?wait=30s"

    async def wait_all():
        waits = [asyncio.create_task(_get(client, path, token)) for _ in range(40)]
        await asyncio.sleep(1.5)
        threads = threading.active_count()
        await asyncio.to_thread(_make_ready, cluster)
        return await asyncio.gather(*waits), threads

    began = time.monotonic()
    answers, threads = asyncio.run(wait_all())

    assert [status for status, _ in answers] == [200] * 40
    assert {body["status"]["phase"] for _, body in answers} == {"Ready"}
    assert time.monotonic() - began < 15
    assert threads < 60


def _make_ready(cluster):
    factories.ready(cluster)
    connections.close_all()


async def _get(client, path, token):
    response = await client.get(path, headers={"Authorization": f"Bearer {token}"})
    return response.status_code, json.loads(response.content)


def test_a_deletion_answers_when_nothing_is_left(api, cluster, monkeypatch):
    _meanwhile(monkeypatch, lambda _: factories.observe(cluster, gone=True))

    response = api.delete(f"{FIRST}?wait=10s")

    assert (response.status_code, response.json()["status"]["phase"]) == (200, "Deleting")
    assert not {"Retry-After", "Location"} & set(response.headers)
    assert_problem(api.get(FIRST), 404, "not-found")


def test_a_deletion_that_takes_longer_than_the_wait_is_under_way(api, cluster):
    began = time.monotonic()

    response = api.delete(f"{FIRST}?wait=1s")

    assert (response.status_code, response["Retry-After"]) == (202, "2")
    assert 0.4 <= time.monotonic() - began < 3


def test_one_waiter_too_many_is_answered_at_once(api, cluster, monkeypatch):
    monkeypatch.setattr(waiting, "WAITERS_MAX", 0)
    began = time.monotonic()

    assert_problem(api.get(f"{FIRST}/ready?wait=30s"), 503, "not-ready")

    assert time.monotonic() - began < 2
