from __future__ import annotations

import pytest

from provisioner.outcomes import LeaseLost
from provisioner.ports import (
    DEPLOYMENTS,
    LIMIT_RANGES,
    NAMESPACES,
    PODS,
    RESOURCE_QUOTAS,
    SECRETS,
    SERVICE_ACCOUNTS,
    Busy,
    Kind,
    Rejected,
    Served,
)
from tests.contract.conftest import eventually


def account(side, name="robot", **labels):
    metadata = {"name": name, "namespace": side.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def seen(side, name="robot"):
    return side.kube.get(SERVICE_ACCOUNTS, name, side.namespace)


def test_what_is_not_there_is_none(side):
    assert seen(side) is None
    assert side.kube.get(NAMESPACES, "atoll-nowhere") is None


def test_an_unknown_kind_has_no_objects(side):
    assert side.kube.find(Kind("nowhere.example/v1", "nothings", "Nothing")) == []


def test_kinds_are_served_where_they_are(side):
    assert side.kube.served("v1", "ServiceAccount") == Served(SERVICE_ACCOUNTS, namespaced=True)
    assert side.kube.served("v1", "Namespace") == Served(NAMESPACES, namespaced=False)
    assert side.kube.served("apps/v1", "Deployment") == Served(DEPLOYMENTS, namespaced=True)
    for api, kind in (("v1", "Nothing"), ("apps/v9", "Deployment"), ("nowhere.example/v1", "Nothing")):
        assert side.kube.served(api, kind) is None


def test_apply_makes_and_changes(side):
    made = side.kube.apply(SERVICE_ACCOUNTS, account(side, a="1"))
    assert made["metadata"]["labels"] == {"a": "1"}
    assert made["metadata"]["uid"]
    changed = side.kube.apply(SERVICE_ACCOUNTS, account(side, a="2"))
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert seen(side)["metadata"]["labels"] == {"a": "2"}


def test_a_rehearsal_answers_and_makes_nothing(side):
    answer = side.kube.rehearse(SERVICE_ACCOUNTS, account(side, "rehearsed", a="1"))
    assert answer.refusal == ""
    assert answer.made is not None
    assert answer.made["metadata"]["labels"] == {"a": "1"}
    assert seen(side, "rehearsed") is None


def test_an_eviction_ends_that_very_pod(side):
    side.kube.apply(SERVICE_ACCOUNTS, account(side))
    container = {"name": "c", "image": "docker.io/library/busybox:1.36.1"}
    gates = [{"name": "example.com/never"}]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": side.namespace},
        "spec": {"serviceAccountName": "robot", "containers": [container], "schedulingGates": gates},
    }
    assert side.kube.create(PODS, pod)
    assert side.kube.evict("web", side.namespace, uid="another")
    seen = side.kube.get(PODS, "web", side.namespace)
    assert side.kube.evict("web", side.namespace, uid=seen["metadata"]["uid"])
    eventually(lambda: side.kube.get(PODS, "web", side.namespace) is None)
    assert side.kube.evict("web", side.namespace, uid=seen["metadata"]["uid"])


def test_a_pod_that_is_not_there_said_nothing(side):
    assert side.kube.log("nobody", side.namespace) == ""


def test_apply_twice_changes_nothing(side):
    first = side.kube.apply(SERVICE_ACCOUNTS, account(side, a="1"))
    second = side.kube.apply(SERVICE_ACCOUNTS, account(side, a="1"))
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_apply_takes_back_what_it_no_longer_says(side):
    side.kube.apply(SERVICE_ACCOUNTS, account(side, a="1", b="2"))
    side.kube.apply(SERVICE_ACCOUNTS, account(side, a="1"))
    assert seen(side)["metadata"]["labels"] == {"a": "1"}


def test_apply_leaves_what_others_wrote(side):
    side.kube.apply(SERVICE_ACCOUNTS, account(side, a="1"))
    side.kube.annotate(SERVICE_ACCOUNTS, "robot", {"mine": "x"}, side.namespace)
    side.kube.apply(SERVICE_ACCOUNTS, account(side, a="2"))
    assert seen(side)["metadata"]["annotations"]["mine"] == "x"


def test_labels_are_set_and_taken_away_beside_those_applied(side):
    side.kube.apply(SERVICE_ACCOUNTS, account(side, a="1"))
    side.kube.label(SERVICE_ACCOUNTS, "robot", {"mine": "x", "absent": None}, side.namespace)
    assert seen(side)["metadata"]["labels"] == {"a": "1", "mine": "x"}
    side.kube.apply(SERVICE_ACCOUNTS, account(side, a="2"))
    side.kube.label(SERVICE_ACCOUNTS, "robot", {"mine": None}, side.namespace)
    assert seen(side)["metadata"]["labels"] == {"a": "2"}


def test_apply_puts_right_what_others_changed(side):
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": side.namespace},
        "spec": {"hard": {"pods": "5"}},
    }
    side.kube.apply(RESOURCE_QUOTAS, quota)
    eventually(lambda: "hard" in side.kube.get(RESOURCE_QUOTAS, "q", side.namespace).get("status", {}))
    again = side.kube.apply(RESOURCE_QUOTAS, quota)
    assert again["spec"] == {"hard": {"pods": "5"}}


