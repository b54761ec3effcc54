"""Waiting for a cluster that a provisioner (here: the test) builds meanwhile."""

from __future__ import annotations

import httpx
import pytest

from atoll_client import TimedOut, WillNotBeReady, waiting
from tenancy.enums import ConditionStatus, ConditionType, Reason
from tenancy.models import ClusterCondition, VirtualCluster
from tenancy.rules.conditions import Condition
from tests import factories
from tests.client.portal import Cut

FIRST = "/tenants/team/clusters/first"


@pytest.fixture(autouse=True)
def _polls(monkeypatch):
    """The portal answers at once, and says so: long polls have tests of their own."""
    monkeypatch.setattr(waiting, "LONG_POLL", 0)
    monkeypatch.setattr(waiting, "SHORT_POLL", 0)
    monkeypatch.setattr(waiting.time, "sleep", lambda _: None)


@pytest.fixture
def cluster(team):
    return factories.cluster(team, "team")


def test_ready_comes_with_the_object(atoll, portal, cluster):
    portal.after = [lambda: None, lambda: factories.ready(cluster)]

    found = atoll.wait_ready("team", "first", timeout=60)  # the first answer of a process may take seconds

    assert found["status"]["phase"] == "Ready"
    assert len(portal.seen) == 3


def test_ready_means_at_the_last_change(atoll, portal, cluster):
    factories.ready(cluster)
    atoll.put(FIRST, {"spec": {"resources": {"cpu": "3"}}})
    portal.after = [lambda: factories.ready(cluster)]

    found = atoll.wait_ready("team", "first", timeout=5)

    assert found["status"]["observedGeneration"] == found["metadata"]["generation"] == 2


@pytest.mark.parametrize("fault", [Cut(), httpx.ConnectError("refused"), httpx.Response(502)])
def test_a_wait_goes_on_after_the_connection_broke(atoll, portal, cluster, fault):
    portal.faults = [fault, httpx.ReadTimeout("slow")]
    portal.after = [lambda: factories.ready(cluster)]

    assert atoll.wait_ready("team", "first", timeout=5)["status"]["phase"] == "Ready"


def test_it_stops_at_once_where_waiting_is_in_vain(atoll, portal, cluster):
    stalled = Condition(ConditionType.STALLED, ConditionStatus.TRUE, Reason.CHART_INVALID, "values: bad", 1)
    factories.observe(cluster, stalled)

    with pytest.raises(WillNotBeReady, match="values: bad"):
        atoll.wait_ready("team", "first", timeout=5)

    assert len(portal.seen) == 1


def test_who_watches_is_told_the_steps(atoll, portal, cluster):
    portal.after = [lambda: None, lambda: None, lambda: None, lambda: factories.ready(cluster)]
    looks = []

    atoll.wait_ready("team", "first", timeout=5, seen=looks.append)

    assert looks[0].phase in {"Pending", "Provisioning"}
    assert looks[0].operation["kind"] == "create"


def test_the_end_of_patience_says_what_it_waited_for(atoll, cluster):
    with pytest.raises(TimedOut, match="team/first is Pending"):
        atoll.wait_ready("team", "first", timeout=0.01)


def test_running_is_ready_with_its_add_ons_at_the_last_change(atoll, portal, cluster):
    factories.ready(cluster)
    rows = ClusterCondition.objects.filter(cluster=cluster, type=ConditionType.ADD_ONS_READY)
    rows.update(status="False", message="Deployment web: 0 of 1 pods run as wanted", observed_generation=1)
    stale, current = {"status": "True", "observed_generation": 0}, {"observed_generation": 1}
    portal.faults = [None, Cut()]
    portal.after = [lambda: None, lambda: rows.update(**stale), lambda: rows.update(**current)]
    looks = []

    found = atoll.wait_ready("team", "first", timeout=30, seen=looks.append, running=True)

    assert (found["status"]["phase"], len(portal.seen)) == ("Ready", 4)
    assert looks[0].detail == "Deployment web: 0 of 1 pods run as wanted"


def test_running_in_vain_ends_at_once_and_impatience_says_what_does_not_run(atoll, portal, cluster):
    factories.ready(cluster)
    rows = ClusterCondition.objects.filter(cluster=cluster, type=ConditionType.ADD_ONS_READY)
    rows.update(status="False", message="Deployment web", observed_generation=1)
    with pytest.raises(TimedOut, match="Deployment web"):
        atoll.wait_ready("team", "first", timeout=0.5, running=True)
    portal.after = [lambda: VirtualCluster.objects.update(phase="Paused")]
    with pytest.raises(WillNotBeReady):
        atoll.wait_ready("team", "first", timeout=30, running=True)


def test_gone_is_gone(atoll, portal, cluster):
    atoll.delete(FIRST)
    portal.faults = [Cut()]
    portal.after = [lambda: None, lambda: factories.observe(cluster, gone=True)]
    looks = []

    atoll.wait_gone("team", "first", timeout=5, seen=looks.append)

    assert [look.phase for look in looks] == ["", "Deleting"]
    assert not VirtualCluster.objects.exists()


def test_another_of_the_same_name_is_gone_too(atoll, portal, cluster, team):
    def replaced():
        atoll.delete(FIRST)
        factories.observe(cluster, gone=True)
        factories.cluster(team, "team")

    portal.after = [replaced]

    atoll.wait_gone("team", "first", timeout=5)

    assert VirtualCluster.objects.exists()
