"""The host's policies are kept as the chart says; what may not be written is told of."""

from __future__ import annotations

import copy
from datetime import UTC, datetime

import pytest

from provisioner.ports import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    MUTATIONS,
    POLICIES,
    POLICY_BINDINGS,
    ROLE_BINDINGS,
    Act,
    Host,
    Refused,
    Target,
)
from provisioner.reconcile import foreign, host_rails
from provisioner.reconcile.memory import Memory
from provisioner.reconcile.watch import Watch
from tenancy.enums import ActorSource, FindingKind
from tenancy.rules.drift import Place
from tests.fakes.findings import FakeAuditLog, FakeFindings
from tests.fakes.helm import FakeHelm
from tests.fakes.kube import FakeKube, Store
from tests.fakes.world import FakeGuard

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


def binding(name, role, *subjects, **metadata):
    return {
        "apiVersion": CLUSTER_ROLE_BINDINGS.api,
        "kind": CLUSTER_ROLE_BINDINGS.name,
        "metadata": {"name": name, **metadata},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": list(subjects),
    }


def group(name):
    return {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": name}


def account(namespace, name="vc-cluster"):
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def kubernetes_own(store):
    """The bindings for everybody that every API server makes, and their roles."""
    about = {
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews"],
        "verbs": ["create"],
    }
    public = {"nonResourceURLs": ["/healthz", "/version"], "verbs": ["get"]}
    for name, rule, everybody in (
        ("system:basic-user", about, "system:authenticated"),
        ("system:public-info-viewer", public, "system:unauthenticated"),
    ):
        labelled = {"kubernetes.io/bootstrapping": "rbac-defaults"}
        store.put(CLUSTER_ROLES, {"metadata": {"name": name, "labels": labelled}, "rules": [rule]})
        store.put(CLUSTER_ROLE_BINDINGS, binding(name, name, group(everybody), labels=labelled))


def chart(version="0.4.0"):
    return [
        policy(POLICIES, "atoll-placement", version, failurePolicy="Fail"),
        policy(POLICY_BINDINGS, "atoll-placement", version, validationActions=["Deny"]),
        {**policy(POLICIES, "atoll-provisioner-fence", failurePolicy="Fail"), "metadata": {"name": "atoll-provisioner-fence"}},
        policy(MUTATIONS, "atoll-inject", version, failurePolicy="Fail"),
        role("get"),
        binding("atoll-provisioner", "atoll-provisioner", account("atoll-system", "atoll-provisioner")),
    ]  # fmt: skip


class Keeper:
    """A host on which helm/host was installed, and a worker with some chart; ``charts`` is an empty folder."""

    def __init__(self, charts):
        self.charts = charts
        self.store, self.findings, self.audit, self.known = Store(), FakeFindings(), FakeAuditLog(), {}
        kinds = (POLICIES, POLICY_BINDINGS, POLICIES, MUTATIONS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)
        for document, kind in zip(chart(), kinds, strict=True):
            self.store.put(kind, copy.deepcopy(document))
        kubernetes_own(self.store)
        self.version, self.kubernetes = "0.4.0", "v1.36.3"

    def look(self):
        kube, helm = FakeKube(self.store, FakeGuard()), FakeHelm(self.store, FakeGuard())
        helm.documents = chart(self.version)
        folder = self.charts / self.version
        folder.mkdir(exist_ok=True)
        (folder / "Chart.yaml").write_text(f"version: {self.version}\n")
        rails = host_rails.render(Host(kube, helm), folder, US, self.kubernetes, Memory())
        watch = self.watch(kube)
        message = host_rails.keep(watch, rails)
        self.known = watch.found
        return message

    def watch(self, kube):
        return Watch(
            place=Place("lab"),
            kube=kube,
            audit=self.audit,
            whoami=lambda: US,
            findings=self.findings,
            now=lambda: datetime.now(UTC),
            known=self.known,
            drifted=frozenset(self.findings.open),
            lists=host_rails.LISTED,
        )


@pytest.fixture
def keeper(tmp_path):
    made = Keeper(tmp_path)
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


@pytest.mark.parametrize(
    "subject",
    [
        account("atoll-demo-first-0a0b0c0d"),
        group("system:serviceaccounts:atoll-demo-first-0a0b0c0d"),
        group("system:authenticated"),
        group("system:unauthenticated"),
        group("system:serviceaccounts"),
        {"kind": "User", "name": "system:anonymous"},
        {"kind": "User", "name": "system:serviceaccount:atoll-demo-first-0a0b0c0d:vc-cluster"},
    ],
)
def test_rights_on_the_host_for_tenants_or_everybody_are_told_and_left(keeper, subject):
    keeper.store.put(CLUSTER_ROLE_BINDINGS, binding("more", "view", subject))
    for _ in range(2):
        assert keeper.look() == ""
    (told,) = keeper.findings.told
    assert (told.kind, told.subject) == (FindingKind.GUARD_RAIL_ADDED, "ClusterRoleBinding more")
    assert "kept" in told.next_step
    assert keeper.store.seen(CLUSTER_ROLE_BINDINGS, "more") is not None
    keeper.store.drop(CLUSTER_ROLE_BINDINGS, "more")
    keeper.look()
    assert keeper.findings.closed == ["ClusterRoleBinding more"]


@pytest.mark.parametrize(
    ("role", "subject", "metadata"),
    [
        ("cluster-admin", group("system:masters"), {}),
        ("view", account("kube-system", "robot"), {}),
        ("view", {"kind": "User", "name": "alice"}, {}),
        ("view", account("atoll-system", "atoll-provisioner"), {}),
        ("view", group("system:authenticated"), {"labels": {"tenancy.atoll.internal/kept": "a-registry"}}),
        ("system:basic-user", group("system:authenticated"), {}),
    ],
)
def test_rights_of_others_and_what_gives_nothing_are_nobodys_business(keeper, role, subject, metadata):
    keeper.store.put(CLUSTER_ROLE_BINDINGS, binding("theirs", role, subject, **metadata))
    assert keeper.look() == ""
    assert keeper.findings.told == []


@pytest.mark.parametrize(
    ("namespace", "subject", "told"),
    [
        ("kube-system", account("atoll-demo-first-0a0b0c0d"), True),
        ("atoll-node-wipe", account("atoll-demo-first-0a0b0c0d"), True),
        ("atoll-system", group("system:authenticated"), True),
        ("default", group("system:serviceaccounts:atoll-demo-first-0a0b0c0d"), True),
        ("default", account("default", "robot"), False),
        ("kube-public", {"kind": "User", "name": "system:anonymous"}, False),
        # A tenant's namespace is looked after by its cluster's own pass.
        ("atoll-demo-first-0a0b0c0d", account("atoll-demo-first-0a0b0c0d"), False),
    ],
)
def test_rights_in_other_namespaces_for_tenants_are_told_and_left(keeper, namespace, subject, told):
    body = {**binding("more", "view", subject, namespace=namespace), "kind": "RoleBinding"}
    keeper.store.put(ROLE_BINDINGS, body)
    for _ in range(2):
        assert keeper.look() == ""
    assert [d.subject for d in keeper.findings.told] == ([f"RoleBinding {namespace}/more"] if told else [])
    assert keeper.store.seen(ROLE_BINDINGS, "more", namespace) is not None
    keeper.store.drop(ROLE_BINDINGS, "more", namespace)
    keeper.look()
    assert keeper.findings.open == {}


@pytest.mark.parametrize(
    "rule",
    [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
        {"apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews"], "verbs": ["*"]},
        {"nonResourceURLs": ["/logs/*"], "verbs": ["get"]},
        {"nonResourceURLs": ["/version"], "verbs": ["post"]},
    ],
)
def test_kubernetes_own_role_for_everybody_must_still_give_nothing(keeper, rule):
    """Its label and its name prove nothing: anybody could have written more into it."""
    keeper.store.seen(CLUSTER_ROLES, "system:basic-user")["rules"].append(rule)
    keeper.look()
    assert [d.subject for d in keeper.findings.told] == ["ClusterRoleBinding system:basic-user"]


