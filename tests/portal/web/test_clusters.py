from __future__ import annotations

import json
import re
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenancy.actions import services, tenants
from tenancy.enums import ConditionStatus, ConditionType, Reason, ServiceKind, StepState, Trust
from tenancy.models import HostCluster, VirtualCluster
from tenancy.rules.conditions import Condition
from tenancy.rules.specs import StepReport
from tests import factories
from tests.portal.web.conftest import World, shown

CUSTOM = {"size": "custom", "cpu": "6", "memory": "12Gi", "storage": "30Gi", "pods": "40"}
CHOSEN = {
    "tenant": "team",
    "name": "first",
    "version": "1.36",
    "sandbox": "gvisor",
    "persistence": "persistent",
}


def errors(response) -> dict[str, str]:
    """Field → what is said beside it."""
    found = re.findall(r'id="id_(\w+)_error"><li>(.*?)</li>', response.content.decode())
    return dict(found)


# The list


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("alice", "Create your first cluster"),
        ("vera", "ask an owner of the tenant to make you a member"),
        ("root", "Create your first cluster"),
    ],
)
def test_empty_list_says_what_to_do_next(world: World, who: str, words: str) -> None:
    assert words in shown(world.client(who).get("/"))


def test_empty_list_of_somebody_without_a_tenant(world: World) -> None:
    lone = factories.user("lone")
    client = world.client("nobody")
    client.force_login(lone)
    assert "add the user “lone”" in shown(client.get("/"))


def test_list_has_own_clusters_of_all_tenants_and_no_others(world: World) -> None:
    factories.cluster(world.alice, "team", "first")
    factories.cluster(world.charlie, "other", "hidden")
    factories.tenant("third", owner=world.alice)
    factories.cluster(world.alice, "third", "second")
    said = shown(world.client("alice").get("/"))
    assert ("first team" in said, "second third" in said, "hidden" in said) == (True, True, False)


def test_list_takes_as_many_queries_for_three_clusters_as_for_one(world: World) -> None:
    client = world.client("alice")
    counts = []
    for name in ("one", "two", "three"):
        factories.cluster(world.alice, "team", name)
        client.get("/")
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get("/")
        counts.append(len(captured))
    assert counts[2] == counts[0]


def test_live_list_answers_only_when_something_changed(world: World) -> None:
    made = factories.cluster(world.alice, "team", "first")
    client = world.client("alice")
    seen = re.search(r"seen=(\w+)", client.get("/").content.decode())
    assert seen is not None
    assert client.get(f"/live?seen={seen[1]}").status_code == 204
    factories.ready(made)
    assert "Ready" in shown(client.get(f"/live?seen={seen[1]}"))


# The form


def test_form_makes_the_cluster_that_was_chosen(world: World) -> None:
    response = world.client("bob").post("/clusters/new", CHOSEN | {"size": "small"})
    assert response["Location"] == "/clusters/team/first"
    made = VirtualCluster.objects.get(name="first")
    assert json.loads(made.spec_text) == {
        "kubernetesVersion": "1.36",
        "isolation": {"sandbox": "gvisor"},
        "resources": {"cpu": "2", "memory": "4Gi", "storage": "10Gi", "pods": 25},
        "persistence": "persistent",
    }


def test_form_takes_custom_amounts(world: World) -> None:
    world.client("bob").post("/clusters/new", CHOSEN | CUSTOM)
    written = json.loads(VirtualCluster.objects.get(name="first").spec_text)
    assert written["resources"] == {"cpu": "6", "memory": "12Gi", "storage": "30Gi", "pods": 40}


def test_form_names_every_fault_beside_its_field_and_keeps_what_was_typed(world: World) -> None:
    bad = {
        "name": "My Cluster",
        "size": "custom",
        "cpu": "lots",
        "memory": "1Mi",
        "storage": "",
        "pods": "two",
    }
    response = world.client("bob").post("/clusters/new", CHOSEN | bad)
    assert response.status_code == 422
    assert set(errors(response)) == {"name", "cpu", "memory", "storage", "pods"}
    for typed in ("My Cluster", "lots", "1Mi", "two"):
        assert f'value="{typed}"' in response.content.decode()
    assert not VirtualCluster.objects.exists()


