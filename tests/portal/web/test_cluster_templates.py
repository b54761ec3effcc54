"""The pages of cluster templates: what there is, what a version means, and publishing one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.utils import timezone

from portal.web import step_up
from tenancy.models import ClusterTemplate, TemplateVersion
from tests import factories
from tests.portal.web.conftest import World, shown

if TYPE_CHECKING:
    from django.test import Client

CORES = {"type": "string", "enum": ["1", "2"], "default": "1", "title": "Cores"}
CONTENT: dict[str, Any] = {
    "parameters": {
        "type": "object",
        "properties": {
            "cores": CORES,
            "pods": {"type": "integer", "minimum": 5, "maximum": 90},
            "kept": {"type": "boolean", "default": True},
        },
        "required": ["pods"],
    },
    "locked": ["isolation.sandbox"],
    "notes": "The first",
}
CLUSTER = {
    "resources": {"cpu": {"$param": "cores"}, "pods": {"$param": "pods"}, "memory": "2Gi"},
    "deletionProtection": {"$param": "kept"},
}
ASKS = {"template": {"name": "web", "version": "^1.2", "parameters": {"pods": 9}}}
NEXT = """
cluster:
  resources: {cpu: {$param: cores}, pods: {$param: pods}, memory: 4Gi}
  deletionProtection: {$param: kept}
parameters:
  type: object
  required: [pods]
  properties:
    cores: {type: string, enum: ["1", "2"], default: "1"}
    pods: {type: integer, minimum: 5, maximum: 90}
    kept: {type: boolean, default: true}
"""
PUBLISH = "/templates/web/publish"


@pytest.fixture
def web(world: World) -> World:
    factories.published("1.2.0", CLUSTER, **CONTENT)
    return world


def test_a_team_sees_templates_versions_and_its_own_clusters(web: World) -> None:
    factories.cluster(web.alice, "team", "first", ASKS)
    factories.cluster(web.charlie, "other", "theirs", ASKS)
    factories.published("1.3.0", CLUSTER, **CONTENT)
    client = web.client("bob")

    assert "web 1.3.0, 1.2.0 everybody" in shown(client.get("/templates"))
    said = shown(client.get("/templates/web"))
    assert "team/first ^1.2 1.2.0 1.3.0 behind" in said
    assert ("theirs" in said, "Publish a version" in said, "New cluster" in said) == (False, False, True)
    assert "other/theirs" in shown(web.client("root").get("/templates/web"))


def test_a_version_tells_what_it_brings_and_asks(web: World) -> None:
    said = shown(web.client("bob").get("/templates/web/versions/1.2.0"))

    assert "1.2.0 Active The first" in said
    assert "isolation.sandbox left to Atoll locked" in said
    assert "resources.cpu parameter cores may say otherwise resources.memory 2Gi may say otherwise" in said
    assert "cores Cores one of 1, 2 1 pods 5 to 90 has to be given kept yes or no true" in said
    assert "Make it" not in said


def test_what_a_version_would_change_is_seen_before_it_is_published(web: World) -> None:
    factories.cluster(web.alice, "team", "first", ASKS)
    client = web.client("root")
    suggested = client.get(PUBLISH).content.decode()
    assert 'value="1.3.0"' in suggested
    assert "memory: 2Gi" in suggested

    preview = client.post(PUBLISH, {"version": "1.3.0", "text": NEXT, "preview": "yes"})
    assert "What 1.3.0 would change Nothing is published yet" in shown(preview)
    effect = "team/first 1.2.0 ^1.2 goes on to it resources.memory: 2048Mi → 4096Mi"
    assert effect in shown(preview), shown(preview)
    assert TemplateVersion.objects.count() == 1
    published = client.post(PUBLISH, {"version": "1.3.0", "text": NEXT})
    assert published["Location"] == "/templates/web/versions/1.3.0"
    assert "goes on to it resources.memory: 2048Mi → 4096Mi" in shown(client.get(published["Location"]))
    factories.follow()
    assert "team/first 1.3.0 ^1.2 has it as now" in shown(client.get(published["Location"]))


@pytest.mark.parametrize(
    ("version", "text", "told"),
    [
        ("1.3", "cluster: {}", "three numbers"),
        ("1.3.0", "cluster: [", "Line 2:"),
        ("1.3.0", "- cluster", "Give an object"),
        ("1.3.0", "cluster: {resources: {cpu: lots}}", "spec.cluster.resources.cpu: "),
        ("1.3.0", "cluster: {}\nlocked: [cpu]", "spec.locked[0]: "),
        ("1.2.0", "cluster: {}", "never changes: give the next number"),
    ],
)
def test_what_cannot_be_published_is_told_beside_its_field(
    web: World, version: str, text: str, told: str
) -> None:
    for more in ({}, {"preview": "yes"}):
        response = web.client("root").post(PUBLISH, {"version": version, "text": text, **more})
        assert (response.status_code, told in shown(response)) == (422, True), shown(response)
    assert TemplateVersion.objects.count() == 1


def test_admins_make_change_yank_and_remove(world: World) -> None:
    client = world.client("root")
    assert client.post("/templates", {"name": "Web"}).status_code == 422
    made = client.post("/templates", {"name": "web", "description": "For sites", "tenants": "team, other"})
    assert made["Location"] == PUBLISH
    assert "already" in shown(client.post("/templates", {"name": "web"}))
    assert client.post(PUBLISH, {"version": "1.0.0", "text": "cluster: {}"}).status_code == 302

    unknown = client.post("/templates/web", {"tenants": "team, nobody"})
    assert (
        unknown.status_code,
        "there is no tenant 'nobody'" in shown(unknown).replace("There", "there"),
    ) == (422, True)
    assert client.post("/templates/web", {"tenants": "team", "deprecated": "on"}).status_code == 302
    row = ClusterTemplate.objects.get()
    assert (row.named, row.deprecated, row.description) == (["team"], True, "")
    client.post("/templates/web/versions/1.0.0", {"state": "yanked"})
    version = TemplateVersion.objects.get()
    assert (version.state, json.loads(version.spec_text)) == ("yanked", {"cluster": {}, "state": "yanked"})
    assert client.post("/templates/web/remove")["Location"] == "/templates"
    assert not ClusterTemplate.objects.exists()


def test_publishing_decides_over_others_and_looking_does_not(web: World) -> None:
    client: Client = web.client("root")
    with time_machine.travel(timezone.now() + step_up.FRESH):
        assert client.post(PUBLISH, {"version": "1.3.0", "text": NEXT, "preview": "yes"}).status_code == 200
        asked = client.post(PUBLISH, {"version": "1.3.0", "text": NEXT})
        assert str(asked["Location"]).startswith("/step-up?for=")
    assert TemplateVersion.objects.count() == 1
