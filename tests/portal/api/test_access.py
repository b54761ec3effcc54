from __future__ import annotations

import pytest

from portal.api import schema
from portal.api.views import kubeconfigs
from tenancy.actions import accelerators, access, decisions, grants, identities, inspection, tenants, webhooks
from tenancy.enums import PlatformRole
from tenancy.event_enums import DeliveryState
from tenancy.models import ApiToken, Delivery, Operation, VirtualCluster
from tenancy.queries import grants as grant_queries
from tests import factories
from tests.portal.api.access_matrix import IDENTITIES, MATRIX
from tests.portal.api.client import Api
from tests.portal.api.documented import assert_documented
from tests.support.worlds import made_once

pytestmark = [pytest.mark.matrix, pytest.mark.django_db]

_METHODS = ("get", "put", "post", "delete", "patch")


def test_every_operation_has_its_line():
    documented = {
        f"{method.upper()} {path}"
        for path, item in schema.document()["paths"].items()
        for method in _METHODS
        if method in item
    }

    assert documented == set(MATRIX)


def test_every_line_has_a_status_for_each_identity():
    assert {len(line.statuses) for line in MATRIX.values()} == {len(IDENTITIES)}


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """A team with a ready cluster, and somebody of each kind."""
    with made_once(django_db_blocker):
        yield everybody()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(kubeconfigs, "PATIENCE", 0.0)


def everybody():
    """Somebody of each kind, in a world with a bit of everything."""
    people = {name: factories.actor(name) for name in ("owner", "member", "outsider")}
    people["viewer"] = factories.actor("vera")
    people["admin"] = factories.admin()
    people["auditor"] = factories.actor("auditor", PlatformRole.AUDITOR)
    factories.host()
    roles = {role: people[role] for role in ("owner", "member", "viewer")}
    factories.tenant("team", **roles)
    factories.tenant("elsewhere", owner=people["outsider"])
    factories.service_account()
    factories.ready(factories.cluster(people["owner"], "team"))
    factories.node("blue")
    factories.pool("gold", "team")
    inspection.sign()
    factories.accelerator("spare", "amd.com/gpu")
    accelerators.set_limit(by=people["admin"], tenant_name="team", key="spare", amount=3)
    factories.accelerator()
    factories.gpu_pool()
    factories.template("web", "team")
    factories.published("1.0.0")
    factories.add_on()
    wish = webhooks.WebhookWish("https://93.184.215.14/in")
    webhooks.put(by=people["owner"], tenant_name="team", name="hook", wish=wish)
    webhooks.put(by=people["admin"], tenant_name=None, name="siem", wish=wish)
    return people


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("operation", MATRIX)
def test_access(world, operation, identity):
    line = MATRIX[operation]
    expected = line.statuses[IDENTITIES.index(identity)]
    path, api = addressed(line.request, world["owner"]), _speaker(world, identity)

    response = api.send(operation.split()[0], path, line.body)

    status = response.status_code
    assert (2 if status < 300 else status) == expected
    assert_documented(operation, response)


def _speaker(world, identity):
    if identity == "nobody":
        return Api()
    if identity == "reader":
        return Api(world["owner"], read_only=True)
    if identity == "suspended":
        tenants.update(by=world["admin"], name="team", suspended=True)
        return Api(world["owner"])
    return Api(world[identity])


def addressed(path, owner):
    """The path with the uids of what the owner has."""
    if "{kubeconfig}" in path:
        wish = access.request(by=owner, tenant_name="team", name="first")
        return path.format(kubeconfig=wish.uid)
    if "{token}" in path:
        factories.token(owner)
        return path.format(token=ApiToken.objects.get(user=owner.user).uid)
    if "{account_token}" in path:
        return path.format(account_token=factories.account_token(owner).uid)
    if "{report}" in path:
        return path.format(report=factories.report(VirtualCluster.objects.get()).uid)
    for name, made in _MADE.items():
        if f"{{{name}}}" in path:
            return path.format(**{name: made(owner)})
    target = VirtualCluster.objects.get().uid
    return path.format(operation=Operation.objects.get(target_uid=target).uid)


def _offer(owner):
    asked = factories.gpu_request(owner)
    terms = grant_queries.asked(asked)
    decisions.counter(by=factories.admin(), uid=asked.uid, terms=terms, reason="take it")
    return asked.uid


def _closed(owner):
    grant = grants.return_early(by=owner, uid=factories.gpu_grant(owner).uid)
    grants.tick()
    return grant.uid


def _linked(_):
    issuer = "https://id.example"
    return identities.link(by=factories.admin(), username="root", issuer=issuer, subject="r").uid


def sent(tenant, name):
    """A message of the webhook that is on its way no more: another may be sent."""
    made = webhooks.ping(by=factories.admin(), tenant_name=tenant, name=name)
    Delivery.objects.update(state=DeliveryState.FAILED, next_at=None)
    return made.uid


_MADE = {
    "delivery": lambda _: sent("team", "hook"),
    "message": lambda _: sent(None, "siem"),
    "identity": _linked,
    "request": lambda owner: factories.gpu_request(owner).uid,
    "offer": _offer,
    "grant": lambda owner: factories.gpu_grant(owner).uid,
    "closed": _closed,
}
"""What stands in an address → makes it, and tells its uid."""
