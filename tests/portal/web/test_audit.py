from __future__ import annotations

import json

from tenancy.actions import audit, inspection
from tenancy.actions.unit import atomic
from tenancy.enums import ChainFault, PlatformRole
from tenancy.models import AuditEvent
from tenancy.queries import audit as log
from tenancy.rules.chain import Fault
from tests import factories
from tests.portal.web.conftest import World, shown


def note(count: int = 1, **facts: object) -> None:
    with atomic():
        for number in range(count):
            audit.note(actor="mallory", action="thing.done", target=f"thing/{number}", tenant="team", **facts)


def test_a_platform_role_reads_everything_and_the_state_of_the_chain(world: World) -> None:
    note(
        changes={"trust": {"from": "untrusted", "to": "trusted"}, "zone": {"from": None, "to": 1}},
        reason="<b>why</b>",
        none="",
    )
    said = shown(world.client("root").get("/audit"))
    for words in (
        "mallory thing.done",
        "trust: untrusted → trusted",
        "zone: nothing → 1",
        "not yet: the relay does so",
        "thing/0",
    ):
        assert words in said
    assert "Download" not in said
    assert "none:" not in said
    assert b"<b>why" not in world.client("root").get("/audit").content
    inspection.record([], log.read_head(inspection.sign()))
    said = shown(world.client("root").get("/audit"))
    for words in (
        "Download the signed log",
        f"up to row {AuditEvent.objects.count()}",
        "every row as it was written",
    ):
        assert words in said


def test_a_broken_log_is_an_alert(world: World) -> None:
    inspection.record([Fault(ChainFault.EDITED, 3, "row 3 was changed after it was written")])
    answer = world.client("root").get("/audit")
    assert 'role="alert"' in answer.content.decode()
    assert "row 3 was changed after it was written" in shown(answer)


def test_rows_are_filtered_and_paged(world: World) -> None:
    note(60)
    client = world.client("root")
    first = client.get("/audit?actor=mallory&action=&tenant=team")
    assert shown(first).count("thing.done") == 50
    older = first.content.decode().partition('href="/audit?')[2].partition('"')[0]
    assert shown(client.get("/audit?" + older.replace("&amp;", "&"))).count("thing.done") == 10
    assert "No row fits" in shown(client.get("/audit?actor=nobody%00"))
    assert shown(client.get("/audit?target=thing/7")).count("thing.done") == 1
    assert (
        client.get("/audit?before=²").status_code
        == client.get("/audit?before=" + "9" * 30).status_code
        == 200
    )


def test_an_owner_reads_the_tenants_rows_and_no_others(world: World) -> None:
    note()
    said = shown(world.client("alice").get("/tenants/team/audit"))
    assert "mallory thing.done" in said
    assert "user.create" not in said
    assert "Download" not in said
    assert "Audit log" in shown(world.client("alice").get("/tenants/team"))
    assert "Audit log" not in shown(world.client("bob").get("/tenants/team"))
    for who, status in (("bob", 403), ("charlie", 404), ("root", 200), ("nobody", 302)):
        assert world.client(who).get("/tenants/team/audit").status_code == status
    for path in ("/audit", "/audit/export"):
        assert world.client("alice").get(path).status_code == 403


def test_the_log_is_downloaded(world: World) -> None:
    auditor = factories.actor("audrey", PlatformRole.AUDITOR)
    world = World(**{**vars(world), "root": auditor})
    assert world.client("root").get("/audit/export").status_code == 503, "nothing is signed yet"
    inspection.sign()
    answer = world.client("root").get("/audit/export")
    lines = b"".join(answer.streaming_content).splitlines()  # type: ignore[attr-defined]
    assert json.loads(lines[0])["to"] == len(lines) - 1
    assert answer["Content-Disposition"] == 'attachment; filename="atoll-audit.ndjson"'


def test_a_refused_write_is_in_the_log(world: World) -> None:
    assert world.client("vera").post("/clusters/team/nothing/retry").status_code == 404
    answer = world.client("bob").post("/tenants/team/members", {"username": "charlie", "role": "owner"})
    assert answer.status_code == 403
    (row,) = AuditEvent.objects.filter(action="denied")
    assert (row.actor, row.tenant, row.target) == ("bob", "team", "/tenants/team/members")
    assert row.facts["attempted"] == "page member-put"
    assert world.client("bob").get("/users").status_code == 403
    assert AuditEvent.objects.filter(action="denied").count() == 1
