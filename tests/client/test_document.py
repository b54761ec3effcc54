"""Nouns and verbs: all that the API has, and routes that nobody had thought of."""

from __future__ import annotations

import copy

import pytest

from atoll_client import document
from atoll_client.cli.output import COLUMNS
from portal.api import schema


@pytest.fixture(scope="module")
def api():
    return document.read(schema.document())


def routes(found):
    return [f"{verb.method} {verb.path}" for verbs in found.verbs.values() for verb in verbs]


def test_every_operation_is_a_verb_once(api):
    documented = [
        f"{method.upper()} {path}"
        for path, item in schema.document()["paths"].items()
        for method in document.METHODS
        if method in item and item[method]["tags"] != ["health"]
    ]

    assert sorted(routes(api)) == sorted(documented)


def test_references_are_the_parameters_of_the_address(api):
    (verb,) = api.verbs["cluster", "get"]

    assert verb.reference == ("tenant", "name")
    assert verb.address(["demo", "first"]) == "/tenants/demo/clusters/first"
    assert api.verbs["cluster", "create"][0].reference == ("tenant", "name")


def test_lists_of_several_places_share_a_verb(api):
    assert [verb.parameters for verb in api.verbs["finding", "list"]] == [(), ("tenant", "name")]
    assert [verb.path for verb in api.verbs["tenant", "pools"]] == ["/api/v1/tenants/{tenant}/pools"]


def test_flags_come_from_the_body(api):
    fields = api.verbs["cluster", "apply"][0].fields
    flags = {document.flag(one, fields): one for one in fields}

    assert flags["cpu"].path == ("spec", "resources", "cpu")
    assert flags["deletion-protection"].kind == "boolean"
    assert flags["sandbox"].choices[0] == "gvisor"
    assert len(flags) == len(fields)
    asked = api.verbs["gpu-request", "create"][0].fields
    assert {"pool-host", "pool-name"} <= {document.flag(one, asked) for one in asked}


@pytest.mark.parametrize("noun", ["cluster", "clusters", "Cluster", "GpuRequest", "gpu-requests"])
def test_nouns_as_people_write_them(api, noun):
    assert api.noun(noun) in {"cluster", "gpu-request"}
    assert api.noun("frob") == ""


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("classes", "class"),
        ("policies", "policy"),
        ("keys", "key"),
        ("status", "status"),
        ("access", "access"),
    ],
)
def test_singulars(plural, one):
    assert document.singular(plural) == one


def test_routes_of_a_younger_release_need_no_code():
    younger = copy.deepcopy(schema.document())
    operation = {
        "operationId": "x",
        "tags": ["hooks"],
        "summary": "S",
        "parameters": [],
        "responses": {"200": {}},
    }
    cursor = {"in": "query", "name": "cursor", "schema": {"type": "string"}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/WebhookRequest"}}}}
    hooks = "/api/v1/tenants/{tenant}/beacons"
    younger["components"]["schemas"]["WebhookRequest"] = {
        "properties": {
            "spec": {
                "properties": {
                    "url": {"type": "string"},
                    "events": {"type": "array", "items": {"type": "string"}},
                }
            }
        }
    }
    younger["paths"] |= {
        hooks: {"get": {**operation, "parameters": [cursor]}},
        f"{hooks}/{{name}}": {
            "get": operation,
            "put": {**operation, "requestBody": body},
            "delete": operation,
        },
        f"{hooks}/{{name}}/signals": {"get": {**operation, "parameters": [cursor]}},
        f"{hooks}/{{name}}/signals/{{uid}}/redeliver": {"post": operation},
    }

    found = document.read(younger)

    assert list(found.of("beacon")) == ["list", "get", "apply", "delete"]
    assert set(found.of("signal")) == {"list", "redeliver"}
    (apply,) = found.verbs["beacon", "apply"]
    assert [(one.path[-1], one.many) for one in apply.fields] == [("url", False), ("events", True)]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"paths": {}},
        {"paths": {"/api/v1/": {"get": {"responses": {}}}, "/x": {"get": {"responses": {}}}}},
        {"paths": {"/api/v1/a": {"get": {"responses": {}, "parameters": [{"$ref": "#/nowhere"}]}}}},
        {
            "paths": {
                "/api/v1/a": {
                    "post": {
                        "responses": {},
                        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/a"}}}},
                    }
                }
            },
            "a": {"$ref": "#/a"},
        },
    ],
)
def test_odd_documents_do_no_harm(odd):
    assert all(verbs for verbs in document.read(odd).verbs.values())


@pytest.mark.parametrize("noun", COLUMNS)
def test_what_tables_show_is_in_the_schema(api, noun):
    """Columns are read off objects; a field that was renamed would leave one empty for ever."""
    verb = (api.verbs.get((noun, "get")) or api.verbs[noun, "list"])[0]
    content = schema.document()["paths"][verb.path]["get"]["responses"]["200"]["content"]
    found = resolved(content["application/json"]["schema"])
    one = found if "items" not in found["properties"] else resolved(found["properties"]["items"]["items"])
    for path in COLUMNS[noun]:
        here = one
        for part in path.split("."):
            if here.get("additionalProperties") or not here.get("properties"):
                break  # anything may be in it
            assert part in here["properties"], path
            here = resolved(here["properties"][part])


def resolved(found):
    return document._followed(schema.document(), found)
