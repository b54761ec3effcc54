"""Sign-in at an OpenID provider, from the button to the roles its groups give."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from portal.identity import providers
from portal.identity.config import Oidc
from tenancy.actions import identities, members
from tenancy.enums import PlatformRole, Role
from tenancy.errors import AlreadyExists, Invalid, NotAllowed
from tenancy.models import AuditEvent, Identity, Tenant, User
from tenancy.policy import Actor
from tenancy.rules.group_roles import GroupRoles, TenantRole
from tests.portal.api.client import Api, assert_problem
from tests.portal.web.conftest import World, shown
from tests.support import oidc_provider
from tests.support.oidc_provider import BAD_TOKENS, CLIENT, SECRET, Provider, callback
from tests.support.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.matrix
BACK = "/sign-in/oidc/callback?"
GROUPS = GroupRoles(
    frozenset({"ops"}),
    frozenset({"audit"}),
    (TenantRole("devs", "team", Role.MEMBER), TenantRole("leads", "team", Role.OWNER)),
)
TEAM = {"name": "newteam", "display_name": "", "trust": "untrusted"}


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with oidc_provider.running() as found:
        yield found


@pytest.fixture
def provider(running: Provider, settings: Any) -> Provider:
    providers.forget()
    settings.ATOLL_OIDC = Oidc(running.issuer, CLIENT, SECRET, "Example", groups=GROUPS, loopback=True)
    settings.PUBLIC_URL = "http://testserver"
    running.person = {"sub": "s-1", "preferred_username": "nina"}
    running.told, running.discovery = {}, {}
    running.auth_time, running.spoil, running.down = None, None, False
    running.published = [running.key]
    return running


def sign_in(client: Client, provider: Provider, query: str = "", **changes: str) -> Any:
    """To the provider and back."""
    there = client.get(f"/sign-in/oidc{query}")
    assert there.status_code == 302, there.content
    return client.get(BACK + callback(there["Location"], provider, **changes))


def signed_in(client: Client) -> str:
    uid = client.session.get("_auth_user_id")
    return User.objects.get(pk=uid).username if uid else ""


def test_the_button_is_there_only_where_it_works(world: World, provider: Provider, settings: Any) -> None:
    assert 'href="/sign-in/oidc?next=/tokens">Sign in with Example' in str(
        Client().get("/sign-in?next=/tokens").content
    ).replace("%2F", "/")
    settings.ATOLL_OIDC = None
    assert "oidc" not in str(Client().get("/sign-in").content)
    off = Client().get("/sign-in/oidc")
    assert (off.status_code, "not set up here" in shown(off)) == (503, True)


def test_who_comes_first_gets_a_user_and_the_same_one_later(world: World, provider: Provider) -> None:
    client = Client()
    assert sign_in(client, provider)["Location"] == "/"
    nina = User.objects.get(username="nina")
    assert (signed_in(client), nina.has_usable_password(), nina.platform_role) == ("nina", False, "")

    provider.person["preferred_username"] = "renamed"
    again = Client()
    sign_in(again, provider)
    assert (signed_in(again), Identity.objects.count()) == ("nina", 1)


def test_what_is_asked_of_the_provider(db: None, provider: Provider) -> None:
    asked = parse_qs(urlsplit(Client().get("/sign-in/oidc")["Location"]).query)
    assert asked["redirect_uri"] == ["http://testserver/sign-in/oidc/callback"]
    assert (asked["response_type"], asked["code_challenge_method"]) == (["code"], ["S256"])
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    assert "max_age" not in asked


@pytest.mark.parametrize(
    ("target", "lands"),
    [
        ("/clusters/team/first", "/clusters/team/first"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
    ],
)
def test_it_goes_on_to_our_own_pages_only(db: None, provider: Provider, target: str, lands: str) -> None:
    assert sign_in(Client(), provider, f"?next={target}")["Location"] == lands


@pytest.mark.parametrize("name", ["alice", "ALICE", "sign-in", "", "a b", "x" * 151, "root\x00"])
def test_an_equal_or_impossible_name_takes_nobody_over(world: World, provider: Provider, name: str) -> None:
    provider.person |= {"preferred_username": name, "email": "alice@example.com", "email_verified": True}
    client = Client()
    response = sign_in(client, provider)
    assert (response.status_code, signed_in(client)) == (403, "")
    assert "ask an admin to link that to your user here" in shown(response)
    assert not Identity.objects.exists()


def test_an_admin_links_a_user_who_keeps_their_roles(world: World, provider: Provider) -> None:
    root = world.client("root")
    link = {"username": "alice", "issuer": provider.issuer, "subject": "s-1"}
    assert root.post("/users/identities", link)["Location"] == "/users"
    provider.person |= {"preferred_username": "whoever", "groups": ["ops"]}
    client = Client()
    sign_in(client, provider)
    assert signed_in(client) == "alice"
    assert User.objects.get(username="alice").platform_role == PlatformRole.NONE, (
        "groups rule their own users"
    )

    uid = Identity.objects.get().uid
    assert root.post(f"/users/identities/{uid}/remove")["Location"] == "/users"
    assert not Identity.objects.exists()
    assert {"identity.link", "identity.unlink"} <= set(AuditEvent.objects.values_list("action", flat=True))


def test_linking_is_for_admins_and_once(world: World, provider: Provider) -> None:
    wish = {"username": "alice", "issuer": "https://id.example", "subject": "1"}
    with pytest.raises(NotAllowed):
        identities.link(by=world.alice, **wish)
    identities.link(by=world.root, **wish)
    with pytest.raises(AlreadyExists):
        identities.link(by=world.root, **{**wish, "username": "bob"})
    for wrong in ({"username": "nemo"}, {"subject": ""}, {"subject": "a\x00"}, {"issuer": "x" * 256}):
        with pytest.raises(Invalid):
            identities.link(by=world.root, **{**wish, "subject": "2", **wrong})


def test_groups_give_and_take_roles(world: World, provider: Provider) -> None:
    def roles(*groups: str) -> tuple[str, dict[str, str]]:
        provider.person["groups"] = list(groups)
        sign_in(Client(), provider)
        nina = User.objects.get(username="nina")
        return nina.platform_role, {m.tenant.name: m.role for m in nina.memberships.select_related("tenant")}

    assert roles("ops", "devs") == ("admin", {"team": "member"})
    assert roles("audit", "devs", "leads") == ("auditor", {"team": "owner"})
    assert roles() == ("", {})
    members.put(by=world.alice, tenant="team", username="nina", role=Role.VIEWER)
    assert roles("devs") == ("", {"team": "viewer"}), "what a person gave stays"
    assert roles() == ("", {"team": "viewer"})


def test_what_the_token_lacks_is_read_from_userinfo(world: World, provider: Provider) -> None:
    provider.person = {"sub": "s-9"}
    provider.told = {"preferred_username": "uma", "groups": ["audit"]}
    sign_in(Client(), provider)
    assert User.objects.get(username="uma").platform_role == PlatformRole.AUDITOR

    provider.told = {"sub": "somebody", "preferred_username": "x"}
    assert sign_in(Client(), provider).status_code == 403


def test_without_making_users_only_linked_people_come_in(
    world: World, provider: Provider, settings: Any
) -> None:
    settings.ATOLL_OIDC = replace(settings.ATOLL_OIDC, create_users=False)
    assert sign_in(Client(), provider).status_code == 403
    identities.link(by=world.root, username="bob", issuer=provider.issuer, subject="s-1")
    client = Client()
    sign_in(client, provider)
    assert signed_in(client) == "bob"


def test_a_user_who_is_switched_off_stays_out(world: World, provider: Provider) -> None:
    sign_in(Client(), provider)
    User.objects.filter(username="nina").update(is_active=False)
    client = Client()
    response = sign_in(client, provider)
    assert (response.status_code, signed_in(client)) == (403, "")
    assert "ask an admin to lift it" in shown(response)


FLAWS = ("wrong audience", "wrong issuer", "expired", "alg none", "HS256 with the public key", "unknown kid")


@pytest.mark.django_db
def test_a_bad_id_token_signs_nobody_in(provider: Provider) -> None:
    for flaw in FLAWS:
        provider.spoil = partial(BAD_TOKENS[flaw], provider)
        client = Client()
        assert (sign_in(client, provider).status_code, signed_in(client), flaw) == (403, "", flaw)
    assert not User.objects.exists()


@pytest.mark.parametrize("wrong", [{"nonce": "other"}, {"nonce": None}, {"azp": "other"}, {"aud": ["x"]}])
def test_a_token_of_another_sign_in_is_refused(db: None, provider: Provider, wrong: dict[str, Any]) -> None:
    provider.spoil = lambda claims: provider.key.sign({**claims, **wrong})
    client = Client()
    assert (sign_in(client, provider).status_code, signed_in(client)) == (403, "")


def test_state_works_once_and_in_its_own_browser(db: None, provider: Provider) -> None:
    mine, other = Client(), Client()
    place = mine.get("/sign-in/oidc")["Location"]
    query = callback(place, provider)
    assert other.get(BACK + query).status_code == 403, "a link that somebody sends signs nobody in"
    assert mine.get(BACK + query).status_code == 302
    assert mine.get(BACK + query).status_code == 403
    assert Client().get(BACK + "code=x&state=made-up").status_code == 403
    assert Client().get(BACK).status_code == 403


@pytest.mark.parametrize(
    "answer", [{"code": "wrong"}, {"iss": "https://evil.example"}, {"error": "access_denied"}]
)
def test_an_answer_that_cannot_be_signs_nobody_in(
    db: None, provider: Provider, answer: dict[str, str]
) -> None:
    client = Client()
    assert (sign_in(client, provider, **answer).status_code, signed_in(client)) == (403, "")


def test_a_provider_that_is_away_is_told_and_the_password_still_works(db: None, provider: Provider) -> None:
    provider.down = True
    response = Client().get("/sign-in/oidc")
    assert (response.status_code, "Example does not answer" in shown(response)) == (503, True)


def test_a_session_ends_after_eight_hours(world: World, provider: Provider) -> None:
    client = Client()
    sign_in(client, provider)
    assert client.get("/").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(hours=8, minutes=1)):
        assert client.get("/").status_code == 302


@pytest.fixture
def operator(world: World, provider: Provider) -> Client:
    """Nina, an admin by her groups, who signed in long ago."""
    provider.person["groups"] = ["ops"]
    client = Client()
    sign_in(client, provider)
    place = client.post("/tenants/new", TEAM)["Location"]
    assert place.startswith("/step-up"), "without auth_time nobody knows how long ago they signed in"
    return client


def asked(client: Client) -> str:
    place = str(client.post("/tenants/new", TEAM)["Location"])
    page = client.get(place)
    assert ("Show it at Example" in shown(page), 'type="password"' in str(page.content)) == (True, False)
    return "?" + place.partition("?")[2]


def test_step_up_at_the_provider(operator: Client, provider: Provider) -> None:
    query = asked(operator)
    there = operator.get(f"/sign-in/oidc{query}")["Location"]
    assert parse_qs(urlsplit(there).query)["max_age"] == ["600"]
    provider.auth_time = int(time.time()) - 5
    back = operator.get(BACK + callback(there, provider))
    page = operator.get(back["Location"])
    assert b"data-go-on" in page.content
    assert operator.post("/tenants/new", TEAM)["Location"] == "/tenants/newteam"


@pytest.mark.parametrize("seconds", [None, 1000])
def test_a_sign_in_of_long_ago_is_no_step_up(
    operator: Client, provider: Provider, seconds: int | None
) -> None:
    query = asked(operator)
    provider.auth_time = int(time.time()) - seconds if seconds else None
    response = sign_in(operator, provider, query)
    assert (response.status_code, "auth_time" in shown(response)) == (403, True)
    assert operator.post("/tenants/new", TEAM)["Location"].startswith("/step-up")
    assert not Tenant.objects.filter(name="newteam").exists()


def test_somebody_elses_sign_in_is_no_step_up(operator: Client, provider: Provider) -> None:
    query = asked(operator)
    provider.person, provider.auth_time = {"sub": "s-2", "preferred_username": "otto"}, int(time.time())
    response = sign_in(operator, provider, query)
    assert (response.status_code, signed_in(operator)) == (403, "nina")
    assert "is not nina's" in shown(response)


def test_a_recent_sign_in_there_counts_as_one_here(world: World, provider: Provider) -> None:
    provider.person["groups"], provider.auth_time = ["ops"], int(time.time()) - 60
    client = Client()
    sign_in(client, provider)
    assert client.post("/tenants/new", TEAM)["Location"] == "/tenants/newteam"


def test_identities_lie_on_the_users_page(world: World, provider: Provider) -> None:
    sign_in(Client(), provider)
    said = shown(world.client("root").get("/users"))
    assert f"s-1 at {provider.issuer}" in said
    again = world.client("root").post(
        "/users/identities", {"username": "nemo", "issuer": "x", "subject": "y"}
    )
    assert (again.status_code, "no user 'nemo'" in shown(again)) == (422, True)


@pytest.mark.django_db(transaction=True)
def test_two_first_sign_ins_at_once_make_one_user_and_both_are_let_in() -> None:
    def sign_in_once() -> str:
        return identities.sign_in(
            issuer="https://id.example",
            subject="s-9",
            username="nadia",
            groups={"devs"},
            mapping=GROUPS,
            create=True,
        ).username

    for _ in range(3):
        assert in_threads(6, sign_in_once) == ["nadia"] * 6
        assert (User.objects.count(), Identity.objects.count()) == (1, 1)
        User.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_of_two_people_of_one_name_at_once_one_is_let_in_and_one_is_told() -> None:
    subjects = count(1)

    def sign_in_once() -> str:
        subject = f"s-{next(subjects)}"
        try:
            identities.sign_in(
                issuer="https://id.example",
                subject=subject,
                username="nadia",
                groups=set(),
                mapping=GROUPS,
                create=True,
            )
        except NotAllowed as error:
            return error.detail
        return "in"

    answers = in_threads(4, sign_in_once)
    assert answers.count("in") == 1
    assert sum("who may be somebody else" in one for one in answers) == 3


def test_tokens_of_people_of_the_provider_stop_until_they_sign_in_again(
    world: World, provider: Provider, settings: Any
) -> None:
    settings.ATOLL_OIDC_TOKEN_DAYS = 30
    sign_in(Client(), provider)
    nina = Api(Actor(User.objects.get(username="nina")))
    alice = Api(world.alice)
    later = timezone.now() + timedelta(days=31)

    with time_machine.travel(later, tick=False):
        refused = assert_problem(nina.get("/me"), 401, "not-authenticated")
        assert "has not signed in at http://testserver for 30 days: sign in there once" in refused["detail"]
        assert alice.get("/me").status_code == 200, "local people have no provider"
        sign_in(Client(), provider)
        assert nina.get("/me").status_code == 200
    settings.ATOLL_OIDC_TOKEN_DAYS = 0
    Identity.objects.update(last_used_at=timezone.now() - timedelta(days=999))
    assert nina.get("/me").status_code == 200


def test_whoever_an_admin_linked_keeps_their_tokens(world: World, provider: Provider, settings: Any) -> None:
    settings.ATOLL_OIDC_TOKEN_DAYS = 30
    identities.link(by=world.root, username="alice", issuer=provider.issuer, subject="s-7")
    assert Api(world.alice).get("/me").status_code == 200
