"""Sleep from the command line: two verbs, and waiting that knows it for an end."""

from __future__ import annotations

import pytest

from tenancy.enums import ConditionStatus, ConditionType, Phase, Reason
from tenancy.models import VirtualCluster
from tenancy.rules.conditions import Condition
from tests import factories


@pytest.fixture
def cluster(team):
    return factories.ready(factories.cluster(team, "team"))


def host():
    """What the worker does as soon as somebody asks."""
    cluster = VirtualCluster.objects.get()
    if cluster.phase == Phase.UPDATING and "paused" in cluster.spec_text:
        told = Condition(ConditionType.PAUSED, ConditionStatus.TRUE, Reason.PAUSED, "zzz", cluster.generation)
        factories.observe(cluster, told, clean=True)
    elif cluster.phase == Phase.UPDATING:
        factories.ready(cluster)


@pytest.mark.parametrize("words", [("pause", "team/first"), ("apply", "team/first", "--paused")])
def test_waiting_ends_when_it_sleeps_and_when_it_is_awake(cli, cluster, portal, words):
    portal.after = [host] * 20
    status, _out, told = cli("cluster", *words, "--wait")
    assert status == 0, told
    assert cli("cluster", "get", "team/first", "-o", "json")[1].count('"phase": "Paused"') == 1
    assert cli("cluster", "resume", "team/first", "--wait")[0] == 0
    cluster.refresh_from_db()
    assert cluster.phase == Phase.READY


def test_who_wants_in_is_told_how_to_wake_it(cli, cluster, portal):
    portal.after = [host] * 20
    cli("cluster", "pause", "team/first", "--wait")
    for words in (("kube-credential", "team/first"), ("cluster", "kubeconfig", "team/first")):
        status, _, told = cli(*words)
        assert status != 0
        assert "set spec.paused to false" in told
    assert "zzz" in cli("cluster", "wait", "team/first")[2]
