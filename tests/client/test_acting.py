"""How objects are named where one noun is in two places."""

from __future__ import annotations

import pytest

from atoll_client import document
from atoll_client.cli.acting import reference

HOOKS = "/api/v1/tenants/{tenant}/hooks"
CURSOR = {"in": "query", "name": "cursor", "schema": {"type": "string"}}
ITEM: dict[str, dict[str, dict[str, str]]] = {"get": {"responses": {}}, "put": {"responses": {}}}


@pytest.fixture
def api():
    listing = {"get": {"responses": {}, "parameters": [CURSOR]}}
    paths = {
        HOOKS: listing,
        f"{HOOKS}/{{name}}": ITEM,
        "/api/v1/hooks": listing,
        "/api/v1/hooks/{name}": ITEM,
    }
    return document.read({"paths": paths})


@pytest.mark.parametrize("name", ["list", "get", "apply"])
def test_a_teams_and_the_platforms(api, name):
    body = {"metadata": {"name": "x"}}
    mine, platforms = sorted(api.verbs["hook", name], key=lambda verb: -len(verb.parameters))

    assert reference(api, mine, ["team"], body) == "team/x"
    assert reference(api, platforms, [], body) == "x"
