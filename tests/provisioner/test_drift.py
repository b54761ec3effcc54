"""A guard rail that somebody changed is told of, with who it was, and put right; Atoll's own changes are not."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

import pytest

from provisioner.ports import (
    LIMIT_RANGES,
    NAMESPACES,
    NETWORK_POLICIES,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    Act,
)
from provisioner.reconcile import culprit, labels, patrol
from tenancy.enums import ActorSource, FindingKind, Sandbox
from tenancy.rules.names import LABEL_PREFIX
from tests.fakes.kube import FakeKube
from tests.fakes.world import FakeGuard
from tests.provisioner.harness import NS, UID

RAILS = [
    (NAMESPACES, NS),
    (RESOURCE_QUOTAS, "atoll-quota"),
    (LIMIT_RANGES, "atoll-defaults"),
    (NETWORK_POLICIES, "atoll-deny"),
    (NETWORK_POLICIES, "atoll-tenant-pods"),
    (NETWORK_POLICIES, "atoll-control-plane"),
    (ROLE_BINDINGS, "atoll-provisioner"),
    (ROLE_BINDINGS, "vc-cluster"),
]
WITHIN = [rail for rail in RAILS if rail[0] is not NAMESPACES]


def home(kind):
    return "" if kind is NAMESPACES else NS


def rail(team, kind, name):
    return team.world.host.seen(kind, name, home(kind))


def by(team, kind, name, user="mallory", verb="patch"):
    """The host's audit log has this write."""
    act = Act(user, verb, datetime.now(UTC) + timedelta(seconds=1), ("192.0.2.7",))
    team.world.audit.acts.append((culprit.target(kind, name, NS), act))


def told(team):
    return [(d.kind, d.subject, d.culprit.name, d.culprit.source) for d in team.findings.told]


@pytest.fixture
def settled(ready):
    """A second pass has seen what Helm made."""
    ready.once()
    assert ready.findings.told == []
    assert set(ready.wanted.guard_rails) == {f"{kind.name} {name}" for kind, name in RAILS}
    return ready


def test_a_life_without_others_has_no_findings(settled):
    settled.change(sandbox=Sandbox.GVISOR)
    settled.until_settled()
    settled.delete()
    settled.until_settled()
    assert settled.gone
    assert settled.findings.told == []


def test_a_pass_over_what_is_right_writes_nothing(settled):
    before = list(settled.world.host.writes)
    settled.restart()
    settled.once()
    assert settled.world.host.writes == before


@pytest.mark.parametrize(("kind", "name"), WITHIN, ids=lambda v: getattr(v, "name", v))
def test_a_removed_guard_rail_is_told_and_put_back(settled, kind, name):
    before = copy.deepcopy(rail(settled, kind, name))
    settled.world.host.drop(kind, name, NS)
    by(settled, kind, name, verb="delete")
    settled.once()
    subject = f"{kind.name} {name}"
    assert told(settled) == [(FindingKind.GUARD_RAIL_REMOVED, subject, "mallory", ActorSource.AUDIT_LOG)]
    assert settled.findings.closed == [subject]
    after = rail(settled, kind, name)
    for key in ("spec", "roleRef", "subjects"):
        assert after.get(key) == before.get(key)


EDITS = [
    (
        NAMESPACES,
        NS,
        lambda o: o["metadata"]["labels"].update({"pod-security.kubernetes.io/enforce": "privileged"}),
    ),
    (NAMESPACES, NS, lambda o: o["metadata"]["labels"].pop("tenancy.atoll.internal/tenant")),
    (NAMESPACES, NS, lambda o: o["metadata"]["labels"].pop(labels.UID)),
    (NAMESPACES, NS, lambda o: o["metadata"]["annotations"].pop(labels.CLOSED)),
    (
        NAMESPACES,
        NS,
        lambda o: o["metadata"]["annotations"].update({f"{LABEL_PREFIX}tolerations": "x"}),
    ),
    (RESOURCE_QUOTAS, "atoll-quota", lambda o: o["spec"]["hard"].update(pods="9999")),
    (RESOURCE_QUOTAS, "atoll-quota", lambda o: o["spec"]["hard"].pop("requests.nvidia.com/gpu")),
    (RESOURCE_QUOTAS, "atoll-quota", lambda o: o["spec"].update(scopes=["BestEffort"])),
    (LIMIT_RANGES, "atoll-defaults", lambda o: o["spec"]["limits"].clear()),
    (NETWORK_POLICIES, "atoll-deny", lambda o: o["spec"].update(egress=[{}])),
    (NETWORK_POLICIES, "atoll-deny", lambda o: o["spec"].update(podSelector={"matchLabels": {"a": "b"}})),
    (ROLE_BINDINGS, "vc-cluster", lambda o: o["subjects"].append({"kind": "User", "name": "eve"})),
    (ROLE_BINDINGS, "vc-cluster", lambda o: o["roleRef"].update(name="cluster-admin")),
]


@pytest.mark.parametrize(("kind", "name", "edit"), EDITS)
def test_an_edited_guard_rail_is_told_and_put_right(settled, kind, name, edit):
    subject = f"{kind.name} {name}"
    seen = rail(settled, kind, name)
    edit(seen)
    by(settled, kind, name)
    settled.once()
    assert told(settled) == [(FindingKind.GUARD_RAIL_CHANGED, subject, "mallory", ActorSource.AUDIT_LOG)]
    assert settled.findings.closed == [subject]
    (drift,) = settled.findings.told
    assert drift.details
    settled.once()
    assert len(settled.findings.told) == 1


