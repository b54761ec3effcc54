"""Who gets which page: every address for every kind of person."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from portal.web.urls import urlpatterns
from tenancy.actions import webhooks
from tests import factories
from tests.portal.web.conftest import World, peopled, shown
from tests.support.manifests import MANIFEST
from tests.support.worlds import made_once

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.matrix, pytest.mark.django_db]

PEOPLE = ("alice", "bob", "vera", "charlie", "root", "nobody")
SIGN_IN = 302
"""A stranger is sent to the sign-in page."""

UID = uuid.UUID(int=7)  # fixed: every worker of xdist must see the same tests

# address → status for owner, member, viewer, outsider, admin, stranger
READS = {
    "/": (200, 200, 200, 200, 200, SIGN_IN),
    "/live": (200, 200, 200, 200, 200, SIGN_IN),
    "/sign-in": (302, 302, 302, 302, 302, 200),
    "/sign-in/oidc": (503, 503, 503, 503, 503, 503),
    "/sign-in/oidc/callback": (403, 403, 403, 403, 403, 403),
    "/step-up": (409, 409, 409, 409, 409, SIGN_IN),
    "/clusters/new": (200, 200, 403, 200, 200, SIGN_IN),
    "/clusters/team/first": (200, 200, 200, 404, 200, SIGN_IN),
    "/clusters/team/first/live": (200, 200, 200, 404, 200, SIGN_IN),
    "/clusters/team/first/edit": (200, 200, 403, 404, 200, SIGN_IN),
    "/clusters/team/first/plan": (200, 200, 403, 404, 200, SIGN_IN),
    "/clusters/team/first/delete": (200, 200, 403, 404, 200, SIGN_IN),
    "/clusters/team/none": (404, 404, 404, 404, 404, SIGN_IN),
    "/tenants": (200, 200, 200, 200, 200, SIGN_IN),
    "/tenants/new": (403, 403, 403, 403, 200, SIGN_IN),
    "/tenants/team": (200, 200, 200, 404, 200, SIGN_IN),
    "/tenants/team/service-accounts": (200, 403, 403, 404, 200, SIGN_IN),
    "/tenants/team/service-accounts/first": (200, 403, 403, 404, 200, SIGN_IN),
    "/tokens": (200, 200, 200, 200, 200, SIGN_IN),
    "/users": (403, 403, 403, 403, 200, SIGN_IN),
    "/hosts": (403, 403, 403, 403, 200, SIGN_IN),
    "/hosts/gpu-exposure": (403, 403, 403, 403, 200, SIGN_IN),
    "/hosts/lab/pools": (403, 403, 403, 403, 200, SIGN_IN),
    "/hosts/lab/pools/live": (403, 403, 403, 403, 200, SIGN_IN),
    "/hosts/none/pools": (403, 403, 403, 403, 404, SIGN_IN),
    "/clusters/new/quota": (200, 200, 403, 200, 200, SIGN_IN),
    "/gpu": (200, 200, 200, 200, 200, SIGN_IN),
    "/gpu?tenant=team": (200, 200, 200, 404, 200, SIGN_IN),
    "/gpu/fit?tenant=team": (200, 200, 200, 404, 200, SIGN_IN),
    "/gpu/usage": (403, 403, 403, 403, 200, SIGN_IN),
    "/gpu/approvals/live": (403, 403, 403, 403, 200, SIGN_IN),
    "/gpu/approvals": (403, 403, 403, 403, 200, SIGN_IN),
    "/gpu/catalogue": (403, 403, 403, 403, 200, SIGN_IN),
    "/gpu/requests/{request}": (200, 200, 200, 404, 200, SIGN_IN),
    "/gpu/requests/{request}/live": (200, 200, 200, 404, 200, SIGN_IN),
    "/gpu/requests/{request}/what-if": (403, 403, 403, 404, 200, SIGN_IN),
    "/gpu/grants/{grant}": (200, 200, 200, 404, 200, SIGN_IN),
    "/gpu/grants/{grant}/receipt": (409, 409, 409, 404, 409, SIGN_IN),
    "/clusters/team/first/pause": (200, 200, 403, 404, 200, SIGN_IN),
    "/templates": (200, 200, 200, 200, 200, SIGN_IN),
    "/templates/web": (200, 200, 200, 404, 200, SIGN_IN),
    "/templates/none": (404, 404, 404, 404, 404, SIGN_IN),
    "/templates/web/publish": (403, 403, 403, 404, 200, SIGN_IN),
    "/templates/web/versions/1.2.0": (200, 200, 200, 404, 200, SIGN_IN),
    "/templates/web/versions/9.9.9": (404, 404, 404, 404, 404, SIGN_IN),
    "/add-ons": (200, 200, 200, 200, 200, SIGN_IN),
    "/add-ons/publish": (403, 403, 403, 403, 200, SIGN_IN),
    "/add-ons/motd/versions/1.2.0": (200, 200, 200, 200, 200, SIGN_IN),
    "/add-ons/motd/versions/9.9.9": (404, 404, 404, 404, 404, SIGN_IN),
    "/inbox": (200, 200, 200, 200, 200, SIGN_IN),
    "/findings": (403, 403, 403, 403, 200, SIGN_IN),
    "/audit": (403, 403, 403, 403, 200, SIGN_IN),
    "/audit/export": (403, 403, 403, 403, 503, SIGN_IN),  # nothing is signed here yet
    "/tenants/team/audit": (200, 403, 403, 404, 200, SIGN_IN),
    "/tenants/team/webhooks": (200, 403, 403, 404, 200, SIGN_IN),
    "/tenants/team/webhooks/hook": (200, 403, 403, 404, 200, SIGN_IN),
    "/webhooks": (403, 403, 403, 403, 200, SIGN_IN),
    "/webhooks/siem": (403, 403, 403, 403, 200, SIGN_IN),
    f"/clusters/team/first/reports/{UID}": (404, 404, 404, 404, 404, SIGN_IN),
}
TOKEN = f"/tokens/{UID}/revoke"
ACCOUNT = "/tenants/team/service-accounts/first"
WRITES = {
    "/clusters/new": (302, 302, 403, 422, 302, SIGN_IN),
    "/clusters/team/first/pause": (302, 302, 403, 404, 302, SIGN_IN),
    "/clusters/team/first/resume": (302, 302, 403, 404, 302, SIGN_IN),
    "/clusters/team/first/retry": (302, 302, 403, 404, 302, SIGN_IN),
    "/clusters/team/first/edit": (302, 302, 403, 404, 302, SIGN_IN),
    "/clusters/team/first/delete": (302, 302, 403, 404, 302, SIGN_IN),
    "/clusters/team/first/kubeconfig": (409, 409, 409, 404, 409, SIGN_IN),
    "/clusters/team/first/reports": (409, 409, 403, 404, 409, SIGN_IN),
    "/clusters/team/first/quarantine": (403, 403, 403, 404, 302, SIGN_IN),
    "/clusters/team/first/quarantine/lift": (403, 403, 403, 404, 302, SIGN_IN),
    "/tenants/new": (403, 403, 403, 403, 302, SIGN_IN),
    "/tenants/team/members": (302, 403, 403, 404, 302, SIGN_IN),
    "/tenants/team/members/remove": (302, 403, 403, 404, 302, SIGN_IN),
    f"/tokens/{UID}/rotate": (404, 404, 404, 404, 404, SIGN_IN),
    "/tenants/team/service-accounts": (302, 403, 403, 404, 302, SIGN_IN),
    ACCOUNT: (201, 403, 403, 404, 201, SIGN_IN),
    f"{ACCOUNT}/trust": (302, 403, 403, 404, 302, SIGN_IN),
    f"{ACCOUNT}/remove": (302, 403, 403, 404, 302, SIGN_IN),
    f"{ACCOUNT}/tokens/{UID}/rotate": (404, 403, 403, 404, 404, SIGN_IN),
    f"{ACCOUNT}/tokens/{UID}/revoke": (404, 403, 403, 404, 404, SIGN_IN),
    TOKEN: (404, 404, 404, 404, 404, SIGN_IN),
    "/tokens": (201, 201, 201, 201, 201, SIGN_IN),
    "/users": (403, 403, 403, 403, 302, SIGN_IN),
    "/users/vera/suspend": (403, 403, 403, 403, 302, SIGN_IN),
    "/users/vera/resume": (403, 403, 403, 403, 302, SIGN_IN),
    "/users/identities": (403, 403, 403, 403, 302, SIGN_IN),
    f"/users/identities/{UID}/remove": (403, 403, 403, 403, 404, SIGN_IN),
    "/step-up": (409, 409, 409, 409, 409, SIGN_IN),
    "/hosts/lab/pools": (403, 403, 403, 403, 302, SIGN_IN),
    "/hosts/lab/pools/none/remove": (403, 403, 403, 403, 404, SIGN_IN),
    "/hosts/lab/nodes/none/move": (403, 403, 403, 403, 404, SIGN_IN),
    "/gpu": (302, 302, 403, 404, 302, SIGN_IN),
    "/gpu/catalogue": (403, 403, 403, 403, 302, SIGN_IN),
    "/gpu/limit": (403, 403, 403, 404, 302, SIGN_IN),
    "/gpu/catalogue/spare/remove": (403, 403, 403, 403, 302, SIGN_IN),
    "/gpu/requests/{request}/withdraw": (302, 302, 403, 404, 302, SIGN_IN),
    "/gpu/requests/{request}/approve": (403, 403, 403, 404, 302, SIGN_IN),
    "/gpu/requests/{request}/counter": (403, 403, 403, 404, 302, SIGN_IN),
    "/gpu/requests/{request}/deny": (403, 403, 403, 404, 302, SIGN_IN),
    "/gpu/requests/{request}/nonsense": (404, 404, 404, 404, 404, SIGN_IN),
    "/gpu/grants/{grant}": (302, 302, 403, 404, 302, SIGN_IN),
    "/gpu/grants/{grant}/return": (302, 302, 403, 404, 302, SIGN_IN),
    "/tenants/team/webhooks": (201, 403, 403, 404, 201, SIGN_IN),
    "/tenants/team/webhooks/hook": (302, 403, 403, 404, 302, SIGN_IN),
    "/tenants/team/webhooks/hook/ping": (302, 403, 403, 404, 302, SIGN_IN),
    "/tenants/team/webhooks/hook/rotate": (200, 403, 403, 404, 200, SIGN_IN),
    "/tenants/team/webhooks/hook/delete": (302, 403, 403, 404, 302, SIGN_IN),
    "/tenants/team/webhooks/hook/nonsense": (404, 404, 404, 404, 404, SIGN_IN),
    f"/tenants/team/webhooks/hook/deliveries/{UID}/redeliver": (404, 403, 403, 404, 404, SIGN_IN),
    "/webhooks": (403, 403, 403, 403, 201, SIGN_IN),
    "/webhooks/siem": (403, 403, 403, 403, 302, SIGN_IN),
    "/webhooks/siem/ping": (403, 403, 403, 403, 302, SIGN_IN),
    "/webhooks/siem/nonsense": (404, 404, 404, 404, 404, SIGN_IN),
    f"/webhooks/siem/deliveries/{UID}/redeliver": (403, 403, 403, 403, 404, SIGN_IN),
    "/templates": (403, 403, 403, 403, 302, SIGN_IN),
    "/templates/web": (403, 403, 403, 404, 302, SIGN_IN),
    "/templates/web/publish": (403, 403, 403, 404, 302, SIGN_IN),
    "/templates/web/versions/1.2.0": (403, 403, 403, 404, 302, SIGN_IN),
    "/templates/web/remove": (403, 403, 403, 404, 302, SIGN_IN),
    "/add-ons/publish": (403, 403, 403, 403, 302, SIGN_IN),
    "/add-ons/motd/versions/1.2.0/remove": (403, 403, 403, 403, 302, SIGN_IN),
    "/inbox/read": (302, 302, 302, 302, 302, SIGN_IN),
    f"/inbox/{UID}": (404, 404, 404, 404, 404, SIGN_IN),
}
_HOOK = {"url": "https://93.184.215.14/in", "enabled": "on"}
BODIES: dict[str, dict[str, str]] = {
    "/templates": {"name": "fresh"},
    "/templates/web": {"tenants": "team"},
    "/templates/web/publish": {"version": "1.3.0", "text": "cluster: {}"},
    "/templates/web/versions/1.2.0": {"state": "deprecated"},
    "/add-ons/publish": {"name": "motd", "version": "1.3.0", "manifests": MANIFEST},
    "/tenants/team/webhooks": {"name": "chat", **_HOOK},
    "/tenants/team/webhooks/hook": _HOOK,
    "/webhooks": {"name": "chat", **_HOOK},
    "/webhooks/siem": _HOOK,
    "/clusters/new": {"tenant": "team", "name": "second", "size": "small", "version": "1.36"},
    "/clusters/team/first/edit": {"generation": "1", "persistence": "ephemeral"},
    "/clusters/team/first/delete": {"confirm": "first"},
    "/clusters/team/first/kubeconfig": {"lifetime": "600"},
    "/clusters/team/first/quarantine": {"reason": "it mines coins"},
    "/tenants/new": {"name": "fresh", "trust": "untrusted"},
    "/hosts/lab/pools": {"name": "gold", "kind": "dedicated", "tenant": "team"},
    "/gpu/limit": {"tenant": "team", "key": "spare", "amount": "3"},
    "/gpu": {"tenant": "team", "key": "spare", "amount": "1", "justification": "training"},
    "/gpu/catalogue": {
        "name": "spare",
        "kind": "extended-resource",
        "resource": "amd.com/gpu",
        "auto_approve_up_to": "0",
        "two_approvers_from": "0",
        "default_days": "30",
        "longest_days": "365",
        "grace_seconds": "900",
        "weight": "1",
    },
    "/gpu/requests/{request}/approve": {"reason": "fine"},
    "/gpu/requests/{request}/counter": {"amount": "1", "reason": "one will do"},
    "/gpu/requests/{request}/deny": {"reason": "no"},
    "/gpu/grants/{grant}": {
        "until": (datetime.now(UTC).date() + timedelta(days=90)).isoformat(),
        "justification": "not done",
    },
    "/tenants/team/members": {"username": "charlie", "role": "viewer"},
    "/tenants/team/members/remove": {"username": "vera"},
    "/users/identities": {"username": "vera", "issuer": "https://id.example", "subject": "s-1"},
    "/tokens": {"name": "ci", "days": "30"},
    "/tenants/team/service-accounts": {"name": "ci", "role": "member"},
    ACCOUNT: {"name": "deploy", "days": "30"},
    "/users": {"username": "zoe", "password": "a long enough one", "platform_role": ""},
}


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    with made_once(django_db_blocker):
        found = peopled()
        factories.cluster(found.alice, "team", "first")
        factories.service_account("first")
        factories.template("web", "team")
        factories.published("1.2.0")
        factories.add_on(version="1.2.0")
        wish = webhooks.WebhookWish("https://93.184.215.14/in")
        webhooks.put(by=found.alice, tenant_name="team", name="hook", wish=wish)
        webhooks.put(by=found.root, tenant_name=None, name="siem", wish=wish)
        yield found


def _named(world: World, address: str) -> str:
    """The address with the uids of what there is, which is made when it is asked for."""
    if "/gpu" not in address:
        return address
    factories.accelerator()
    factories.gpu_pool()
    factories.accelerator("spare", "amd.com/gpu")
    if "{request}" in address:
        return address.format(request=factories.gpu_request(world.alice).uid)
    if "{grant}" in address:
        return address.format(grant=factories.gpu_grant(world.alice).uid)
    if "remove" not in address:
        factories.gpu_pool(2, "spares", resource="amd.com/gpu")
    return address


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("address", READS)
def test_page_for_each_kind_of_person(world: World, who: str, address: str) -> None:
    response = world.client(who).get(_named(world, address))
    assert response.status_code == READS[address][PEOPLE.index(who)]


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("address", WRITES)
def test_change_by_each_kind_of_person(world: World, who: str, address: str) -> None:
    response = world.client(who).post(_named(world, address), BODIES.get(address, {}))
    assert response.status_code == WRITES[address][PEOPLE.index(who)]


@pytest.mark.parametrize("address", WRITES)
def test_change_without_a_csrf_token_is_refused(world: World, address: str) -> None:
    response = world.client("root", csrf=True).post(_named(world, address), BODIES.get(address, {}))
    assert response.status_code == 403
    assert "This form is out of date" in response.content.decode()


def test_every_address_is_in_the_matrix() -> None:
    asked = {*READS, *WRITES, "/sign-out"}
    uid = TOKEN.split("/")[2]
    plain = {
        re.sub(r"{\w+}", uid, address.partition("?")[0])
        .replace("first", "NAME")
        .replace("none", "NAME")
        .replace("spare", "NAME")
        .replace("/hook", "/NAME")
        .replace("siem", "NAME")
        .replace("templates/web", "templates/NAME")
        .replace("motd", "NAME")
        .replace("nonsense", "VERB")
        .strip("/")
        for address in asked
    }
    routes = {str(route.pattern) for route in urlpatterns}
    shapes = {
        route.replace("<str:tenant>", "team")
        .replace("<str:name>", "NAME")
        .replace("<str:host>", "lab")
        .replace("<str:node>", "NAME")
        .replace("<uuid:uid>", uid)
        .replace("<str:verb>", "VERB")
        .replace("<str:version>", "1.2.0")
        .replace("<str:username>", "vera")
        for route in routes
    }
    assert shapes - plain == set()


def test_foreign_and_unknown_look_alike(world: World) -> None:
    client = world.client("charlie")
    foreign = shown(client.get("/clusters/team/first"))
    unknown = shown(client.get("/clusters/team/nothing"))
    assert foreign.replace("first", "nothing") == unknown


def test_live_part_of_a_signed_out_page_sends_the_browser_to_sign_in(world: World) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/clusters/team/first"}
    response = world.client("nobody").get("/clusters/team/first/live", headers=headers)
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/sign-in?next=http%3A%2F%2Ftestserver%2Fclusters%2Fteam%2Ffirst"