def test_the_label_of_kubernetes_own_bindings_alone_excuses_nothing(keeper):
    worn = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    more = binding("system:mine", "view", group("system:authenticated"), labels=worn)
    keeper.store.put(CLUSTER_ROLE_BINDINGS, more)
    keeper.look()
    assert [d.subject for d in keeper.findings.told] == ["ClusterRoleBinding system:mine"]


def test_a_role_that_is_put_together_from_others_does_not_give_nothing():
    assert not foreign.gives_nothing({"aggregationRule": {"clusterRoleSelectors": [{}]}, "rules": []})


def test_where_bindings_may_not_be_read_the_host_says_so_and_its_policies_are_kept(keeper):
    keeper.store.drop(POLICIES, "atoll-placement")
    keeper.store.refuse = lambda verb, key: (
        Refused("no") if (verb, key[0]) == ("find", CLUSTER_ROLE_BINDINGS.plural) else None
    )
    assert "rights of tenants on the host cannot be read (no)" in keeper.look()
    assert keeper.store.seen(POLICIES, "atoll-placement") is not None


@pytest.mark.parametrize(
    ("verb", "kind"), [("delete", FindingKind.GUARD_RAIL_REMOVED), ("patch", FindingKind.GUARD_RAIL_CHANGED)]
)
def test_who_took_the_provisioners_own_rights_is_told_though_nothing_can_be_read(keeper, verb, kind):
    target = Target("rbac.authorization.k8s.io", "clusterrolebindings", "atoll-provisioner")
    keeper.audit.acts.append((target, Act("mallory", verb, datetime.now(UTC), ())))
    for _ in range(2):
        host_rails.shut_out(keeper.watch(FakeKube(keeper.store, FakeGuard())))
    (told,) = keeper.findings.told
    assert (told.kind, told.subject) == (kind, "ClusterRoleBinding atoll-provisioner")
    assert (told.culprit.name, told.culprit.source) == ("mallory", ActorSource.AUDIT_LOG)
    assert "helm upgrade --install atoll-host helm/host" in told.next_step
    keeper.look()
    assert keeper.findings.open == {}


def test_on_a_host_where_the_rights_never_were_nobody_took_them(keeper):
    keeper.known = {}
    host_rails.shut_out(keeper.watch(FakeKube(keeper.store, FakeGuard())))
    assert keeper.findings.told == []
