from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tenancy.enums import PlatformRole
from tenancy.models import ApiToken, AuditEvent, Membership, ServiceAccount, Tenant, User
from tenancy.queries import tokens
from tests import factories
from tests.portal.web.conftest import World, shown


def roles(tenant: str) -> dict[str, str]:
    rows = Membership.objects.filter(tenant__name=tenant)
    return dict(rows.values_list("user__username", "role"))


def test_owner_adds_changes_and_removes_members(world: World) -> None:
    client = world.client("alice")
    client.post("/tenants/team/members", {"username": "charlie", "role": "viewer"})
    assert roles("team")["charlie"] == "viewer"
    client.post("/tenants/team/members", {"username": "charlie", "role": "owner"})
    assert "charlie is now owner of team." in shown(client.get("/tenants/team"))
    client.post("/tenants/team/members/remove", {"username": "charlie"})
    assert roles("team") == {"alice": "owner", "bob": "member", "vera": "viewer"}


def test_unknown_user_is_told_beside_the_field(world: World) -> None:
    response = world.client("alice").post("/tenants/team/members", {"username": "nemo", "role": "viewer"})
    assert response.status_code == 422
    assert "There is no user 'nemo': ask an admin to make one." in shown(response)
    assert b'value="nemo"' in response.content


def test_last_owner_cannot_leave(world: World) -> None:
    response = world.client("alice").post("/tenants/team/members/remove", {"username": "alice"})
    assert response.status_code == 409
    assert "make somebody else an owner first" in shown(response)


def test_owner_who_leaves_lands_at_home(world: World) -> None:
    client = world.client("alice")
    client.post("/tenants/team/members", {"username": "bob", "role": "owner"})
    response = client.post("/tenants/team/members/remove", {"username": "alice"}, follow=True)
    assert response.redirect_chain == [("/", 302)]
    assert "alice is no longer a member of team." in shown(response)


def test_member_sees_members_but_no_forms(world: World) -> None:
    body = world.client("bob").get("/tenants/team").content.decode()
    assert ("vera" in body, "members/remove" in body, 'id="add"' in body) == (True, False, False)


def test_tenant_counts_all_members_for_one_of_them(world: World) -> None:
    factories.cluster(world.alice, "team", "first")
    factories.cluster(world.alice, "team", "second")
    said = shown(world.client("vera").get("/tenants"))
    assert "team team untrusted 3 2 just now" in said


def test_admin_makes_a_tenant_and_its_first_owner(world: World) -> None:
    client = world.client("root")
    wish = {"name": "fresh", "display_name": "Fresh team", "trust": "trusted"}
    assert client.post("/tenants/new", wish)["Location"] == "/tenants/fresh"
    client.post("/tenants/fresh/members", {"username": "bob", "role": "owner"})
    assert (Tenant.objects.get(name="fresh").trust, roles("fresh")) == ("trusted", {"bob": "owner"})


@pytest.mark.parametrize(
    ("name", "words"),
    [("team", "A tenant of that name exists"), ("Team!", "Use lower-case letters"), ("admin", "is reserved")],
)
def test_bad_tenant_name_is_told_beside_the_field(world: World, name: str, words: str) -> None:
    response = world.client("root").post("/tenants/new", {"name": name, "trust": "untrusted"})
    assert response.status_code == 422
    assert words in shown(response)


def test_admin_makes_a_user_who_can_sign_in(world: World) -> None:
    wish = {"username": "zoe", "password": "quite a long one", "platform_role": "auditor"}
    assert world.client("root").post("/users", wish)["Location"] == "/users"
    assert User.objects.get(username="zoe").platform_role == PlatformRole.AUDITOR
    assert Client().post("/sign-in", {"username": "zoe", "password": "quite a long one"})["Location"] == "/"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "short"}, "This password is too short"),
        ({"username": "alice"}, "A user of that name exists"),
        ({"username": "a b"}, "Enter a valid username"),
    ],
)
def test_bad_user_is_told_beside_the_field_and_not_made(
    world: World, change: dict[str, str], words: str
) -> None:
    wish = {"username": "zoe", "password": "quite a long one", "platform_role": ""}
    response = world.client("root").post("/users", wish | change)
    assert response.status_code == 422
    assert words in shown(response)
    assert b"quite a long one" not in response.content
    assert not User.objects.filter(username="zoe").exists()


