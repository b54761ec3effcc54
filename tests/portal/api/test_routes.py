"""What holds for every route of its kind, found in the OpenAPI document: a new route without an entry fails.

Foreign looks as unknown; a list costs as many queries for three rows as for one; a POST takes a key.
"""

from __future__ import annotations

import json
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import rates
from portal.api import schema
from portal.api.views import kubeconfigs
from tenancy.actions import accelerators, findings, identities, tokens, webhooks, work
from tenancy.enums import OperationState, WorkKind
from tenancy.models import (
    AddOnVersion,
    Node,
    NodeMove,
    Notice,
    ServiceAccount,
    TemplateVersion,
    VirtualCluster,
)
from tenancy.rules.drift import Place
from tests import factories
from tests.portal.api import test_access, test_findings
from tests.portal.api.access_matrix import IDENTITIES, MATRIX
from tests.portal.api.client import Api
from tests.support.worlds import made_once

pytestmark = [pytest.mark.matrix, pytest.mark.django_db]
OUTSIDER = IDENTITIES.index("outsider")
CLUSTER = "/api/v1/tenants/team/clusters/first"
DOCUMENT = schema.document()["paths"]


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    with made_once(django_db_blocker):
        yield test_access.everybody()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(kubeconfigs, "PATIENCE", 0.0)


def test_what_is_counted_as_open_is_what_needs_no_token():
    without = {
        path
        for path, item in DOCUMENT.items()
        if any(operation.get("security") == [{}] for operation in item.values())
    }

    assert {path for path in without if path.startswith(rates.API)} == rates.OPEN


def test_every_post_with_an_effect_takes_a_key():
    deaf = [
        path
        for path, item in DOCUMENT.items()
        if "post" in item
        and not any(p["name"] == "Idempotency-Key" for p in item["post"].get("parameters", []))
    ]

    # Nobody is signed in there yet, so no key is anybody's; each answer is another short-lived token.
    assert deaf == ["/api/v1/token-exchange"]


HIDDEN = sorted(name for name, line in MATRIX.items() if line.statuses[OUTSIDER] == 404)
"""What a stranger is told does not exist."""


def test_all_of_a_tenant_is_hidden_from_strangers():
    of_tenants = {
        f"{method.upper()} {path}"
        for path, item in DOCUMENT.items()
        for method in item
        if "{tenant}" in path and f"{method.upper()} {path}" in MATRIX
    }

    # Who may not make tenants is told so of every name.
    assert of_tenants - set(HIDDEN) == {"PUT /api/v1/tenants/{tenant}"}


@pytest.mark.parametrize("operation", HIDDEN)
def test_foreign_looks_as_unknown(world, operation):
    line, stranger = MATRIX[operation], Api(world["outsider"])
    address = test_access.addressed(line.request, world["owner"])
    elsewhere = _unknown(line.request, address)

    told = []
    for path in (address, elsewhere):
        response = stranger.send(operation.split()[0], path, line.body)
        body = response.content.decode()
        headers = {k: v for k, v in response.headers.items() if k not in {"X-Request-Id", "Content-Length"}}
        for name in _names(path):
            body = body.replace(name, "…")
        told.append((response.status_code, body, headers))

    assert told[0][0] == 404
    assert told[0] == told[1]


def _unknown(template, address):
    """The same address of things that were never there."""
    parts = [str(uuid.uuid4()) if "{" in part else part for part in template.split("/")]
    swapped = {"team": "maet", "lab": "bal", "web": "bew"}
    found = "/".join(swapped.get(part, part) for part in parts)
    assert found != address
    return found


def _names(path):
    """What the caller has put into the address, longest first."""
    return sorted(set(path.removeprefix("/api/v1/").split("/")) - {"tenants", "hosts"}, key=len, reverse=True)


def _more_tenants(world):
    factories.tenant(owner=world["owner"])


def _more_clusters(world):
    factories.cluster(world["owner"], "team", f"c{VirtualCluster.objects.count()}")


def _more_findings(_):
    found = VirtualCluster.objects.get(name="first")
    work.resync(WorkKind.CLUSTER)
    lease = work.claim(WorkKind.CLUSTER, found.uid)
    place = Place("lab", found.namespace, "team", "first", found.uid)
    assert findings.noticed(lease, place, test_findings.drift(f"ResourceQuota {uuid.uuid4()}"))
    work.wait(lease, 0)


def _more_limits(world):
    name = f"class{uuid.uuid4().hex[:6]}"
    factories.accelerator(name, f"{name}.com/gpu")
    accelerators.set_limit(by=world["admin"], tenant_name="team", key=name, amount=1)


def _more_requests(world):
    name = f"class{uuid.uuid4().hex[:6]}"
    factories.accelerator(name, f"{name}.com/gpu")
    factories.gpu_pool(1, name=name, resource=f"{name}.com/gpu")
    factories.gpu_request(world["owner"], 1, key=name)


def _more_account_tokens(_):
    account = ServiceAccount.objects.get(name="ci")
    tokens.create(by=factories.admin(), name="ci", tenant="team", account=account)


def _more_identities(_):
    name, issuer = factories.user().username, "https://id.example.com"
    identities.link(by=factories.admin(), username=name, issuer=issuer, subject=name)


def _more_members(_):
    factories.members.put(
        by=factories.admin(), tenant="team", username=factories.user().username, role=factories.Role.VIEWER
    )


def _more_moves(_):
    node = Node.objects.get(name="blue")
    NodeMove.objects.create(node=node, state=OperationState.SUCCEEDED, target="gold", cause="a test")


