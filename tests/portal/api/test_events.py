"""Events of a tenant: written with what they tell, read as a list or a stream, none lost and none twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.api import live
from tenancy.actions import event_rows, members, tenants, tokens
from tenancy.actions.unit import atomic
from tenancy.enums import Role
from tenancy.models import ApiToken, Event
from tenancy.queries import events as event_queries
from tenancy.queries import tokens as token_queries
from tenancy.rules import events as rules
from tests import factories
from tests.portal.api.client import Api, assert_problem
from tests.support.streams import listening
from tests.support.threads import in_threads

STREAM = "/tenants/team/events"
FIRST = "/tenants/team/clusters/first"


def told(api, path=STREAM):
    return [(one["type"], one["data"]["object"]["name"]) for one in api.get(path).json()["items"]]


@atomic
def _then_fail(do):
    do()
    raise ZeroDivisionError


def undone(do):
    """Does it in a unit of work that is rolled back."""
    with pytest.raises(ZeroDivisionError):
        _then_fail(do)


@pytest.mark.django_db
class TestAsAList:
    def test_the_life_of_a_cluster_is_told_in_order(self, api, alice):
        api.put(FIRST, {"spec": {}})
        cluster = factories.ready(factories.cluster(alice, "team"))
        api.delete(FIRST)
        factories.observe(cluster, gone=True)

        assert [kind for kind, _ in told(api)] == [
            "tenant.created",
            "member.changed",
            "cluster.created",
            "cluster.phase-changed",
            "operation.finished",
            "cluster.phase-changed",
            "operation.finished",
            "cluster.deleted",
        ]

    def test_an_event_tells_what_changed(self, api, alice):
        cluster = factories.ready(factories.cluster(alice, "team"))

        found = api.get(f"{STREAM}?type=cluster.phase-changed").json()["items"]

        assert [(one["id"], one["tenant"], one["data"]) for one in found] == [
            (
                "evt-team-4",
                "team",
                {
                    "object": {"kind": "cluster", "name": "first"},
                    "uid": str(cluster.uid),
                    "generation": 1,
                    "observedGeneration": 1,
                    "oldPhase": "Pending",
                    "newPhase": "Ready",
                },
            )
        ]

    def test_what_is_rolled_back_is_not_told(self, api):
        admin = factories.admin()
        undone(lambda: tenants.update(by=admin, name="team", display_name="Other"))

        assert "tenant.updated" not in dict(told(api))

    def test_pages_and_positions(self, api, alice):
        factories.user("mia")
        for role in (Role.MEMBER, Role.VIEWER, Role.OWNER):
            members.put(by=alice, tenant="team", username="mia", role=role)
        whole = api.get(STREAM).json()["items"]

        first = api.get(f"{STREAM}?limit=2").json()
        second = api.get(first["next"]).json()
        rest = api.get(f"{STREAM}?after={whole[3]['id']}").json()

        assert [*first["items"], *second["items"]] == whole[:4]
        assert rest == {"items": whole[4:], "next": None}

    def test_credentials_are_told_to_owners_alone(self, api, alice):
        mia = factories.actor("mia")
        members.put(by=alice, tenant="team", username="mia", role=Role.MEMBER)
        tokens.create(by=alice, name="ci", tenant="team")

        assert "token.created" in dict(told(api))
        assert "token.created" not in dict(told(Api(mia)))

    def test_no_secret_is_told(self, api, alice):
        _, raw = tokens.create(by=alice, name="ci", tenant="team")

        assert raw not in api.get(STREAM).content.decode()

    @pytest.mark.parametrize("after", ["evt-other-1", "evt-1", "team-1", "evt-team-", "1"])
    def test_an_id_of_elsewhere_is_refused(self, api, after):
        body = assert_problem(api.get(f"{STREAM}?after={after}"), 400, "invalid")
        assert body["errors"][0]["path"] == "query.after"

    def test_who_was_away_too_long_starts_anew(self, api):
        Event.objects.filter(tenant="team", sequence=1).update(at=timezone.now() - timedelta(days=8))
        assert event_rows.sweep() == 1

        assert api.get(f"{STREAM}?after=evt-team-1").status_code == 200
        assert_problem(api.get(f"{STREAM}?after=evt-team-0"), 410, "lapsed")
        assert_problem(api.get(f"{STREAM}?after=evt-team-99"), 410, "lapsed")

    def test_a_new_tenant_of_an_old_name_hears_nothing_of_the_old_one(self, api, alice):
        admin = factories.admin()
        tenants.delete(by=admin, name="team")
        tenants.create(by=admin, name="team")
        members.put(by=admin, tenant="team", username=alice.name, role=Role.OWNER)

        found = api.get(STREAM).json()["items"]

        assert [one["id"] for one in found] == ["evt-team-4", "evt-team-5"]
        assert_problem(api.get(f"{STREAM}?after=evt-team-2"), 410, "lapsed")

    def test_what_is_for_owners_is_told_at_all(self):
        kinds = {kind for kind, _ in rules.OF_ACTION.values()}
        assert kinds >= rules.FOR_OWNERS


@pytest.mark.django_db
def test_what_rights_rest_on_is_read_at_once_for_all(team, alice, django_assert_num_queries):
    mia = factories.actor("mia")
    members.put(by=alice, tenant="team", username="mia", role=Role.MEMBER)
    who = [(token_queries.digest(factories.token(one)), "team") for one in (alice, mia, factories.admin())]
    with django_assert_num_queries(3):
        before = event_queries.grounds(who)
    members.put(by=alice, tenant="team", username="mia", role=Role.VIEWER)

    after = event_queries.grounds([*who, ("unknown", "team")])

    changed = [one for one in who if before[one] != after[one]]
    assert (changed, after["unknown", "team"]) == ([who[1]], None)


@pytest.mark.django_db(transaction=True)
class TestAsAStream:
    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch):
        monkeypatch.setattr(live, "LOOK_EVERY", 0.05)
        monkeypatch.setattr(live, "CHECK_EVERY", 0.1)

    @pytest.fixture
    def mia(self, team, alice):
        mia = factories.actor("mia")
        members.put(by=alice, tenant="team", username="mia", role=Role.MEMBER)
        return mia

    def test_it_tells_what_happens_from_now_on(self, alice, mia):
        async def scene():
            async with listening(STREAM, token) as heard:
                await asyncio.to_thread(change_member_away, alice)
                await heard.until(lambda one: one.events)
                return heard

        token = factories.token(alice)
        heard = asyncio.run(scene())

        assert (heard.status, heard.headers["content-type"]) == (200, "text/event-stream")
        assert heard.headers["cache-control"] == "no-store"
        (event,) = heard.events
        assert (event["type"], event["data"]["object"]["name"]) == ("member.removed", "mia")
        assert f"id: {event['id']}\nevent: member.removed\n" in heard.text

    @pytest.mark.parametrize("way", ["header", "query"])
    def test_it_goes_on_from_where_it_was_left(self, alice, mia, way):
        async def scene():
            path, headers = (STREAM, {"Last_Event_ID": "evt-team-1"})
            if way == "query":
                path, headers = f"{STREAM}?after=evt-team-1", {}
            async with listening(path, token, **headers) as heard:
                await heard.until(lambda one: len(one.events) == 2)
                return heard

        token = factories.token(alice)
        assert asyncio.run(scene()).ids == ["evt-team-2", "evt-team-3"]

    def test_it_says_where_it_is_before_anything_happens_and_in_silence(self, alice, mia, monkeypatch):
        """So that who loses the connection then comes back to the same place."""
        monkeypatch.setattr(live, "HEARTBEAT", 0.1)

        async def scene():
            async with listening(f"{STREAM}?type=cluster.created", token) as heard:
                await heard.until(lambda one: "id: evt-team-3\n" in one.text)
                await asyncio.to_thread(change_member_away, alice)  # not for this one: it moves on
                await heard.until(lambda one: "id: evt-team-4\n" in one.text)
                return heard.events

        token = factories.token(alice)
        assert asyncio.run(scene()) == []

    def test_an_id_that_is_not_kept_is_told_before_it_opens(self, alice, mia):
        async def scene():
            async with listening(f"{STREAM}?after=evt-team-77", token) as heard:
                return heard

        token = factories.token(alice)
        heard = asyncio.run(scene())
        assert (heard.status, heard.ended) == (410, True)

    def test_silence_is_broken_by_comments(self, alice, mia, monkeypatch):
        monkeypatch.setattr(live, "HEARTBEAT", 0.1)

        async def scene():
            async with listening(STREAM, token) as heard:
                await heard.until(lambda one: one.text.count("\n:\n") >= 2)
                return heard

        token = factories.token(alice)
        assert asyncio.run(scene()).events == []

    @pytest.mark.parametrize("end", ["revoked", "expired", "no member", "inactive", "tenant gone"])
    def test_it_ends_with_the_right_to_listen(self, alice, mia, end):
        def take_away():
            if end == "revoked":
                ApiToken.objects.filter(user=mia.user).update(revoked_at=timezone.now())
            elif end == "expired":
                ApiToken.objects.filter(user=mia.user).update(expires_at=timezone.now())
            elif end == "inactive":
                type(mia.user).objects.filter(pk=mia.user.pk).update(is_active=False)
            elif end == "tenant gone":
                tenants.delete(by=factories.admin(), name="team")
            else:
                members.remove(by=alice, tenant="team", username="mia")

        async def scene():
            async with listening(STREAM, token) as heard, listening(elsewhere, others) as stays:
                await asyncio.sleep(0.3)  # the right was looked at, and held
                await asyncio.to_thread(away, take_away)
                await heard.until(lambda one: one.ended, seconds=3)
                return heard, stays.ended

        factories.tenant("other", owner=alice)
        elsewhere = "/tenants/other/events" if end == "tenant gone" else STREAM
        token, others = factories.token(mia), factories.token(alice)
        heard, stays_ended = asyncio.run(scene())
        assert "may listen no longer" in heard.text
        assert stays_ended is False

    def test_who_may_hear_more_hears_more_from_then_on(self, alice, mia):
        def tell(name):
            tokens.create(by=alice, name=name, tenant="team")

        async def scene():
            async with listening(STREAM, token) as heard:
                await asyncio.to_thread(away, lambda: tell("before"))
                owner = {"tenant": "team", "username": "mia", "role": Role.OWNER}
                await asyncio.to_thread(away, lambda: members.put(by=alice, **owner))
                await heard.until(lambda one: one.events)
                await asyncio.sleep(0.3)
                await asyncio.to_thread(away, lambda: tell("after"))
                await heard.until(lambda one: len(one.events) == 2)
                return [(one["type"], one["data"].get("name")) for one in heard.events]

        token = factories.token(mia)
        assert asyncio.run(scene()) == [("member.changed", None), ("token.created", "after")]

    def test_rights_are_asked_for_when_something_changed_and_else_now_and_then(self, alice, mia, monkeypatch):
        """However many listen, in between it is three reads for all of them."""
        asked = []
        authenticate = token_queries.authenticate
        monkeypatch.setattr(
            token_queries, "authenticate", lambda raw: (asked.append(raw), authenticate(raw))[1]
        )

        async def scene():
            async with listening(STREAM, first), listening(STREAM, first), listening(STREAM, second):
                await asyncio.sleep(0.5)  # five looks
                held = Counter(asked)
                monkeypatch.setattr(live, "SURE_EVERY", 0.2)
                await asyncio.sleep(0.6)
                return held

        first, second = factories.token(alice), factories.token(mia)
        assert asyncio.run(scene()) == {first: 4, second: 2}  # to open it, and at the first look
        assert asked.count(second) > 2

    def test_none_is_lost_and_none_comes_twice_while_many_write(self, alice, mia):
        """Eight write and roll back; one listens to the end, one goes away and comes back all the time."""
        for number in range(8):
            factories.user(f"user-{number}")
        names = iter([f"user-{number}" for number in range(8)])

        def write():
            mine = next(names)
            for turn in range(10):
                role = (Role.VIEWER, Role.MEMBER)[turn % 2]
                members.put(by=alice, tenant="team", username=mine, role=role)
                undone(lambda: members.put(by=alice, tenant="team", username=mine, role=Role.OWNER))
            return True

        last = f"evt-team-{3 + 80}"

        async def hops():
            ids, after = [], "evt-team-3"
            while after != last:
                async with listening(STREAM, token, Last_Event_ID=after) as heard:
                    await heard.until(lambda one: len(one.ids) >= random.randint(1, 9) or last in one.ids)
                    ids += heard.ids
                    after = ids[-1]
            return ids

        async def scene():
            async with listening(STREAM, token) as stays:
                writing = asyncio.create_task(asyncio.to_thread(in_threads, 8, write))
                hopped = await asyncio.wait_for(hops(), 60)
                await writing
                await stays.until(lambda one: last in one.ids)
                return hopped, stays.ids

        token = factories.token(alice)
        hopped, stayed = asyncio.run(scene())
        assert hopped == stayed == [f"evt-team-{number}" for number in range(4, 84)]


def away(do):
    """In a thread that leaves no connection behind."""
    in_threads(1, do)


def change_member_away(alice):
    away(lambda: members.remove(by=alice, tenant="team", username="mia"))