def test_token_is_shown_once_and_works(world: World) -> None:
    client = world.client("alice")
    response = client.post("/tokens", {"name": "ci", "tenant": "team", "days": "7", "read_only": "on"})
    made = response.context["made"]
    raw = made[1]
    assert raw in shown(response)
    assert "no-store" in response["Cache-Control"]
    assert raw not in shown(client.get("/tokens"))
    found = tokens.authenticate(raw)
    assert found is not None
    assert (found[1].bound_to, found[1].read_only) == (world.team.uid, True)


def test_token_without_a_name_is_refused_beside_the_field(world: World) -> None:
    response = world.client("alice").post("/tokens", {"name": "", "days": "7"})
    assert response.status_code == 422
    assert not ApiToken.objects.exists()


def test_token_for_a_foreign_tenant_is_refused(world: World) -> None:
    response = world.client("alice").post("/tokens", {"name": "ci", "tenant": "other", "days": "7"})
    assert response.status_code == 422
    assert not ApiToken.objects.exists()


def test_revoked_token_is_refused_and_gone_from_the_list(world: World) -> None:
    raw = factories.token(world.alice)
    client = world.client("alice")
    client.post(f"/tokens/{ApiToken.objects.get().uid}/revoke")
    assert tokens.authenticate(raw) is None
    assert "None yet" in shown(client.get("/tokens"))


def test_token_of_somebody_else_cannot_be_revoked(world: World) -> None:
    raw = factories.token(world.alice)
    response = world.client("bob").post(f"/tokens/{ApiToken.objects.get().uid}/revoke")
    assert response.status_code == 404
    assert tokens.authenticate(raw) is not None


def test_a_token_for_some_things_is_rotated_and_its_text_shown_once(world: World) -> None:
    client = world.client("alice")
    wish = {"name": "ci", "days": "7", "scopes": ["*:read", "clusters:write"]}
    old = client.post("/tokens", wish).context["made"]
    assert "*:read, clusters:write" in shown(client.get("/tokens"))
    response = client.post(f"/tokens/{old[0].uid}/rotate")
    raw = response.context["made"][1]
    assert response.status_code == 201
    assert raw in shown(response)
    assert "The text that it replaces works until" in shown(response)
    assert raw not in shown(client.get("/tokens"))
    for text in (old[1], raw):
        found = tokens.authenticate(text)
        assert found is not None
        assert found[1].scopes == ("*:read", "clusters:write")
    assert client.post(f"/tokens/{old[0].uid}/rotate").status_code == 409


def test_lifetimes_end_where_the_setting_says(world: World, settings: Any) -> None:
    settings.ATOLL_TOKEN_DAYS = 60
    client = world.client("alice")
    page = client.get("/tokens").content.decode()
    assert ("30 days" in page, "90 days" in page, "Until revoked" in page) == (True, False, False)
    assert client.post("/tokens", {"name": "ci", "days": "90"}).status_code == 422


def test_owner_makes_a_service_account_and_gives_it_a_token(world: World) -> None:
    client = world.client("alice")
    assert "Service accounts" in shown(client.get("/tenants/team"))
    wish = {"name": "ci", "role": "member", "description": "the pipeline"}
    response = client.post("/tenants/team/service-accounts", wish)
    assert response["Location"] == "/tenants/team/service-accounts/ci"
    page = client.post(response["Location"], {"name": "deploy", "days": "30", "scopes": "clusters:write"})
    raw = page.context["made"][1]
    assert raw in shown(page)
    assert "The audit log calls it sa:team/ci." in shown(page)
    found = tokens.authenticate(raw)
    assert found is not None
    assert (found[1].name, found[1].bound_to) == ("sa:team/ci", world.team.uid)
    assert "ci the pipeline member 1 never" in shown(client.get("/tenants/team/service-accounts"))
    rotated = client.post(f"{response['Location']}/tokens/{found[0].uid}/rotate").context["made"]
    client.post(f"{response['Location']}/tokens/{rotated[0].uid}/revoke")
    assert tokens.authenticate(rotated[1]) is None
    client.post(f"{response['Location']}/remove")
    assert tokens.authenticate(raw) is None
    assert "None yet" in shown(client.get("/tenants/team/service-accounts"))


