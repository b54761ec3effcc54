from __future__ import annotations

import pytest
from django.db import OperationalError

from tenancy.actions import services
from tenancy.enums import ServiceKind
from tests import factories
from tests.portal.api.client import Api, assert_problem


def test_alive_needs_nothing():
    response = Api().get("/livez")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_ready_tells_of_the_machinery_from_the_database():
    factories.host()
    services.beat(ServiceKind.WORKER, "w1")

    body = Api().get("/readyz").json()

    assert body.pop("oldestDueSeconds") >= 0
    assert body == {"status": "ok", "workers": 1, "relays": 0, "hostsReachable": 1, "hosts": 1}


def test_not_ready_without_the_database(monkeypatch):
    def away():
        raise OperationalError("gone")

    monkeypatch.setattr("portal.api.views.health.services.health", away)

    response = Api().get("/readyz/")

    assert_problem(response, 503, "unavailable")
    assert response["Retry-After"] == "5"
