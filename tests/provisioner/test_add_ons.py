"""Objects of add-ons in the tenant's cluster: applied, put back, changed and removed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.ports import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, Busy, Kind, Rejected
from provisioner.reconcile.add_ons import ID, NAME, PART_OF
from tenancy.enums import ConditionStatus, ConditionType, Reason
from tenancy.rules.add_ons import AddOn
from tests.provisioner.harness import NS, Team
from tests.support.manifests import config, of

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gadgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Gadget", "plural": "gadgets"},
        "versions": [{"name": "v1"}],
    },
}
GADGET = {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "one"}}
GADGETS = Kind("example.com/v1", "gadgets", "Gadget")
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tools"}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "tools", "labels": {"app": "web"}},
    "spec": {},
}


def wants(team: Team, *bodies, version="1.0.0", more=()):
    """Another generation that wants these objects."""
    add_ons = (AddOn("motd", version, of(*bodies)), *more) if bodies else more
    team.wanted = replace(team.wanted, add_ons=tuple(add_ons))
    team.change(add_ons={one.name: one.version for one in add_ons})


def inside(team: Team):
    return team.world.tenants[NS]


def told(team: Team):
    found = team.condition(ConditionType.ADD_ONS_APPLIED)
    assert found is not None
    return found.status, found.reason, found.message


@pytest.fixture
def tools(ready):
    wants(ready, DEPLOYMENT, config(), SPACE)
    ready.until_settled()
    return ready


def test_a_cluster_without_any_is_not_asked(ready):
    assert told(ready)[0] is ConditionStatus.TRUE
    assert inside(ready).seen(CONFIG_MAPS, NAME, "atoll-system") is None


def test_they_are_applied_and_marked_and_what_others_need_goes_first(tools):
    store = inside(tools)
    web = store.seen(DEPLOYMENTS, "web", "tools")
    assert web["metadata"]["labels"] == {"app": "web", PART_OF: ID}
    assert store.seen(CONFIG_MAPS, "motd", "default")["data"] == {"text": "hello"}
    assert store.seen(CONFIG_MAPS, NAME, "atoll-system")["data"] == {
        "kinds": "apps/v1 Deployment\nv1 ConfigMap\nv1 Namespace"
    }
    order = [key for verb, key in store.writes if verb == "apply" and key[2] in {"tools", "web"}]
    assert order == [("namespaces", "", "tools"), ("deployments", "tools", "web")]
    assert told(tools)[0] is ConditionStatus.TRUE
    assert len(ID) <= 63


def test_what_a_tenant_changes_or_deletes_is_put_back_and_their_own_stays(tools):
    store = inside(tools)
    store.seen(CONFIG_MAPS, "motd", "default")["data"] = {"text": "changed", "own": "theirs"}
    store.drop(DEPLOYMENTS, "web", "tools")
    tools.memory = type(tools.memory)()

    tools.until_settled()
    assert store.seen(CONFIG_MAPS, "motd", "default")["data"] == {"text": "hello", "own": "theirs"}
    assert store.seen(DEPLOYMENTS, "web", "tools") is not None


def test_another_version_changes_what_it_changes_and_removes_what_it_lacks(tools):
    store = inside(tools)
    store.put(CONFIG_MAPS, config("own"))
    wants(tools, config(text="hi"), SPACE, version="1.1.0")

    tools.until_settled()
    assert store.seen(CONFIG_MAPS, "motd", "default")["data"] == {"text": "hi"}
    assert store.seen(DEPLOYMENTS, "web", "tools") is None
    assert store.seen(CONFIG_MAPS, "own") is not None


def test_who_leaves_is_rid_of_all_but_what_may_hold_others_things(tools):
    store = inside(tools)
    wants(tools)

    tools.until_settled()
    assert store.seen(CONFIG_MAPS, "motd", "default") is None
    assert store.seen(DEPLOYMENTS, "web", "tools") is None
    assert store.seen(CONFIG_MAPS, NAME, "atoll-system") is None
    assert store.seen(NAMESPACES, "tools") is not None


def test_a_kind_of_its_own_is_waited_for(ready):
    wants(ready, GADGET, CRD)
    ready.until_settled()
    assert inside(ready).seen(GADGETS, "one", "default")["metadata"]["labels"] == {PART_OF: ID}


def test_a_kind_that_nobody_serves_stops_it_with_words(ready):
    wants(ready, GADGET, config())
    ready.until_settled()
    status, reason, message = told(ready)
    assert (status, reason) == (ConditionStatus.FALSE, Reason.ADD_ON_REFUSED)
    assert message.startswith(
        "add-on motd 1.0.0, Gadget one: this cluster does not serve example.com/v1 Gadget"
    )
    assert inside(ready).seen(CONFIG_MAPS, "motd", "default") is not None


def test_a_refused_object_is_named_and_the_others_go_on_and_nothing_is_removed(tools):
    store = inside(tools)
    store.refuse = lambda verb, key: (
        Rejected("it refuses what we sent (422): no such field")
        if (verb, key[2]) == ("apply", "bad")
        else None
    )
    wants(tools, config("bad"), config("good"))

    tools.until_settled()
    status, reason, message = told(tools)
    assert (status, reason) == (ConditionStatus.FALSE, Reason.ADD_ON_REFUSED)
    assert message.startswith("add-on motd 1.0.0, ConfigMap bad: it refuses what we sent (422)")
    assert store.seen(CONFIG_MAPS, "good", "default") is not None
    assert store.seen(DEPLOYMENTS, "web", "tools") is not None


def test_what_may_pass_is_tried_again(ready):
    store = inside(ready)
    store.refuse = lambda verb, key: (
        Busy("it could not do it now (503)", Reason.WAITING) if key[2] == "motd" else None
    )
    wants(ready, config())
    for _ in range(10):
        ready.once()
        ready.world.tick()
    assert "add-on motd 1.0.0, ConfigMap motd: it could not do it now" in told(ready)[2]
    store.refuse = lambda _verb, _key: None
    ready.until_settled()
    assert told(ready)[0] is ConditionStatus.TRUE


def test_a_list_of_kinds_that_was_tampered_with_removes_nothing_that_is_not_marked(tools):
    store = inside(tools)
    store.put(CONFIG_MAPS, config("own", "default"))
    noted = store.seen(CONFIG_MAPS, NAME, "atoll-system")
    noted["data"] = {"kinds": "v1 ConfigMap\n../../secret Thing\nnonsense\nv1 Namespace"}
    wants(tools)

    tools.until_settled()
    assert store.seen(CONFIG_MAPS, "motd", "default") is None
    assert store.seen(CONFIG_MAPS, "own", "default") is not None
    assert store.seen(NAMESPACES, "tools") is not None
    assert told(tools)[0] is ConditionStatus.TRUE


def test_one_that_is_in_the_catalogue_no_more_removes_nothing(tools):
    tools.wanted = replace(tools.wanted, generation=tools.wanted.generation + 1, add_ons=())
    tools.until_settled()
    assert told(tools)[1] is Reason.ADD_ON_REFUSED
    assert inside(tools).seen(DEPLOYMENTS, "web", "tools") is not None
