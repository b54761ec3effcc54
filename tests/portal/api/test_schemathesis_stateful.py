"""Chains of requests, each made from the answers to those before: what was made is read, changed, deleted.

schemathesis infers from the OpenAPI document which answer feeds which request. By three identities, on a
database that answers and on one that refuses every third write: no answer but documented ones.
"""

from __future__ import annotations

import pytest
import schemathesis
from django.core import signals
from django.db import OperationalError, close_old_connections, connection, transaction
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from portal.api.schema import document
from portal.api.views import kubeconfigs
from tests import factories
from tests.portal.api import test_access, test_schemathesis
from tests.support.worlds import made_once

pytestmark = [pytest.mark.long, pytest.mark.matrix, pytest.mark.django_db]
WRITES = ("INSERT", "UPDATE", "DELETE")


@pytest.fixture(scope="module")
def tokens(django_db_setup, django_db_blocker):
    """The text of a token of each identity."""
    for signal in (signals.request_started, signals.request_finished):
        signal.disconnect(close_old_connections)
    with made_once(django_db_blocker):
        people = test_access.everybody()
        yield {name: factories.token(people[name]) for name in test_schemathesis.IDENTITIES}
    for signal in (signals.request_started, signals.request_finished):
        signal.connect(close_old_connections)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(kubeconfigs, "PATIENCE", 0.0)


def _machine(token, turn):
    served = schemathesis.openapi.from_dict(document())
    served.app = test_schemathesis._app

    class Machine(served.as_state_machine()):  # made at run time
        def setup(self):
            self._world = transaction.atomic()
            self._world.__enter__()
            turn.clear()

        def teardown(self):
            transaction.set_rollback(True)
            self._world.__exit__(None, None, None)

        def before_call(self, case):
            """In the tenant and on the host that exist; the rest is made on the way."""
            for part, name in (("tenant", "team"), ("host", "lab")):
                if part in case.path_parameters:
                    case.path_parameters[part] = name

        def get_call_kwargs(self, case):
            return {"headers": {"Authorization": f"Bearer {token}"}}

        def validate_response(self, response, case, **_):
            # The token is put in here, which looks to it as one that it made up: the test of single requests checks that.
            assert response.status_code < 500 or response.status_code == 503
            case.validate_response(
                response, excluded_checks=[positive_data_acceptance, ignored_auth, not_a_server_error]
            )

    return Machine


@pytest.mark.parametrize("mood", ["well", "tired"])
@pytest.mark.parametrize("identity", test_schemathesis.IDENTITIES)
def test_chains_of_requests_are_answered_as_documented(identity, mood, tokens):
    turn = []

    def tired(execute, sql, params, many, context):
        if sql.startswith(WRITES):
            turn.append(sql)
            if len(turn) % 3 == 0:
                raise OperationalError("database is locked")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(tired if mood == "tired" else lambda run, *rest: run(*rest)):
        _machine(tokens[identity], turn).run(
            settings=settings(
                max_examples=15,
                stateful_step_count=12,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                derandomize=True,
                database=None,
            )
        )