def test_form_refuses_a_taken_name_without_touching_the_other(world: World) -> None:
    factories.cluster(world.alice, "team", "first", {"resources": {"cpu": "1"}})
    response = world.client("bob").post("/clusters/new", CHOSEN | {"size": "small"})
    assert errors(response) == {"name": "This tenant has a cluster of that name: choose another name."}
    assert VirtualCluster.objects.get(name="first").generation == 1


@pytest.mark.parametrize(("trust", "offered"), [(Trust.UNTRUSTED, False), (Trust.TRUSTED, True)])
def test_form_offers_only_what_the_tenant_may_have(world: World, trust: Trust, offered: bool) -> None:
    tenants.update(by=world.root, name="team", trust=trust)
    body = world.client("alice").get("/clusters/new").content.decode()
    assert ('value="none"' in body) is offered
    for always in ("1.36", "gvisor", "persistent", "ephemeral"):
        assert f'value="{always}"' in body
    assert 'value="kata"' not in body


def test_form_says_what_cannot_be_had_and_why(world: World) -> None:
    said = shown(world.client("alice").get("/clusters/new"))
    for words in (
        "No RuntimeClass has the handler kata",
        "Take “gvisor”.",
        "An admin would install Kata Containers",
        "'none' is for trusted tenants only",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("sandbox", "words"), [("kata", "no RuntimeClass"), ("none", "trusted tenants only")]
)
def test_form_refuses_what_was_not_offered_with_its_reason(world: World, sandbox: str, words: str) -> None:
    response = world.client("bob").post("/clusters/new", CHOSEN | {"size": "small", "sandbox": sandbox})
    assert response.status_code == 422
    assert words in unescape(errors(response)["sandbox"])
    assert not VirtualCluster.objects.exists()


def test_form_of_a_member_of_two_tenants_follows_the_tenant(world: World) -> None:
    factories.tenant("loose", trust=Trust.TRUSTED, owner=world.alice)
    client = world.client("alice")
    assert 'value="none"' in client.get("/clusters/new?tenant=loose&name=kept").content.decode()
    body = client.get("/clusters/new?tenant=team&name=kept&size=custom&cpu=3").content.decode()
    assert ('value="none"' in body, 'value="kept"' in body, 'value="3"' in body) == (False, True, True)


def test_form_without_a_host_says_who_can_help(world: World) -> None:
    HostCluster.objects.all().delete()
    assert "No host cluster takes new clusters" in shown(world.client("alice").get("/clusters/new"))
    response = world.client("alice").post("/clusters/new", CHOSEN | {"size": "small"})
    assert response.status_code == 422


def test_form_on_a_host_not_looked_at_yet_takes_the_wish(world: World) -> None:
    HostCluster.objects.update(facts={}, message="building kube-apiserver (3 of 9)")
    said = shown(world.client("alice").get("/clusters/new"))
    assert "building kube-apiserver (3 of 9)" in said
    wish = {"tenant": "team", "name": "first", "size": "small", "version": "1.36"}
    assert world.client("alice").post("/clusters/new", wish)["Location"] == "/clusters/team/first"


# The page


def test_page_shows_steps_what_it_waits_for_and_what_is_next(world: World) -> None:
    services.beat(ServiceKind.WORKER, "w")
    made = factories.cluster(world.alice, "team", "first")
    steps = (
        StepReport("Host", StepState.DONE),
        StepReport("Namespace", StepState.RUNNING, "waiting for the host to make it"),
        StepReport("Control plane release", StepState.PENDING),
    )
    reached = Condition(ConditionType.HOST_REACHABLE, ConditionStatus.TRUE, Reason.AS_WANTED, "", 1)
    factories.observe(made, reached, steps=steps)
    said = shown(world.client("vera").get("/clusters/team/first"))
    for words in (
        "Creating first",
        "1 of 3 steps",
        "Waiting for the host to make it.",
        "Next: installing its control plane with Helm.",
    ):
        assert words in said


def test_page_tells_how_far_the_host_is_that_is_still_being_built(world: World) -> None:
    services.beat(ServiceKind.WORKER, "w")
    factories.cluster(world.alice, "team", "first")
    HostCluster.objects.update(reachable="Unknown", reason="HostStarting", message="built 3 of 9 programs")
    said = shown(world.client("alice").get("/clusters/team/first"))
    assert "Waiting for host lab: built 3 of 9 programs." in said


