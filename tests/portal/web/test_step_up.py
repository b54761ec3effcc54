"""Decisions over others ask who it is, fifteen minutes after the last answer, and then go on."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import time_machine
from django.utils import timezone

from portal.web import step_up
from tenancy.models import ApiToken, AuditEvent, Tenant
from tests.factories import PASSWORD
from tests.portal.web.conftest import World, shown

if TYPE_CHECKING:
    from django.test import Client

LATE = step_up.FRESH + timedelta(seconds=1)
TEAM = {"name": "newteam", "display_name": 'Zoë & "co"', "trust": "untrusted"}


def asked(client: Client, path: str = "/tenants/new", **fields: str) -> str:
    """Sends a decision too late; the address that asks who it is."""
    response = client.post(path, fields or TEAM)
    assert response.status_code == 302
    assert response["Location"].startswith("/step-up?for=")
    return str(response["Location"])


def confirmed(client: Client, place: str, password: str = PASSWORD):
    return client.post("/step-up", {"for": place.partition("=")[2], "password": password})


def sent_on(client: Client, response: Any) -> Any:
    """What the browser does with the page that goes on."""
    body = response.content.decode()
    action = re.search(r'action="([^"]+)" data-go-on', body)
    assert action is not None
    fields = {n: v.replace("&quot;", '"').replace("&amp;", "&") for n, v in HIDDEN.findall(body)}
    fields.pop("csrfmiddlewaretoken")
    return client.post(action[1], fields)


HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


def test_a_decision_soon_after_signing_in_just_happens(world: World) -> None:
    assert world.client("root").post("/tenants/new", TEAM)["Location"] == "/tenants/newteam"


def test_a_late_decision_asks_and_goes_on_with_what_was_filled_in(world: World) -> None:
    client = world.client("root")
    with time_machine.travel(timezone.now() + LATE):
        place = asked(client)
        assert "Is it you?" in shown(client.get(place))
        assert not Tenant.objects.filter(name="newteam").exists()
        assert sent_on(client, confirmed(client, place))["Location"] == "/tenants/newteam"
        assert Tenant.objects.get(name="newteam").display_name == TEAM["display_name"]
        again = confirmed(client, place)
        assert again.status_code == 409, "what went on is not kept"
    assert not AuditEvent.objects.filter(action="denied").exists()


def test_a_wrong_password_confirms_nothing_and_keeps_the_form(world: World) -> None:
    client = world.client("root")
    with time_machine.travel(timezone.now() + LATE):
        place = asked(client)
        wrong = confirmed(client, place, "guess")
        assert (wrong.status_code, "This is not your password" in shown(wrong)) == (422, True)
        asked(client)
        assert confirmed(client, place).status_code == 200


def test_another_persons_password_does_not_do(world: World) -> None:
    world.root.user.set_password("another one entirely")
    world.root.user.save()
    client = world.client("root")
    with time_machine.travel(timezone.now() + LATE):
        place = asked(client)
        response = client.post(
            "/step-up", {"for": place.partition("=")[2], "username": "alice", "password": PASSWORD}
        )
        assert response.status_code == 422


def test_a_form_waits_ten_minutes_and_for_its_own_session_only(world: World) -> None:
    client, later = world.client("root"), timezone.now() + LATE
    with time_machine.travel(later):
        place = asked(client)
        other = world.client("root")
        assert other.get(place).status_code == 409
    with time_machine.travel(later + step_up.KEPT + timedelta(minutes=1)):
        gone = client.get(place)
        assert (gone.status_code, "not kept any more" in shown(gone)) == (409, True)


def test_what_is_kept_lies_sealed(world: World) -> None:
    client = world.client("root")
    with time_machine.travel(timezone.now() + LATE):
        asked(client, "/users", username="nina", password="secret of nina", platform_role="")
        assert "secret of nina" not in str(dict(client.session))


def test_those_without_the_role_are_refused_not_asked(world: World) -> None:
    client = world.client("alice")
    with time_machine.travel(timezone.now() + LATE):
        assert client.post("/tenants/new", TEAM).status_code == 403
        assert client.post("/tenants/team/members", {"username": "vera", "role": "member"}).status_code == 302


def test_pages_that_only_show_never_ask(world: World) -> None:
    client = world.client("root")
    with time_machine.travel(timezone.now() + LATE):
        seen = {path: client.get(path).status_code for path in ("/users", "/tenants/new", "/gpu/approvals")}
    assert set(seen.values()) == {200}


def test_a_token_for_decisions_is_made_after_step_up_and_ends_the_same_day(world: World) -> None:
    client = world.client("root")
    wish = {"name": "approvals", "tenant": "", "days": "30", "decides": "on"}
    with time_machine.travel(timezone.now() + LATE, tick=False):
        made = sent_on(client, confirmed(client, asked(client, "/tokens", **wish)))
        assert made.status_code == 201
        token = ApiToken.objects.get(name="approvals")
        assert (token.decides, token.expires_at) == (True, timezone.now() + timedelta(hours=12))


def test_only_those_who_decide_see_the_choice(world: World) -> None:
    pages = {who: world.client(who).get("/tokens").content.decode() for who in ("root", "alice")}
    assert {who: 'name="decides"' in page for who, page in pages.items()} == {"root": True, "alice": False}
