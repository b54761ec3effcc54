"""The host's policies are kept as the chart says; what may not be written is told of."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provisioner.ports import (
    CLUSTER_ROLES,
    MUTATIONS,
    POLICIES,
    POLICY_BINDINGS,
    Host,
    Refused,
)
from provisioner.reconcile import host_rails
from provisioner.reconcile.memory import Memory
from provisioner.reconcile.watch import Watch
from tenancy.enums import FindingKind
from tenancy.rules.drift import Place
from tests.fakes.findings import FakeAuditLog, FakeFindings
from tests.fakes.helm import FakeHelm
from tests.fakes.kube import FakeKube, Store
from tests.fakes.world import FakeGuard

CHART = Path(__file__).resolve().parents[2] / "helm" / "host"
US = "system:serviceaccount:atoll-system:atoll-provisioner"


def policy(kind, name, version="0.4.0", **spec):
    mark = {"tenancy.atoll.internal/policies": version}
    return {
        "apiVersion": kind.api,
        "kind": kind.name,
        "metadata": {"name": name, "labels": mark},
        "spec": spec,
    }


def role(verb):
    metadata = {"name": "atoll-syncer"}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": [verb]}]
    return {"apiVersion": CLUSTER_ROLES.api, "kind": "ClusterRole", "metadata": metadata, "rules": rules}


def chart(version="0.4.0"):
    return [
        policy(POLICIES, "atoll-placement", version, failurePolicy="Fail"),
        policy(POLICY_BINDINGS, "atoll-placement", version, validationActions=["Deny"]),
        {**policy(POLICIES, "atoll-provisioner-fence", failurePolicy="Fail"), "metadata": {"name": "atoll-provisioner-fence"}},
        policy(MUTATIONS, "atoll-inject", version, failurePolicy="Fail"),
        role("get"),
    ]  # fmt: skip


class Keeper:
    """A host on which helm/host was installed, and a worker with some chart."""

    def __init__(self):
        self.store, self.findings, self.known = Store(), FakeFindings(), {}
        for document, kind in zip(
            chart(), (POLICIES, POLICY_BINDINGS, POLICIES, MUTATIONS, CLUSTER_ROLES), strict=True
        ):
            self.store.put(kind, copy.deepcopy(document))
        self.version, self.kubernetes = "0.4.0", "v1.36.3"

    def look(self):
        kube, helm = FakeKube(self.store, FakeGuard()), FakeHelm(self.store, FakeGuard())
        helm.documents = chart(self.version)
        rails = host_rails.render(Host(kube, helm), CHART, US, self.kubernetes, Memory())
        watch = Watch(
            place=Place("lab"),
            kube=kube,
            audit=FakeAuditLog(),
            whoami=lambda: US,
            findings=self.findings,
            now=lambda: datetime.now(UTC),
            known=self.known,
            drifted=frozenset(self.findings.open),
            lists=host_rails.LISTED,
        )
        message = host_rails.keep(watch, rails)
        self.known = watch.found
        return message


@pytest.fixture
def keeper():
    made = Keeper()
    assert made.look() == ""
    assert made.findings.told == []
    assert made.store.writes == []
    return made


@pytest.mark.parametrize("kind", [POLICIES, POLICY_BINDINGS])
def test_a_removed_policy_is_put_back_as_helms(keeper, kind):
    keeper.store.drop(kind, "atoll-placement")
    assert keeper.look() == ""
    assert [(d.kind, d.subject) for d in keeper.findings.told] == [
        (FindingKind.GUARD_RAIL_REMOVED, f"{kind.name} atoll-placement")
    ]
    assert keeper.findings.open == {}
    metadata = keeper.store.seen(kind, "atoll-placement")["metadata"]
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert metadata["annotations"]["meta.helm.sh/release-name"] == "atoll-host"


def test_an_edited_policy_is_put_right(keeper):
    keeper.store.seen(POLICIES, "atoll-placement")["spec"] |= {
        "failurePolicy": "Ignore",
        "matchConditions": [{"name": "never", "expression": "false"}],
    }
    assert keeper.look() == ""
    assert keeper.store.seen(POLICIES, "atoll-placement")["spec"] == {"failurePolicy": "Fail"}
    assert len(keeper.findings.closed) == 1


@pytest.mark.parametrize(
    ("kind", "name"),
    [(POLICIES, "atoll-provisioner-fence"), (MUTATIONS, "atoll-inject"), (CLUSTER_ROLES, "atoll-syncer")],
    ids=lambda v: getattr(v, "name", v),
)
def test_what_it_may_not_write_is_told_with_what_to_do(keeper, kind, name):
    before = keeper.store.seen(kind, name)
    keeper.store.drop(kind, name)
    for _ in range(2):
        assert "helm upgrade --install atoll-host helm/host" in keeper.look()
    assert keeper.store.writes == []
    assert list(keeper.findings.open) == [f"{kind.name} {name}"]
    keeper.store.put(kind, before)
    assert keeper.look() == ""
    assert keeper.findings.open == {}


def test_an_older_host_is_brought_up_to_date_without_a_finding(keeper):
    keeper.version = "0.5.0"
    keeper.look()
    for kind in (POLICIES, POLICY_BINDINGS):
        labels = keeper.store.seen(kind, "atoll-placement")["metadata"]["labels"]
        assert labels["tenancy.atoll.internal/policies"] == "0.5.0"
    assert [d for d in keeper.findings.told if "Mutating" not in d.subject] == []


def test_a_newer_host_is_left_alone(keeper):
    keeper.version = "0.3.0"
    keeper.store.seen(POLICIES, "atoll-placement")["spec"]["failurePolicy"] = "Other"
    assert "update the workers" in keeper.look()
    assert (keeper.store.writes, keeper.findings.told) == ([], [])


def test_a_host_without_mutating_policies_has_none_to_miss(keeper):
    keeper.store.drop(MUTATIONS, "atoll-inject")
    keeper.kubernetes = "v1.35.1"
    assert keeper.look() == ""


def test_a_missing_right_is_told_and_the_rest_is_kept(keeper):
    keeper.store.drop(POLICIES, "atoll-placement")
    keeper.store.drop(POLICY_BINDINGS, "atoll-placement")
    refused = ("apply", POLICIES.plural)
    keeper.store.refuse = lambda verb, key: Refused("no") if (verb, key[0]) == refused else None
    assert "ValidatingAdmissionPolicy atoll-placement cannot be put right (no)" in keeper.look()
    assert keeper.store.seen(POLICY_BINDINGS, "atoll-placement") is not None
    assert list(keeper.findings.open) == ["ValidatingAdmissionPolicy atoll-placement"]
