"""The audit log by API: refusals are in it, its head is told, and its bundle holds what was written."""

from __future__ import annotations

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections
from django.test import AsyncClient

from tenancy.actions import inspection, members
from tenancy.enums import Role
from tenancy.models import AuditEvent, AuditHead
from tenancy.queries import audit, bundle
from tenancy.rules import chain
from tests import factories
from tests.portal.api.client import Api, assert_problem

FIRST = "/tenants/team/clusters/first"


def read(response):
    assert response.status_code == 200
    return [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]


def denials():
    return [(e.actor, e.tenant, e.target, e.facts) for e in AuditEvent.objects.filter(action="denied")]


def test_a_refused_write_is_in_the_log(api, team):
    vera = factories.actor("vera")
    members.put(by=factories.admin(), tenant="team", username=vera.name, role=Role.VIEWER)
    response = Api(vera).put(FIRST, {"spec": {}})
    assert_problem(response, 403, "not-allowed")
    ((actor, tenant, target, facts),) = denials()
    assert (actor, tenant, target) == ("vera", "team", "/api/v1/tenants/team/clusters/first")
    assert facts == {"attempted": "putCluster", "reason": response.json()["detail"]}


def test_what_a_key_would_replay_is_refused_and_told_all_the_same(api):
    assert_problem(api.post(f"{FIRST}/quarantine", {"reason": "x"}, Idempotency_Key="k"), 404, "not-found")
    api.put(FIRST, {"spec": {}})
    assert_problem(api.post(f"{FIRST}/quarantine", {"reason": "x"}, Idempotency_Key="k"), 403, "not-allowed")
    assert [facts["attempted"] for *_, facts in denials()] == ["quarantineCluster"]


def test_refused_looks_and_strangers_are_not(api, outsider):
    assert_problem(api.get("/audit"), 403, "not-allowed")
    assert_problem(outsider.put(FIRST, {"spec": {}}), 404, "not-found")
    assert denials() == []


def test_a_loop_of_refusals_is_one_row(api):
    for number in range(5):
        assert_problem(api.put(f"/tenants/t{number}", {"spec": {}}), 403, "not-allowed")
    assert [(actor, tenant) for actor, tenant, *_ in denials()] == [("alice", "")]


def test_the_head_tells_the_state_of_the_log(auditor, api):
    assert_problem(api.get("/audit/head"), 403, "not-allowed")
    envelope = inspection.sign()
    inspection.record([chain.Fault("edited", 2, "row 2 was changed")], audit.read_head(envelope))
    body = auditor.get("/audit/head").json()
    last = AuditEvent.objects.first()
    assert (body["sequence"], body["digest"], body["signed"]) == (last.sequence, last.digest, envelope)
    assert body["faults"] == [{"kind": "edited", "sequence": 2, "detail": "row 2 was changed"}]
    assert body["checkedSequence"] == body["signedSequence"] == last.sequence - 1


def test_an_export_holds_the_rows_up_to_the_signed_head(auditor, api, monkeypatch):
    monkeypatch.setattr(audit.rows, "__defaults__", (2,))
    api.put(FIRST, {"spec": {"resources": {"cpu": 0.5}}})
    envelope = inspection.sign()
    signed = AuditHead.objects.get().sequence
    api.put(FIRST, {"spec": {}})
    response = auditor.get("/audit/export")
    assert response["Content-Type"] == "application/x-ndjson"
    head, *rows = read(response)
    assert (head["format"], head["from"], head["to"], head["head"]) == (bundle.FORMAT, 1, signed, envelope)
    assert [row["sequence"] for row in rows] == list(range(1, signed + 1))
    assert chain.read_head(settings.SIGNING_KEYS, envelope).digest == rows[-1]["digest"]
    head, *rows = read(auditor.get(f"/audit/export?from={signed}"))
    assert (head["from"], len(rows)) == (signed, 1)


def test_an_export_from_nowhere_is_refused(auditor, api):
    assert_problem(auditor.get("/audit/export"), 503, "unavailable")
    inspection.sign()
    body = assert_problem(auditor.get("/audit/export?from=9999"), 400, "invalid")
    assert body["errors"][0]["path"] == "query.from"
    assert_problem(auditor.get("/audit/export?from=0"), 400, "invalid")
    assert_problem(auditor.get("/audit/export?until=3"), 400, "invalid")
    assert_problem(api.get("/audit/export"), 403, "not-allowed")


@pytest.mark.django_db(transaction=True)
def test_an_asgi_server_sends_it_in_pieces(auditor):
    inspection.sign()

    async def pieces():
        headers = {"Authorization": f"Bearer {auditor.token}"}
        response = await AsyncClient().get("/api/v1/audit/export", headers=headers)
        assert response.streaming, response.content
        found = [piece async for piece in response]
        await sync_to_async(connections.close_all)()
        return found

    found = asyncio.run(pieces())
    assert len(found) == 2
    assert json.loads(found[0])["format"] == bundle.FORMAT


def test_lists_carry_the_chain(auditor, api):
    newest, before = auditor.get("/audit?limit=2").json()["items"]
    assert newest["previous"] == before["digest"]
    assert newest["sequence"] == before["sequence"] + 1
