"""Whatever a schema-reading client sends, the answers are as the OpenAPI document says.

Some dozen requests for each operation, half of them to objects that exist, by three
identities, through the WSGI stack: no status, header or body that is not documented,
and never a 5xx but the documented 503.
"""

from __future__ import annotations

import functools
from uuid import UUID

import pytest
import schemathesis
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from portal.api import waiting
from portal.api.schema import document
from portal.api.views import kubeconfigs
from tenancy.actions import inspection
from tests import factories
from tests.support.worlds import made_once

pytestmark = [pytest.mark.matrix, pytest.mark.django_db]

IDENTITIES = ("owner", "outsider", "admin")
EXISTING = {"tenant": "team", "username": "vera", "name": "first"}
SEEN: dict[str, str] = {}
"""Part of an address → the uid of what exists there."""
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
_wsgi = functools.cache(get_wsgi_application)


def _app(environ, start_response):
    """Made on first use: the settings of a test are not there yet when tests are collected."""
    return _wsgi()(environ, start_response)


_served = schemathesis.openapi.from_dict(document())
_served.app = _app
OPERATIONS = {found.ok().label: found.ok() for found in _served.get_all_operations()}  # type: ignore[union-attr] # an Err has no ok: it fails here


def _existing(label, key, value):
    """What exists in place of what was thought up; a uid that is none stays, for it is to be refused."""
    if key != "uid":
        return EXISTING.get(key, value)
    uid = next((uid for part, uid in SEEN.items() if part in label), value)
    try:
        UUID(str(value))
    except ValueError:
        return value
    return uid


@pytest.fixture(scope="module")
def tokens(django_db_setup, django_db_blocker):
    """The text of a token of each identity, in a world where there is something to find."""
    for signal in (signals.request_started, signals.request_finished):
        signal.disconnect(close_old_connections)
    with made_once(django_db_blocker):
        yield {name: factories.token(who) for name, who in _people().items()}
    for signal in (signals.request_started, signals.request_finished):
        signal.connect(close_old_connections)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(kubeconfigs, "PATIENCE", 0.0)
    monkeypatch.setattr(waiting, "WAITERS_MAX", 0)


def _people():
    owner, outsider, vera = factories.actor("owner"), factories.actor("outsider"), factories.actor("vera")
    factories.host()
    factories.tenant("team", owner=owner, viewer=vera)
    factories.ready(factories.cluster(owner, "team"))
    factories.service_account("first")
    SEEN["/service-accounts/"] = str(factories.account_token(owner, "first").uid)
    factories.accelerator()
    factories.gpu_pool()
    ongoing = factories.gpu_grant(owner, 1)
    SEEN["/gpu-grants/"], SEEN["/gpu-requests/"] = str(ongoing.uid), str(factories.gpu_request(owner).uid)
    inspection.sign()
    return {"owner": owner, "outsider": outsider, "admin": factories.admin()}


def _in_their_turn():
    """``…/ready`` is one block: of two kinds in the gate, of all with ``--all``."""
    first = ("/clusters/{name}/ready", "/gpu-requests/{uid}/ready")
    for label in OPERATIONS:
        later = label.endswith("/ready") and not label.endswith(first)
        yield pytest.param(label, marks=[pytest.mark.long] if later else [])


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("label", list(_in_their_turn()))
def test_answers_are_as_documented(label, identity, tokens):
    operation = OPERATIONS[label]
    cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in MODES])

    @settings(
        max_examples=4,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(case=cases, existing=st.booleans())
    def conform(case, existing):
        if existing:
            parts = case.path_parameters.items()
            case.path_parameters = {key: _existing(label, key, value) for key, value in parts}
        headers = {"Authorization": f"Bearer {tokens[identity]}"}
        # A document cannot tell every rule: names on a reserved list, cursors, amounts, addresses.
        case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

    conform()
