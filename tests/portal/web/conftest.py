"""Alice owns team ``team``, bob is a member, vera a viewer; charlie belongs elsewhere; root is an admin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache
from django.test import Client

from tenancy.policy import Actor
from tests import factories

if TYPE_CHECKING:
    from tenancy.models import Tenant


@dataclass(frozen=True)
class World:
    team: Tenant
    alice: Actor
    bob: Actor
    vera: Actor
    charlie: Actor
    root: Actor

    def actor(self, who: str) -> Actor:
        found = getattr(self, who)
        assert isinstance(found, Actor)
        return found

    def client(self, who: str, *, csrf: bool = False) -> Client:
        """A browser in which this person is signed in; ``nobody`` is a stranger."""
        client = Client(enforce_csrf_checks=csrf)
        if who != "nobody":
            client.force_login(self.actor(who).user)
        return client


def shown(response: Any) -> str:
    """What a page's main part says, as text without marks and with single spaces."""
    body = response.content.decode()
    _, found, rest = body.partition("<main")
    main = rest.partition("</main>")[0] if found else body
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", f"<main{main}")).split())


@pytest.fixture(autouse=True)
def _fresh_throttle() -> None:
    cache.clear()


@pytest.fixture
def world(db: None) -> World:
    return peopled()


def peopled() -> World:
    """The people of the tests of pages, and what they have."""
    alice, bob, vera, charlie = (factories.actor(name) for name in ("alice", "bob", "vera", "charlie"))
    team = factories.tenant("team", owner=alice, member=bob, viewer=vera)
    factories.tenant("other", owner=charlie)
    factories.host()
    return World(team, alice, bob, vera, charlie, factories.admin())
