"""What counts as a change of a guard rail, and that the patch made of it puts it right."""

from __future__ import annotations

import copy

import pytest

from provisioner.reconcile.comparison import MOST, differences, fingerprint, mend
from tests.fakes.kube import _patch

QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "q", "labels": {"tenancy.atoll.internal/uid": "1"}},
    "spec": {"hard": {"requests.cpu": "4000m", "limits.memory": "8192Mi", "pods": "50"}},
}
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny"},
    "spec": {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [],
        "egress": [{"to": [{"podSelector": {"matchLabels": {"a": "b"}}}], "ports": [{"port": 53}]}],
    },
}
BINDING = {
    "kind": "RoleBinding",
    "metadata": {"name": "b"},
    "roleRef": {"kind": "ClusterRole", "name": "r"},
    "subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": "n"}],
}
ADMISSION = {
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "p", "labels": {"tenancy.atoll.internal/policies": "0.3.0"}},
    "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{"resources": ["pods"], "operations": ["CREATE"]}]},
        "matchConditions": [{"name": "tenant", "expression": "true"}],
        "validations": [{"expression": "false"}],
    },
}
NAMESPACE = {
    "kind": "Namespace",
    "metadata": {
        "name": "n",
        "labels": {"tenancy.atoll.internal/tenant": "t", "pod-security.kubernetes.io/enforce": "baseline"},
        "annotations": {"tenancy.atoll.internal/fence": "3", "tenancy.atoll.internal/node-selector": ""},
    },
}


def stored(wanted, **changes):
    """As an API server gives it back: with what it adds to every object."""
    seen = copy.deepcopy(wanted)
    seen["metadata"] |= {"uid": "u", "resourceVersion": "7", "managedFields": [{"manager": "x"}]}
    seen["status"] = {"hard": {}}
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = seen
        for part in parents:
            place = place[int(part)] if part.isdigit() else place[part]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return seen


def test_what_the_api_server_fills_in_is_no_difference():
    canonical = stored(QUOTA, spec={"hard": {"requests.cpu": "4", "limits.memory": "8Gi", "pods": "50"}})
    assert differences(QUOTA, canonical) == ()
    defaults = stored(POLICY, spec__ingress=None)
    defaults["spec"]["egress"][0]["ports"][0]["protocol"] = "TCP"
    assert differences(POLICY, defaults) == ()
    filled = stored(ADMISSION)
    filled["spec"]["matchConstraints"] |= {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
    }
    filled["spec"]["matchConstraints"]["resourceRules"][0]["scope"] = "*"
    assert differences(ADMISSION, filled) == ()
    home = stored(NAMESPACE, spec={"finalizers": ["kubernetes"]})
    home["metadata"]["labels"] |= {"kubernetes.io/metadata.name": "n", "team": "x"}
    home["metadata"]["annotations"] |= {"tenancy.atoll.internal/fence": "9", "note": "y"}
    assert differences(NAMESPACE, home) == ()


CHANGES = [
    (QUOTA, {"spec__hard__pods": "51"}, "spec.hard.pods"),
    (QUOTA, {"spec__hard__pods": None}, "spec.hard.pods"),
    (QUOTA, {"spec__hard__secrets": "1"}, "spec.hard.secrets"),
    (QUOTA, {"spec__scopes": ["BestEffort"]}, "spec.scopes"),
    (QUOTA, {"metadata__labels": {}}, "metadata.labels"),
    (POLICY, {"spec__ingress": [{}]}, "spec.ingress[0]"),
    (POLICY, {"spec__policyTypes": ["Ingress"]}, "spec.policyTypes[1]"),
    (POLICY, {"spec__podSelector": {"matchLabels": {"a": "b"}}}, "spec.podSelector.matchLabels"),
    (POLICY, {"spec__egress__0__to": None}, "spec.egress[0].to"),
    (POLICY, {"spec__egress__0__ports": None}, "spec.egress[0].ports"),
    (POLICY, {"spec__egress__0__to__0__namespaceSelector": {}}, "spec.egress[0].to[0].namespaceSelector"),
    (BINDING, {"roleRef__name": "cluster-admin"}, "roleRef.name"),
    (BINDING, {"subjects": [*BINDING["subjects"], {"kind": "User", "name": "eve"}]}, "subjects[1]"),
    (BINDING, {"subjects": []}, "subjects[0]"),
    (ADMISSION, {"spec__failurePolicy": "Ignore"}, "spec.failurePolicy"),
    (ADMISSION, {"spec__matchConstraints__namespaceSelector": {"matchLabels": {"no": "where"}}}, "spec.matchConstraints.namespaceSelector"),
    (ADMISSION, {"spec__matchConstraints__excludeResourceRules": [{"resources": ["*"]}]}, "spec.matchConstraints.excludeResourceRules"),
    (ADMISSION, {"spec__matchConditions": [{"name": "tenant", "expression": "true"}, {"name": "never", "expression": "false"}]}, "spec.matchConditions[1]"),
    (ADMISSION, {"spec__validations__0__expression": "true"}, "spec.validations[0].expression"),
    (ADMISSION, {"spec__paramKind": {"kind": "ConfigMap"}}, "spec.paramKind"),
    (ADMISSION, {"metadata__labels": {"tenancy.atoll.internal/policies": "0.1.0"}}, "metadata.labels.tenancy.atoll.internal/policies"),
    (NAMESPACE, {"metadata__labels": {"tenancy.atoll.internal/tenant": "t"}}, "metadata.labels.pod-security.kubernetes.io/enforce"),
    (NAMESPACE, {"metadata__annotations": {"tenancy.atoll.internal/tolerations": "x"}}, "metadata.annotations.tenancy.atoll.internal/node-selector"),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "change", "path"), CHANGES, ids=[c[2] for c in CHANGES])
def test_a_change_is_named_and_mended(wanted, change, path):
    seen = stored(wanted, **change)
    assert path in [one.path for one in differences(wanted, seen)]
    assert fingerprint(seen) != fingerprint(stored(wanted))
    _patch(seen, mend(wanted, seen))
    assert differences(wanted, seen) == ()


def test_what_is_told_is_bounded_and_printable():
    seen = stored(QUOTA, spec__hard={f"k{n}": "1\x1b[2J" * 100 for n in range(50)})
    found = differences(QUOTA, seen)
    assert len(found) == MOST
    assert all(len(one.seen) <= 200 and one.seen.isprintable() for one in found)


def test_an_object_from_a_list_does_not_tell_its_kind():
    seen = stored(NAMESPACE, spec={"finalizers": ["kubernetes"]})
    brief = {"metadata": seen["metadata"]}
    assert (
        fingerprint(brief) == fingerprint(seen) == fingerprint({k: v for k, v in seen.items() if k != "kind"})
    )