def _more_notices(world):
    Notice.objects.create(user=world["owner"].user, key=str(uuid.uuid4()), subject="s", body="b")


def _more_pools(_):
    name = f"p{uuid.uuid4().hex[:6]}"
    pool = factories.pool(name, "team")
    factories.node(f"{name}-1")
    Node.objects.filter(name=f"{name}-1").update(pool=pool)


def _more_hooks(by, tenant):
    wish = webhooks.WebhookWish("https://93.184.215.14/in")
    webhooks.put(by=by, tenant_name=tenant, name=f"w{uuid.uuid4().hex[:6]}", wish=wish)


def _more_users_of_a_template(world):
    name = f"c{VirtualCluster.objects.count()}"
    spec = {"template": {"name": "web", "version": "1.0.0"}}
    factories.cluster(world["owner"], "team", name, spec)


MORE = {
    "/api/v1/accelerator-classes": _more_limits,
    "/api/v1/add-ons": lambda _: factories.add_on(f"a{uuid.uuid4().hex[:6]}"),
    "/api/v1/add-ons/{name}/versions": lambda _: factories.add_on(
        version=f"1.{AddOnVersion.objects.count()}.1"
    ),
    "/api/v1/audit": _more_tenants,
    "/api/v1/cluster-templates": lambda _: factories.template(f"t{uuid.uuid4().hex[:6]}"),
    "/api/v1/cluster-templates/{name}/versions": lambda _: factories.published(
        f"1.{TemplateVersion.objects.count()}.1"
    ),
    "/api/v1/cluster-templates/{name}/versions/{version}/impact": _more_users_of_a_template,
    "/api/v1/findings": _more_findings,
    "/api/v1/gpu-exposure": lambda _: factories.host(f"h{uuid.uuid4().hex[:6]}"),
    "/api/v1/gpu-grants": lambda world: factories.gpu_grant(world["owner"], 1),
    "/api/v1/gpu-requests": _more_requests,
    "/api/v1/hosts": lambda _: factories.host(f"h{uuid.uuid4().hex[:6]}"),
    "/api/v1/hosts/{host}/nodes": lambda _: factories.node(f"n{uuid.uuid4().hex[:6]}"),
    "/api/v1/hosts/{host}/nodes/{name}/moves": _more_moves,
    "/api/v1/hosts/{host}/pools": _more_pools,
    "/api/v1/identities": _more_identities,
    "/api/v1/notices": _more_notices,
    "/api/v1/operations": _more_clusters,
    "/api/v1/tenants": _more_tenants,
    "/api/v1/tenants/{tenant}/accelerator-limits": _more_limits,
    "/api/v1/tenants/{tenant}/audit": _more_members,
    "/api/v1/tenants/{tenant}/clusters": _more_clusters,
    "/api/v1/tenants/{tenant}/clusters/{name}/findings": _more_findings,
    "/api/v1/tenants/{tenant}/clusters/{name}/reports": lambda _: factories.report(
        VirtualCluster.objects.get(name="first")
    ),
    "/api/v1/tenants/{tenant}/events": _more_clusters,
    "/api/v1/tenants/{tenant}/gpu-grants": lambda world: factories.gpu_grant(world["owner"], 1),
    "/api/v1/tenants/{tenant}/gpu-requests": _more_requests,
    "/api/v1/tenants/{tenant}/members": _more_members,
    "/api/v1/tenants/{tenant}/pools": _more_pools,
    "/api/v1/tenants/{tenant}/service-accounts": lambda _: factories.service_account(
        f"a{uuid.uuid4().hex[:6]}"
    ),
    "/api/v1/tenants/{tenant}/service-accounts/{name}/tokens": _more_account_tokens,
    "/api/v1/tenants/{tenant}/webhooks": lambda world: _more_hooks(world["owner"], "team"),
    "/api/v1/tenants/{tenant}/webhooks/{name}/deliveries": lambda _: test_access.sent("team", "hook"),
    "/api/v1/webhooks": lambda world: _more_hooks(world["admin"], None),
    "/api/v1/webhooks/{name}/deliveries": lambda _: test_access.sent(None, "siem"),
    "/api/v1/users": lambda _: factories.user(),
    "/api/v1/tokens": lambda world: factories.token(world["owner"]),
}
"""Route of a list → makes one more item of it."""


def test_every_list_has_its_entry():
    lists = {
        path
        for path, item in DOCUMENT.items()
        if "get" in item and '"$ref": "#/components/schemas/' in json.dumps(item["get"]["responses"]["200"])
        if json.dumps(item["get"]["responses"]["200"])
        .split("#/components/schemas/")[1]
        .startswith(tuple(_PAGES))
    }

    assert lists == set(MORE)


_PAGES = {
    f'{name}"'
    for name, found in schema.document()["components"]["schemas"].items()
    if {"items", "next"} == set(found.get("properties", {}))
}


@pytest.mark.parametrize("route", MORE)
def test_three_cost_as_many_queries_as_one(world, route):
    line = MATRIX[f"GET {route}"]
    mine = line.statuses[IDENTITIES.index("owner")] == 2 and route != "/api/v1/hosts"
    api = Api(world["owner" if mine and "exposure" not in route else "admin"])
    path = test_access.addressed(line.request, world["owner"])
    MORE[route](world)
    api.get(path)

    few, cheap = _cost(api, path)
    for _ in range(2):
        MORE[route](world)
    many, dear = _cost(api, path)

    assert few >= 1
    assert many >= few + 2
    assert dear == cheap


def _cost(api, path):
    with CaptureQueriesContext(connection) as seen:
        items = api.get(path).json()["items"]
    return len(items), len(seen.captured_queries)
