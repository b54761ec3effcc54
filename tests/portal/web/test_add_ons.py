"""The pages of add-ons: the catalogue, publishing, the fields in a cluster's forms, and how they fare in a cluster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import time_machine
from django.utils import timezone

from portal.web import step_up
from tenancy.enums import ConditionStatus, Reason
from tenancy.models import AddOnVersion, VirtualCluster
from tenancy.rules.add_on_states import AddOnState
from tests import factories
from tests.portal.web.conftest import World, shown
from tests.support.manifests import MANIFEST, config, of

if TYPE_CHECKING:
    from django.test import Client

PUBLISH = "/add-ons/publish"
MOTD = [{"name": "motd", "version": "1.0.0"}]
NEXT = {"name": "motd", "version": "1.1.0", "manifests": of(config(text="hi"), config("more"))}
NEW = {"tenant": "team", "name": "first", "size": "small", "version": "1.36"}


@pytest.fixture
def motd(world: World) -> World:
    factories.add_on("motd", "1.0.0", config(), config("old"))
    return world


def test_everybody_reads_the_catalogue_and_only_admins_are_offered_to_publish(motd: World) -> None:
    factories.add_on("limits", "2.0.0")
    for who, may in (("vera", False), ("root", True)):
        client = motd.client(who)
        said = shown(client.get("/add-ons"))
        assert ("limits 2.0.0" in said, "motd 1.0.0" in said) == (True, True)
        one = shown(client.get("/add-ons/motd/versions/1.0.0"))
        assert "ConfigMap v1 motd default ConfigMap v1 old default" in one
        assert ("Publish an add-on" in said, "Publish a version" in one, "Remove" in one) == (may, may, may)
    assert "Add-ons" in shown(motd.client("vera").get("/templates"))


def test_what_a_version_changes_is_seen_before_it_is_published(motd: World) -> None:
    client = motd.client("root")
    suggested = client.get(f"{PUBLISH}?name=motd").content.decode()
    assert 'value="1.1.0"' in suggested
    assert "text: hello" in suggested

    preview = client.post(PUBLISH, {**NEXT, "preview": "yes"})
    said = shown(preview)
    assert "What motd 1.1.0 puts into a cluster Nothing is published yet" in said
    for row in ("motd default changed", "more default new", "old default removed"):
        assert row in said
    assert AddOnVersion.objects.count() == 1
    published = client.post(PUBLISH, NEXT)
    assert published["Location"] == "/add-ons/motd/versions/1.1.0"
    assert "1.1.0 , 1.0.0" in shown(client.get(published["Location"]))
    again = client.post(PUBLISH, {**NEXT, "preview": "yes"})
    assert "published already, with this very content" in shown(again)
    described = client.post(PUBLISH, {**NEXT, "description": "A greeting", "preview": "yes"})
    assert "its description would change" in shown(described)


def test_ends_of_lines_are_those_of_files(world: World) -> None:
    text = MANIFEST.replace("\n", "\r\n")
    world.client("root").post(PUBLISH, {"name": "motd", "version": "1.0.0", "manifests": text})
    assert json.loads(AddOnVersion.objects.get().spec_text) == {"manifests": MANIFEST}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"version": "1.1"}, "three numbers"),
        ({"name": "Motd"}, "lower-case"),
        ({"manifests": "a: ["}, "spec.manifests: "),
        ({"manifests": "kind: Secret"}, "spec.manifests[0]: "),
        ({"version": "1.0.0"}, "never changes: give the next number"),
    ],
)
def test_what_cannot_be_published_is_told_beside_its_field(
    motd: World, given: dict[str, str], told: str
) -> None:
    for more in ({}, {"preview": "yes"}):
        response = motd.client("root").post(PUBLISH, {**NEXT, **given, **more})
        assert (response.status_code, told in shown(response)) == (422, True), shown(response)
    assert AddOnVersion.objects.count() == 1


def test_publishing_decides_over_others_and_looking_does_not(motd: World) -> None:
    client: Client = motd.client("root")
    with time_machine.travel(timezone.now() + step_up.FRESH):
        assert client.post(PUBLISH, {**NEXT, "preview": "yes"}).status_code == 200
        asked = client.post(PUBLISH, NEXT)
        assert str(asked["Location"]).startswith("/step-up?for=")
    assert AddOnVersion.objects.count() == 1


def test_one_that_is_used_stays(motd: World) -> None:
    factories.cluster(motd.alice, "team", "first", {"addOns": MOTD})
    client = motd.client("root")
    address = "/add-ons/motd/versions/1.0.0"
    assert "is named by cluster team/first" in shown(client.post(f"{address}/remove"))
    assert "team/first Not known" in shown(motd.client("bob").get(address))
    assert "team/first" not in shown(motd.client("charlie").get(address))
    VirtualCluster.objects.all().delete()
    assert client.post(f"{address}/remove")["Location"] == "/add-ons"
    assert not AddOnVersion.objects.exists()


class TestForms:
    def test_a_new_cluster_takes_what_was_chosen(self, motd: World) -> None:
        client = motd.client("bob")
        assert "Add-ons motd None 1.0.0" in shown(client.get("/clusters/new"))
        assert client.post("/clusters/new", {**NEW, "add_on_motd": "1.0.0"}).status_code == 302
        made = VirtualCluster.objects.get()
        assert json.loads(made.spec_text)["addOns"] == MOTD

    def test_none_chosen_says_nothing(self, motd: World) -> None:
        assert motd.client("bob").post("/clusters/new", {**NEW, "add_on_motd": ""}).status_code == 302
        assert "addOns" not in json.loads(VirtualCluster.objects.get().spec_text)

    def test_a_template_tells_what_it_brings_or_keeps_the_field(self, motd: World) -> None:
        factories.published("1.0.0", {"addOns": MOTD})
        factories.published("1.0.0", {"addOns": MOTD}, name="fixed", locked=["addOns"])
        client = motd.client("bob")
        free = shown(client.get("/clusters/new?template=web&template_was=web&template_version=1.0.0"))
        assert "stands in place of what the template brings (motd 1.0.0)" in free
        fixed = client.get("/clusters/new?template=fixed&template_was=fixed&template_version=1.0.0")
        assert "add_on_motd" not in fixed.content.decode()

    def test_clashing_ones_are_told_beside_their_field(self, motd: World) -> None:
        factories.add_on("other", "1.0.0", config())
        chosen = {**NEW, "add_on_motd": "1.0.0", "add_on_other": "1.0.0"}
        response = motd.client("bob").post("/clusters/new", chosen)
        assert response.status_code == 422
        assert list(response.context["form"].errors) == ["add_on_other"]

    def test_editing_keeps_the_order_and_what_was_not_touched(self, motd: World) -> None:
        factories.add_on("a-first", "1.0.0", config("a"))
        factories.add_on("a-first", "1.1.0", config("a"), config("b"))
        spec = {"addOns": [*MOTD, {"name": "a-first", "version": "1.0.0"}], "resources": {"cpu": "2"}}
        factories.cluster(motd.alice, "team", "first", spec)
        client, page = motd.client("bob"), "/clusters/team/first/edit"
        form = client.get(page).context["form"]
        same = {name: form[name].value() or "" for name in form.fields}
        assert client.post(page, same).status_code == 302
        made = VirtualCluster.objects.get()
        assert (made.generation, json.loads(made.spec_text)) == (1, spec)

        assert client.post(page, {**same, "add_on_a-first": "1.1.0"}).status_code == 302
        made.refresh_from_db()
        changed = {**spec, "addOns": [*MOTD, {"name": "a-first", "version": "1.1.0"}]}
        assert (made.generation, json.loads(made.spec_text)) == (2, changed)
        rest = {**same, "generation": "2", "add_on_a-first": "", "add_on_motd": ""}
        assert client.post(page, rest).status_code == 302
        made.refresh_from_db()
        assert json.loads(made.spec_text) == {"resources": {"cpu": "2"}}

    def test_the_page_of_a_template_tells_what_can_be_named(self, motd: World) -> None:
        factories.template("web")
        said = shown(motd.client("root").get("/templates/web/publish"))
        assert "addOns: [{name: motd, version: 1.0.0}]" in said


def test_a_cluster_tells_which_run_and_why_one_does_not(motd: World) -> None:
    factories.add_on("limits", "2.0.0", config("limits"))
    chosen = [*MOTD, {"name": "limits", "version": "2.0.0"}]
    made = factories.cluster(motd.alice, "team", "first", {"addOns": chosen})
    client, page = motd.client("vera"), "/clusters/team/first"
    assert "motd 1.0.0 Not known" in shown(client.get(page))
    why = "add-on motd 1.0.0, Deployment web: 0 of 1 pods run as wanted"
    lame = AddOnState("motd", "1.0.0", ConditionStatus.FALSE, Reason.ADD_ON_NOT_RUNNING, why)
    fine = AddOnState("limits", "2.0.0", ConditionStatus.TRUE, Reason.AS_WANTED)
    version = client.get(page).context["page"].version
    factories.observe(made, add_ons=(lame, fine))
    said = shown(client.get(page))
    assert (
        "motd 1.0.0 Does not run Add-on motd 1.0.0, Deployment web: 0 of 1 pods run as wanted. limits 2.0.0 Runs"
        in said
    )
    assert client.get(page).context["page"].version != version
    factories.cluster(motd.alice, "team", "plain")
    assert "add-ons-title" not in client.get("/clusters/team/plain").content.decode()