def test_bad_account_name_is_told_beside_the_field(world: World) -> None:
    response = world.client("alice").post("/tenants/team/service-accounts", {"name": "C I", "role": "member"})
    assert response.status_code == 422
    assert "Use lower-case letters" in shown(response)


def test_owner_says_which_jobs_an_account_trusts(world: World, settings: Any) -> None:
    settings.ATOLL_CI_ISSUERS = ["https://ci.example"]
    client = world.client("alice")
    here = "/tenants/team/service-accounts/ci"
    client.post("/tenants/team/service-accounts", {"name": "ci", "role": "member", "description": "pipeline"})
    wish = "- issuer: https://ci.example\n  claims:\n    repository: acme/shop\n  lifetime: 10m\n"
    assert client.post(f"{here}/trust", {"text": wish})["Location"] == here
    account = ServiceAccount.objects.get()
    (kept,) = account.trust
    assert (kept["claims"], kept["lifetime"]) == ({"repository": "acme/shop"}, 600)
    assert (account.role, account.description) == ("member", "pipeline")
    page = shown(client.get(here))
    assert "repository: acme/shop" in page
    assert "lifetime: 600s" in page
    wrong = {
        "- issuer: https://ci.example": "spec.trust[0].claims: It must be there.",
        "- {issuer: https://other.example, claims: {repository: acme/shop}}": "spec.trust[0].issuer: ",
        "- {issuer: https://ci.example, claims: {n: 1}, x: y}": "spec.trust[0].x: Leave it out",
        "- {issuer: https://ci.example, claims: {n: 1}, lifetime: 5}": "spec.trust[0].claims.n: Give text",
        "issuer: https://ci.example": "Give a list",
        "- {": "Line 2",
    }
    for text, told in wrong.items():
        response = client.post(f"{here}/trust", {"text": text})
        assert response.status_code == 422
        assert told in shown(response)
        assert text in shown(response), "what was typed is kept"
    assert ServiceAccount.objects.get().trust == [kept]
    client.post(f"{here}/trust", {"text": ""})
    assert ServiceAccount.objects.get().trust == []


def test_people_are_listed_without_service_accounts(world: World) -> None:
    factories.service_account()
    assert "sa:team" not in shown(world.client("root").get("/users"))


def test_whoever_is_suspended_is_out_at_once_and_back_when_it_is_lifted(world: World) -> None:
    raw, bob = factories.token(world.bob), world.client("bob")
    root = world.client("root")
    assert bob.get("/").status_code == 200
    assert "Suspend bob" in str(root.get("/users").content)

    assert root.post("/users/bob/suspend")["Location"] == "/users"
    assert tokens.authenticate(raw) is None
    assert bob.get("/")["Location"] == "/sign-in?next=%2F"
    assert "bob Suspended" in shown(root.get("/users"))

    assert root.post("/users/bob/resume")["Location"] == "/users"
    assert tokens.authenticate(raw) is not None
    assert bob.get("/").status_code == 200
    actions = AuditEvent.objects.filter(target="user/bob").values_list("action", flat=True)
    assert {"user.suspend", "user.resume"} <= set(actions)


def test_suspending_is_for_admins_and_never_oneself(world: World) -> None:
    assert world.client("alice").post("/users/bob/suspend").status_code == 403
    assert world.client("root").post("/users/nemo/suspend").status_code == 404
    mine = world.client("root").post("/users/root/suspend")
    assert (mine.status_code, "ask another admin" in shown(mine)) == (409, True)
    assert set(User.objects.values_list("is_active", flat=True)) == {True}
