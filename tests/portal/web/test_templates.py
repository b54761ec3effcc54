"""The forms for a cluster on a template, for several classes of accelerators, and for a change of its spec."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tenancy.actions import clusters
from tenancy.models import VirtualCluster
from tests import factories
from tests.portal.web.conftest import World, shown

NEW = {
    "tenant": "team",
    "name": "site",
    "template": "web",
    "template_was": "web",
    "template_version": "^1.2.0",
}
SIZES = {"type": "string", "enum": ["1", "2"], "default": "1", "title": "Cores"}
PODS = {"type": "integer", "minimum": 5, "maximum": 90}
CONTENT: dict[str, Any] = {
    "parameters": {"type": "object", "properties": {"size": SIZES, "pods": PODS}, "required": ["pods"]},
    "locked": ["resources.cpu", "resources.pods", "isolation"],
}
CLUSTER = {"resources": {"cpu": {"$param": "size"}, "pods": {"$param": "pods"}}}
EDIT = "/clusters/team/first/edit"


@pytest.fixture
def web(world: World) -> World:
    factories.published("1.2.0", CLUSTER, **CONTENT)
    return world


def written(name: str = "first") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(VirtualCluster.objects.get(name=name).spec_text)
    return found


def typed(response: Any) -> dict[str, str]:
    """What the form would send if nothing were touched."""
    body = response.content.decode()
    values = dict(re.findall(r'<input type="(?:hidden|text|number)" name="([\w-]+)" value="([^"]*)"', body))
    for name, options in re.findall(r'<select name="([\w-]+)".*?>(.*?)</select>', body, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        values[name] = chosen[1] if chosen else re.findall(r'<option value="([^"]*)"', options)[0]
    return values


def test_a_template_brings_its_own_fields_and_keeps_what_it_locks(web: World) -> None:
    client = web.client("bob")
    body = client.get("/clusters/new?tenant=team&template=web&name=site&size=large").content.decode()

    assert 'name="param_size"' in body
    assert 'name="param_pods"' in body
    assert "Follow 1.x, now 1.2.0" in body
    assert ('name="sandbox"' in body, 'name="cpu"' in body, 'name="memory"' in body) == (False, False, True)
    assert "resources.cpu" in body
    assert '<input type="radio" name="size" value="" ' in body


def test_a_cluster_is_made_from_a_template(web: World) -> None:
    response = web.client("bob").post("/clusters/new", {**NEW, "param_size": "2", "param_pods": "9"})

    assert response["Location"] == "/clusters/team/site", shown(response)
    assert written("site") == {
        "template": {"name": "web", "version": "^1.2.0", "parameters": {"size": "2", "pods": 9}}
    }
    said = shown(web.client("bob").get("/clusters/team/site"))
    assert "Template web ^1.2.0, size: 2, pods: 9 web 1.2.0" in said


def test_what_a_template_does_not_take_is_told_beside_its_field(web: World) -> None:
    response = web.client("bob").post("/clusters/new", {**NEW, "param_size": "3", "param_pods": "99"})

    assert response.status_code == 422
    assert set(re.findall(r'id="id_(\w+)_error"', response.content.decode())) == {"param_size", "param_pods"}


def test_several_classes_are_asked_for(world: World) -> None:
    factories.accelerator()
    factories.accelerator("tpu", "google.com/tpu")
    factories.gpu_pool(4)
    wish = {"tenant": "team", "name": "first", "size": "small", "version": "1.36", "sandbox": "gvisor"}

    refused = world.client("bob").post("/clusters/new", {**wish, "devices_gpu": "1", "devices_tpu": "2"})
    assert "tpu" in shown(refused)
    world.client("bob").post("/clusters/new", {**wish, "devices_gpu": "1", "devices_tpu": ""})
    assert written()["accelerators"] == [{"class": "gpu", "count": 1}]


SPEC: dict[str, Any] = {
    "resources": {"memory": "2Gi", "cpu": 2},
    "persistence": None,
    "accelerators": [],
    "deletionProtection": True,
}


def test_a_form_that_is_not_touched_changes_nothing(world: World) -> None:
    made = factories.cluster(world.alice, "team", "first", SPEC)
    client = world.client("bob")

    response = client.post(EDIT, typed(client.get(EDIT)))

    assert response["Location"] == "/clusters/team/first", shown(response)
    made.refresh_from_db()
    assert (made.generation, list(written())) == (1, list(SPEC))


def test_what_is_touched_is_changed_and_the_rest_stays_as_it_was_written(world: World) -> None:
    factories.cluster(world.alice, "team", "first", SPEC)
    client = world.client("bob")
    sent = typed(client.get(EDIT)) | {
        "cpu": "",
        "pods": "30",
        "protection": "false",
        "persistence": "ephemeral",
    }

    assert client.post(EDIT, sent).status_code == 302
    assert written() == {
        "resources": {"memory": "2Gi", "pods": 30},
        "persistence": "ephemeral",
        "accelerators": [],
        "deletionProtection": False,
    }


def test_what_cannot_be_is_told_beside_its_field(world: World) -> None:
    factories.cluster(world.alice, "team", "first", SPEC)
    client = world.client("bob")

    response = client.post(EDIT, typed(client.get(EDIT)) | {"cpu": "lots", "pods": "1"})

    assert response.status_code == 422
    assert set(re.findall(r'id="id_(\w+)_error"', response.content.decode())) == {"cpu", "pods"}
    assert written() == SPEC


def test_of_two_editors_one_is_told(world: World) -> None:
    factories.cluster(world.alice, "team", "first", SPEC)
    client = world.client("bob")
    sent = typed(client.get(EDIT)) | {"memory": "3Gi"}
    clusters.put(by=world.alice, tenant_name="team", name="first", spec_text='{"persistence": "ephemeral"}')

    response = client.post(EDIT, sent)

    assert (response.status_code, "changed this cluster meanwhile" in shown(response)) == (422, True)
    assert written() == {"persistence": "ephemeral"}


def test_a_cluster_gets_and_leaves_a_template(web: World) -> None:
    factories.cluster(web.alice, "team", "first", {"resources": {"memory": "2Gi"}})
    client = web.client("bob")
    form = client.get(f"{EDIT}?template=web&template_was=")
    assert 'name="cpu"' not in form.content.decode()

    plan = shown(client.get("/clusters/team/first/plan", typed(form) | {"param_pods": "9"}))
    assert "It would stand on web 1.2.0. In force would then be:" in plan
    assert "resources.pods: 50 → 9" in plan
    assert client.post(EDIT, typed(form) | {"param_pods": "9"}).status_code == 302
    assert written() == {
        "resources": {"memory": "2Gi"},
        "template": {"name": "web", "version": "^1.2.0", "parameters": {"pods": 9}},
    }
    again = client.get(EDIT)
    assert "Nothing would change" in shown(client.get("/clusters/team/first/plan", typed(again)))
    assert client.post(EDIT, typed(client.get(f"{EDIT}?template=&template_was=web"))).status_code == 302
    assert written() == {"resources": {"memory": "2Gi"}}


def test_who_may_not_write_gets_no_form(web: World) -> None:
    factories.cluster(web.alice, "team", "first")

    assert web.client("vera").get(EDIT).status_code == 403
    assert web.client("charlie").get(EDIT).status_code == 404
    assert "Edit" not in shown(web.client("vera").get("/clusters/team/first"))