def test_page_says_when_no_worker_runs(world: World) -> None:
    factories.cluster(world.alice, "team", "first")
    said = shown(world.client("alice").get("/clusters/team/first"))
    assert "No worker has been heard of for 45 seconds" in said


def test_page_of_a_ready_cluster_has_endpoint_and_download(world: World) -> None:
    factories.ready(factories.cluster(world.alice, "team", "first"))
    said = shown(world.client("alice").get("/clusters/team/first"))
    for words in (
        "Download kubeconfig",
        "https://10.180.0.7:443",
        "kubectl --kubeconfig ~/Downloads/team-first.yaml",
        "alice asked for this cluster",
    ):
        assert words in said


def test_page_shows_the_spec_beside_what_is_built(world: World) -> None:
    factories.cluster(world.alice, "team", "first", {"resources": {"memory": "12Gi"}})
    said = shown(world.client("alice").get("/clusters/team/first"))
    assert "Memory 12Gi 12 GiB" in said
    assert "CPU left to Atoll 4 cores" in said


def test_live_part_answers_only_when_something_changed(world: World) -> None:
    made = factories.cluster(world.alice, "team", "first")
    client = world.client("alice")
    seen = re.search(r"seen=(\w+)", client.get("/clusters/team/first").content.decode())
    assert seen is not None
    assert client.get(f"/clusters/team/first/live?seen={seen[1]}").status_code == 204
    factories.ready(made)
    response = client.get(f"/clusters/team/first/live?seen={seen[1]}")
    assert response.status_code == 200
    assert '<div hx-swap-oob="innerHTML:#announce">Ready. Its API answers' in response.content.decode()


def test_failed_cluster_says_why_and_goes_on_after_retry(world: World) -> None:
    made = factories.cluster(world.alice, "team", "first")
    why = "values do not match the schema"
    stalled = Condition(ConditionType.STALLED, ConditionStatus.TRUE, Reason.CHART_INVALID, why, 1)
    factories.observe(made, stalled)
    client = world.client("bob")
    said = shown(client.get("/clusters/team/first"))
    assert ("first is stopped" in said, "Values do not match the schema." in said, "Retry" in said) == (
        True,
    ) * 3
    client.post("/clusters/team/first/retry")
    made.refresh_from_db()
    assert made.phase != "Failed"
    assert "first tries again now" in shown(client.get("/clusters/team/first"))


def test_viewer_sees_no_buttons_that_they_may_not_press(world: World) -> None:
    factories.ready(factories.cluster(world.alice, "team", "first"))
    body = world.client("vera").get("/clusters/team/first").content.decode()
    assert ("/delete" in body, "/retry" in body, "Download kubeconfig" in body) == (False, False, True)


# Deletion


def test_delete_wants_the_name_typed(world: World) -> None:
    made = factories.cluster(world.alice, "team", "first")
    response = world.client("alice").post("/clusters/team/first/delete", {"confirm": "firs"})
    assert errors(response) == {
        "confirm": "That is not the name. Type first to delete it, or go back to keep it."
    }
    made.refresh_from_db()
    assert not made.deleting


def test_protected_cluster_says_how_to_delete_it(world: World) -> None:
    factories.cluster(world.alice, "team", "first", {"deletionProtection": True})
    response = world.client("alice").post("/clusters/team/first/delete", {"confirm": "first"})
    assert "take the protection off first" in errors(response)["confirm"]


def test_deleted_cluster_ends_in_a_page_that_says_so(world: World) -> None:
    made = factories.ready(factories.cluster(world.alice, "team", "first"))
    client = world.client("alice")
    assert (
        client.post("/clusters/team/first/delete", {"confirm": "first"})["Location"] == "/clusters/team/first"
    )
    assert "Deleting first" in shown(client.get("/clusters/team/first"))
    factories.observe(made, gone=True)
    polled = client.get("/clusters/team/first/live")
    assert (polled.status_code, "first is gone" in shown(polled)) == (286, True)
    page = client.get("/clusters/team/first")
    assert (page.status_code, "alice deleted it" in shown(page)) == (404, True)
    assert world.client("charlie").get("/clusters/team/first").content.count(b"is gone") == 0
