"""A provider as tools for infrastructure as code have them: it compares what it wrote with what it reads, to the letter.

The newer providers could not be had on the machine this was written on, so this one is stricter than
they are: it knows nothing of a field's meaning, and takes another order of keys, ``2.0`` for ``2`` or a
member more for drift. It tries each route that is written by PUT, with every value that the OpenAPI
document names for every field of its spec.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from portal.api import schema
from tests import factories
from tests.portal.api.client import Api
from tests.portal.api.contract_table import CONTRACT
from tests.support.worlds import made_once

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.matrix, pytest.mark.django_db]
each = pytest.mark.parametrize("route", sorted(CONTRACT))
DEEPEST = 3
"""Fields of fields that are tried."""


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    with made_once(django_db_blocker):
        owner = factories.actor("owner")
        factories.host()
        factories.tenant("team", owner=owner)
        factories.user("bea")
        factories.accelerator()
        factories.template("web")
        factories.published("1.0.0")
        yield {"owner": Api(owner), "admin": Api(factories.admin())}


def spelled(text: bytes | str) -> Any:
    """JSON as it is spelled: members in their order, numbers by their digits."""
    return json.loads(
        text,
        object_pairs_hook=lambda pairs: ("object", *pairs),
        parse_int=lambda digits: ("number", digits),
        parse_float=lambda digits: ("number", digits),
    )


def member(document: Any, name: str) -> Any:
    return dict(document[1:])[name]


class Provider:
    """One object of a configuration, whose spec is a text."""

    def __init__(self, api: Api, address: str, spec: str) -> None:
        self.api, self.address, self.spec = api, address, spec

    def read(self) -> Any:
        """The spec that the server has; ``None`` where there is no object."""
        answer = self.api.get(self.address)
        return None if answer.status_code == 404 else member(spelled(answer.content), "spec")

    def drifts(self) -> bool:
        return bool(self.read() != spelled(self.spec))

    def write(self) -> Any:
        return self.api.send("PUT", self.address, raw=b'{"spec": ' + self.spec.encode() + b"}")

    def apply(self) -> str:
        """What a tool would say of it."""
        there = self.read()
        if there == spelled(self.spec):
            return "no changes"
        answer = self.write()
        assert answer.status_code in {200, 201}, answer.content
        assert member(spelled(answer.content), "spec") == spelled(self.spec)
        return "created" if there is None else "changed"


@each
def test_plan_apply_import_and_repair(world, route):
    entry = CONTRACT[route]
    mine = Provider(world[entry.by], entry.address, json.dumps(entry.spec))

    assert [mine.apply(), mine.apply()] == ["created", "no changes"]
    whole = mine.api.get(entry.address)
    again = mine.api.send("PUT", entry.address, raw=whole.content)
    assert (again.status_code, again["ETag"], again.content) == (200, whole["ETag"], whole.content)

    other = Provider(mine.api, entry.address, json.dumps(entry.other, indent=3))
    assert (other.apply(), mine.drifts()) == ("changed", True)
    assert [mine.apply(), mine.apply()] == ["changed", "no changes"]

    imported = Provider(mine.api, entry.address, json.dumps(mine.api.get(entry.address).json()["spec"]))
    assert imported.apply() == "no changes"


MORE: dict[str, list[dict[str, Any]]] = {
    "/api/v1/accelerator-classes/{name}": [{"resource": "google.com/tpu", "longestDays": 90}],
    "/api/v1/hosts/{name}": [
        {"kubeconfig": "in-cluster", "kubernetesVersions": ["1.36", "1.35"]},
        {"kubernetesVersions": [], "kubeconfig": "env:NEXT"},
    ],
    "/api/v1/cluster-templates/{name}/versions/{version}": [
        {"notes": " Ä \u2028", "cluster": {"resources": {"memory": "1Gi", "cpu": 2.0}}},
        {"overridable": ["resources.cpu"], "cluster": {}},
        {
            "parameters": {"size": {"type": "integer", "maximum": 1e1, "default": 2}},
            "cluster": {"resources": {"cpu": {"parameter": "size"}}},
        },
    ],
    "/api/v1/tenants/{tenant}/clusters/{name}": [
        {"kubernetesVersion": "1.36"},
        {"isolation": {"pool": None}},
        {"template": {"version": "^1.0.0", "name": "web", "parameters": {}}},
    ],
}
"""Specs with values that no rule finds."""
IMMUTABLE = "/api/v1/cluster-templates/{name}/versions/{version}"


@pytest.mark.long
@each
def test_every_field_comes_back_as_it_was_spelled(world, route):
    entry, tried = CONTRACT[route], dict(fields(spec_of(route)))
    specs = [placed(entry.spec, path, value) for path, values in tried.items() for value in values]
    taken = set()
    for number, spec in enumerate([*specs, *MORE.get(route, [])]):
        address = f"{entry.address[:-1]}{number}" if route == IMMUTABLE else entry.address
        one = Provider(world[entry.by], address, json.dumps(spec))
        answer = one.write()
        assert answer.status_code in {200, 201, 400, 404, 409}, (spec, answer.content)
        if answer.status_code < 400:
            assert not one.drifts(), (spec, answer.content)
            assert one.write()["ETag"] == answer["ETag"]
            taken |= {path for path in tried if holds(spec, path)}
    assert set(tried) - taken == set()  # a field of which nothing was taken wants a spec in MORE


def holds(spec: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        if not isinstance(spec, dict) or name not in spec:
            return False
        spec = spec[name]
    return True


def placed(spec: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The spec with this value at the path."""
    made = copy.deepcopy(spec)
    here = made
    for name in path[:-1]:
        if not isinstance(here.get(name), dict):
            here[name] = {}
        here = here[name]
    here[path[-1]] = value
    return made


def spec_of(route: str) -> dict[str, Any]:
    operation = schema.document()["paths"][route]["put"]
    body = followed(operation["requestBody"]["content"]["application/json"]["schema"])
    return followed(body["properties"]["spec"])


def followed(found: dict[str, Any]) -> dict[str, Any]:
    for word in ("allOf", "oneOf", "anyOf"):
        if word in found:
            choices = [one for one in found[word] if one.get("type") != "null"]
            found = {**found, **followed(choices[0])}
            break
    if "$ref" not in found:
        return found
    name = found["$ref"].rpartition("/")[2]
    return followed(schema.document()["components"]["schemas"][name])


def fields(found: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Each field of a schema with values for it."""
    for name, raw in found.get("properties", {}).items():
        inner, here = followed(raw), (*path, name)
        if "properties" in inner and len(here) < DEEPEST:
            yield from fields(inner, here)
        else:
            yield here, values(inner)


def values(found: dict[str, Any]) -> list[Any]:
    """Such as the document names, and such as a person might write."""
    kinds = found.get("type", "string")
    kind = next((one for one in kinds if one != "null"), "string") if isinstance(kinds, list) else kinds
    if "enum" in found:
        return list(found["enum"])
    if kind == "array":
        return [[], *([one] for one in values(followed(found.get("items", {}))))]
    least = found.get("minimum", 0)
    return {
        "boolean": [True, False],
        "integer": [least, least + 1, least + 2],
        "number": [least, least + 1, 2.0, 1.5],
        "object": [{}, {"zone": "b", "a": "1"}],
    }.get(
        kind,
        [
            "",
            " Ä \u2028 ",
            "2",
            "1Gi",
            "team",
            "2027-01-01",
            "https://93.184.215.14/x",
            "10.0.0.0/8",
            "lab",
            "^1.0",
        ],
    )