def test_apply_in_a_namespace_that_is_not_there_may_pass(side):
    lost = account(side)
    lost["metadata"]["namespace"] = "atoll-nowhere"
    with pytest.raises(Busy):
        side.kube.apply(SERVICE_ACCOUNTS, lost)


def test_what_can_never_be_is_rejected(side):
    with pytest.raises(Rejected, match="Not_A_Name"):
        side.kube.apply(SERVICE_ACCOUNTS, account(side, "Not_A_Name"))


def test_create_once(side):
    assert side.kube.create(SERVICE_ACCOUNTS, account(side, a="1")) is True
    assert side.kube.create(SERVICE_ACCOUNTS, account(side, a="2")) is False
    assert seen(side)["metadata"]["labels"] == {"a": "1"}


def test_find_by_label_and_field(side):
    for name, team in (("a", "x"), ("b", "y"), ("c", "x")):
        side.kube.create(SERVICE_ACCOUNTS, account(side, name, team=team))

    def names(**chosen):
        found = side.kube.find(SERVICE_ACCOUNTS, side.namespace, **chosen)
        return sorted(o["metadata"]["name"] for o in found if o["metadata"]["name"] != "default")

    assert names(labels="team=x") == ["a", "c"]
    assert names(labels="team=x", fields="metadata.name=c") == ["c"]
    assert names(labels="team=z") == []
    assert names() == ["a", "b", "c"]


def test_brief_leaves_all_but_metadata_out(side):
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": side.namespace, "labels": {"k": "v"}},
        "data": {"secret": "eA=="},
    }
    side.kube.create(SECRETS, body)
    (found,) = side.kube.find(SECRETS, side.namespace, labels="k=v", brief=True)
    assert found["metadata"]["name"] == "s"
    assert "data" not in found


def test_delete(side):
    side.kube.create(SERVICE_ACCOUNTS, account(side))
    assert side.kube.delete(SERVICE_ACCOUNTS, "robot", side.namespace) is True
    assert seen(side) is None
    assert side.kube.delete(SERVICE_ACCOUNTS, "robot", side.namespace) is False


def test_delete_only_the_very_object(side):
    made = side.kube.apply(SERVICE_ACCOUNTS, account(side))
    with pytest.raises(Busy):
        side.kube.delete(
            SERVICE_ACCOUNTS, "robot", side.namespace, uid="00000000-0000-0000-0000-000000000000"
        )
    assert side.kube.delete(SERVICE_ACCOUNTS, "robot", side.namespace, uid=made["metadata"]["uid"]) is True


def test_a_namespace_on_its_way_out_takes_nothing_new(side):
    side.kube.apply(
        LIMIT_RANGES,
        {
            "apiVersion": "v1",
            "kind": "LimitRange",
            # A finalizer of ours keeps the namespace for as long as this test looks at it.
            "metadata": {"name": "keep", "namespace": side.namespace, "finalizers": ["atoll.internal/test"]},
            "spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]},
        },
    )
    assert side.kube.delete(NAMESPACES, side.namespace) is True
    leaving = side.kube.get(NAMESPACES, side.namespace)
    try:
        assert "deletionTimestamp" in leaving["metadata"]
        with pytest.raises(Busy):
            side.kube.create(SERVICE_ACCOUNTS, account(side, "late"))
    finally:
        free = {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": "keep", "namespace": side.namespace},
            "spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]},
        }
        side.kube.apply(LIMIT_RANGES, free)


def test_tokens(side):
    side.kube.create(SERVICE_ACCOUNTS, account(side))
    token = side.kube.token("robot", side.namespace, 600)
    assert token.value
    assert token.expires_at.tzinfo is not None
    with pytest.raises(Busy):
        side.kube.token("nobody", side.namespace, 600)


def test_the_server_tells_of_itself(side):
    assert side.kube.version().startswith("v1.")
    assert side.kube.ready() == ""
    assert side.kube.whoami()


def test_without_the_lease_nothing_is_written(side):
    side.guard.held = False
    with pytest.raises(LeaseLost):
        side.kube.apply(SERVICE_ACCOUNTS, account(side))
    assert seen(side) is None


def test_merge_lays_over_and_takes_out(side):
    side.kube.apply(SERVICE_ACCOUNTS, account(side, a="1", b="2"))
    body = {"metadata": {"labels": {"a": None, "c": "3"}}}
    merged = side.kube.merge(SERVICE_ACCOUNTS, "robot", body, side.namespace)
    assert merged["metadata"]["labels"] == seen(side)["metadata"]["labels"] == {"b": "2", "c": "3"}


def test_merge_over_an_older_state_is_refused(side):
    old = side.kube.apply(SERVICE_ACCOUNTS, account(side, a="1"))["metadata"]["resourceVersion"]
    side.kube.annotate(SERVICE_ACCOUNTS, "robot", {"mine": "x"}, side.namespace)
    body = {"metadata": {"resourceVersion": old, "labels": {"a": "2"}}}
    with pytest.raises(Busy):
        side.kube.merge(SERVICE_ACCOUNTS, "robot", body, side.namespace)
    assert seen(side)["metadata"]["labels"] == {"a": "1"}


def test_merge_of_what_is_not_there_may_pass(side):
    with pytest.raises(Busy):
        side.kube.merge(SERVICE_ACCOUNTS, "nobody", {"metadata": {"labels": {"a": "1"}}}, side.namespace)
