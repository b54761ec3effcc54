from __future__ import annotations

import pytest

from tenancy.actions import members
from tenancy.enums import PlatformRole, Role
from tests import factories
from tests.portal.api.client import Api


@pytest.fixture
def alice(db):
    return factories.actor("alice")


@pytest.fixture
def team(alice):
    factories.host()
    return factories.tenant("team", owner=alice)


@pytest.fixture
def api(team, alice):
    """Alice, owner of ``team``."""
    return Api(alice)


@pytest.fixture
def outsider(db):
    """Bob, owner of a tenant of his own."""
    bob = factories.actor("bob")
    factories.tenant("other", owner=bob)
    return Api(bob)


@pytest.fixture
def admin(db):
    return Api(factories.admin())


@pytest.fixture
def auditor(db):
    return Api(factories.actor("audrey", PlatformRole.AUDITOR))


@pytest.fixture
def pool(team):
    factories.accelerator()
    return factories.gpu_pool(4)


@pytest.fixture
def member(team):
    mia = factories.actor("mia")
    members.put(by=factories.admin(), tenant="team", username="mia", role=Role.MEMBER)
    return Api(mia)