def test_a_namespace_that_was_deleted_is_one_finding_not_eight(settled):
    settled.world.host.drop_namespace(NS)
    settled.world.tenants.clear()
    settled.until_settled()
    assert [d.subject for d in settled.findings.told] == [f"Namespace {NS}"]
    assert settled.findings.closed == [f"Namespace {NS}"]


def test_without_an_audit_log_the_field_manager_is_a_hint(settled):
    seen = rail(settled, RESOURCE_QUOTAS, "atoll-quota")
    seen["spec"]["hard"]["pods"] = "9999"
    seen["metadata"]["managedFields"] = [
        {"manager": "atoll-provisioner", "time": "2026-01-03T00:00:00Z"},
        {"manager": "kubectl-edit", "time": "2026-01-02T00:00:00Z"},
        {"manager": "kube-controller-manager", "time": "2026-01-04T00:00:00Z", "subresource": "status"},
    ]
    settled.once()
    assert [(c.name, c.source) for c in (d.culprit for d in settled.findings.told)] == [
        ("kubectl-edit", ActorSource.FIELD_MANAGER)
    ]


def test_nobody_knows_who_removed_what_no_log_tells(settled):
    settled.world.host.drop(LIMIT_RANGES, "atoll-defaults", NS)
    settled.once()
    assert [d.culprit for d in settled.findings.told] == [culprit.Culprit()]


def test_a_pass_that_died_before_it_put_things_right_is_taken_up_by_the_next(settled):
    settled.world.host.drop(LIMIT_RANGES, "atoll-defaults", NS)

    def refuse(verb, key):
        return OSError("no") if (verb, key[0]) == ("apply", "limitranges") else None

    settled.world.host.refuse = refuse
    settled.once()
    assert list(settled.findings.open) == ["LimitRange atoll-defaults"]
    settled.world.host.refuse = lambda _verb, _key: None
    settled.once()
    assert settled.findings.open == {}
    assert len(settled.findings.told) == 1


def network_policy(name, *, synced, egress):
    marks = {labels.SYNCED: "x"} if synced else {}
    return {"metadata": {"name": name, "namespace": NS, "labels": marks}, "spec": {"egress": egress}}


def role_binding(subject, **marks):
    return {
        "metadata": {"name": "extra", "namespace": NS, "labels": marks},
        "subjects": [subject],
        "roleRef": {"name": "edit"},
    }


@pytest.mark.parametrize(
    ("kind", "body", "told_of", "stays"),
    [
        (NETWORK_POLICIES, network_policy("open", synced=False, egress=[{}]), 1, False),
        (NETWORK_POLICIES, network_policy("open", synced=True, egress=[{}]), 1, False),
        (
            NETWORK_POLICIES,
            network_policy("mine", synced=True, egress=[{"to": [{"podSelector": {}}]}]),
            0,
            True,
        ),
        (
            ROLE_BINDINGS,
            role_binding({"kind": "ServiceAccount", "name": "vc-cluster", "namespace": NS}),
            1,
            False,
        ),
        (ROLE_BINDINGS, role_binding({"kind": "Group", "name": "system:authenticated"}), 1, False),
        (ROLE_BINDINGS, role_binding({"kind": "Group", "name": f"system:serviceaccounts:{NS}"}), 1, False),
        (
            ROLE_BINDINGS,
            role_binding({"kind": "User", "name": f"system:serviceaccount:{NS}:default"}),
            1,
            False,
        ),
        (ROLE_BINDINGS, role_binding({"kind": "User", "name": "operator"}), 1, True),
        (
            ROLE_BINDINGS,
            role_binding({"kind": "User", "name": "operator"}, **{labels.KEPT: "support"}),
            0,
            True,
        ),
    ],
)
def test_what_others_add(settled, kind, body, told_of, stays):
    settled.world.host.put(kind, body)
    for _ in range(2):
        settled.once()
    name = body["metadata"]["name"]
    assert [d.kind for d in settled.findings.told] == [FindingKind.GUARD_RAIL_ADDED] * told_of
    assert (settled.world.host.seen(kind, name, NS) is not None) == stays
    assert len(settled.findings.open) == (1 if stays and told_of else 0)
    settled.world.host.drop(kind, name, NS)
    settled.once()
    assert settled.findings.open == {}


class TestPatrol:
    """The host's look at all clusters."""

    def look(self, team):
        kube = FakeKube(team.world.host, FakeGuard())
        return patrol.amiss(patrol.read(kube, {NS}), {UID: (NS, team.wanted.guard_rails)})

    def test_what_is_right_wants_no_pass(self, settled):
        assert self.look(settled) == ()

    @pytest.mark.parametrize(("kind", "name"), WITHIN, ids=lambda v: getattr(v, "name", v))
    def test_what_is_gone_wants_one(self, settled, kind, name):
        settled.world.host.drop(kind, name, NS)
        assert self.look(settled) == (UID,)

    @pytest.mark.parametrize(("kind", "name", "edit"), EDITS)
    def test_what_was_edited_wants_one(self, settled, kind, name, edit):
        edit(rail(settled, kind, name))
        assert self.look(settled) == (UID,)

    def test_what_was_added_wants_one(self, settled):
        settled.world.host.put(NETWORK_POLICIES, network_policy("open", synced=False, egress=[{}]))
        assert self.look(settled) == (UID,)

    def test_a_namespace_that_is_gone_wants_one(self, settled):
        settled.world.host.drop_namespace(NS)
        assert self.look(settled) == (UID,)
