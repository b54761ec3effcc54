from __future__ import annotations

from tenancy.actions import findings, work
from tenancy.enums import ActorSource, FindingKind, WorkKind
from tenancy.rules.drift import Culprit, Difference, Drift, Place
from tests import factories
from tests.portal.web.conftest import World, shown


def notice(world: World) -> None:
    cluster = factories.cluster(world.alice, "team", "first")
    lease = work.claim(WorkKind.CLUSTER, cluster.uid)
    assert lease is not None
    place = Place("lab", cluster.namespace, "team", "first", cluster.uid)
    who = Culprit("<b>mallory</b>", ActorSource.AUDIT_LOG)
    details = (Difference("spec.hard.pods", "50", "9999"),)
    drift = Drift(FindingKind.GUARD_RAIL_CHANGED, "ResourceQuota atoll-quota", details, who, "it is put back")
    assert findings.noticed(lease, place, drift)


def test_an_admin_reads_every_finding(world: World) -> None:
    assert "every guard rail was seen as Atoll left it" in shown(world.client("root").get("/findings"))
    notice(world)
    answer = world.client("root").get("/findings")
    said = shown(answer)
    assert "<b>mallory" not in answer.content.decode()
    for words in (
        "ResourceQuota atoll-quota was changed",
        "team/first on host lab",
        "mallory",
        "Open",
        "9999, wanted 50",
    ):
        assert words in said


def test_a_member_reads_those_of_the_cluster_and_no_others(world: World) -> None:
    notice(world)
    assert "ResourceQuota atoll-quota was changed" in shown(world.client("alice").get("/clusters/team/first"))
    assert world.client("alice").get("/findings").status_code == 403
