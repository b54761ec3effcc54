"""Each operation of the OpenAPI document needs the scope it names: with it alone it works, with all others it does not.

The world is made once, and what a request changes in it is taken back.
"""

from __future__ import annotations

import pytest
from django.db import transaction

from portal.api import schema
from portal.api.views import kubeconfigs
from tenancy.enums import Permission
from tenancy.models import ApiToken
from tenancy.policy import SCOPES, scope_for
from tenancy.queries import tokens as known
from tenancy.rules import scopes
from tenancy.token_enums import Scope
from tests import factories
from tests.portal.api.access_matrix import IDENTITIES, MATRIX
from tests.portal.api.client import Api, assert_problem
from tests.portal.api.test_access import addressed, everybody
from tests.support.worlds import made_once

METHODS = ("get", "put", "post", "delete")
NEEDED = {
    f"{method.upper()} {path}": item[method]["security"][0].get("token")
    for path, item in schema.document()["paths"].items()
    for method in METHODS
    if method in item
}
"""Operation → the scopes that the document names; ``None`` where no token is needed."""
SCOPED = {operation: found[0] for operation, found in NEEDED.items() if found}


def test_every_operation_names_one_scope_or_is_for_every_token():
    assert {operation for operation, found in NEEDED.items() if found == []} == {"GET /api/v1/me"}
    assert {found for found in SCOPED.values() if found not in set(Scope)} == set()
    assert [found for found in NEEDED.values() if found is not None and len(found) > 1] == []


def test_every_scope_is_needed_somewhere_and_every_permission_is_in_some_scope():
    assert set(Scope) == set(SCOPED.values())
    assert set(SCOPES) == set(Scope)
    assert set(Permission) - set().union(*SCOPES.values()) == {Permission.TENANT_VIEW}


@pytest.mark.parametrize(
    ("permission", "scope"),
    [
        (Permission.CLUSTER_VIEW, Scope.CLUSTERS_READ),
        (Permission.CLUSTER_WRITE, Scope.CLUSTERS_WRITE),
        (Permission.CLUSTER_ACCESS, Scope.KUBECONFIGS_CREATE),
        (Permission.GPU_REQUEST, Scope.GPU_REQUESTS_WRITE),
    ],
)
def test_a_permission_s_own_scope_is_named(permission, scope):
    assert scope_for(permission) == scope


@pytest.mark.parametrize(
    ("mine", "wanted", "covered"),
    [
        (("clusters:read",), "clusters:read", True),
        (("clusters:*",), "clusters:read", True),
        (("*:read",), "clusters:read", True),
        (("*:*",), "*:read", True),
        (("*:read",), "*:*", False),
        (("clusters:read",), "clusters:*", False),
        (("clusters:*",), "*:read", False),
        (("clusters:write",), "clusters:read", False),
        ((), "clusters:read", False),
    ],
)
def test_what_covers_what(mine, wanted, covered):
    assert scopes.covers(mine, wanted) is covered


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """The world of the access matrix."""
    with made_once(django_db_blocker), pytest.MonkeyPatch.context() as patched:
        patched.setattr(kubeconfigs, "PATIENCE", 0.0)
        yield everybody()


@pytest.mark.matrix
@pytest.mark.django_db
@pytest.mark.parametrize("operation", sorted(SCOPED))
def test_an_operation_needs_the_scope_that_it_names(world, operation):
    line, scope = MATRIX[operation], SCOPED[operation]
    who, expected = _able(world, line.statuses)

    refused = _asked(world, operation, who, set(Scope) - {scope})
    assert assert_problem(refused, 403, "insufficient-scope")["scope"] == scope
    assert f'scope="{scope}"' in refused["WWW-Authenticate"]
    done = _asked(world, operation, who, {scope}).status_code
    assert (2 if done < 300 else done) == expected


def _asked(world, operation, who, names):
    line, api = MATRIX[operation], Api(who, scopes=sorted(names))
    with transaction.atomic():
        answer = api.send(operation.split()[0], _addressed(line.request, world["owner"], api), line.body)
        transaction.set_rollback(True)
    return answer


def _addressed(path, owner, api):
    """The path with the uids of what there is; of tokens such as the one who asks may touch."""
    mine = ApiToken.objects.get(digest=known.digest(api.token))
    if "{token}" in path:
        return path.format(token=mine.uid)
    if "{account_token}" in path:
        return path.format(account_token=factories.account_token(owner, scopes=mine.scopes).uid)
    return addressed(path, owner)


def _able(world, statuses):
    """The first who can do it, or whom only the state of things keeps from it; and what they are told."""
    able = ("admin", "member", "owner")
    found = {statuses[IDENTITIES.index(name)]: world[name] for name in able}
    status = next(status for status in (2, 409, 503) if status in found)
    return found[status], status
