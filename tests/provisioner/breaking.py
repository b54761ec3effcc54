"""What breaks a claim of an isolation report, each by itself, and which claim it is."""

from __future__ import annotations

from provisioner.ports import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    LIMIT_RANGES,
    MUTATIONS,
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    POLICIES,
    POLICY_BINDINGS,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    STATEFUL_SETS,
)
from provisioner.reconcile import labels
from tests.provisioner.attested import tenant_pod
from tests.provisioner.harness import NS


def object_of(team, kind, name, namespace=NS):
    found = team.world.host.seen(kind, name, namespace)
    assert found is not None
    return found


def relabel(team):
    object_of(team, NAMESPACES, NS, "")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = (
        "privileged"
    )


def widen_selector(team):
    object_of(team, NAMESPACES, NS, "")["metadata"]["annotations"][labels.NODE_SELECTOR] = "any=node"


def raise_quota(team):
    object_of(team, RESOURCE_QUOTAS, "atoll-quota")["spec"]["hard"]["requests.nvidia.com/gpu"] = "8"


def uncounted_quota(team):
    object_of(team, RESOURCE_QUOTAS, "atoll-quota")["status"]["hard"].pop("pods")


def drop_limits(team):
    team.world.host.drop(LIMIT_RANGES, "atoll-defaults", NS)


def open_network(team):
    object_of(team, NETWORK_POLICIES, "atoll-tenant-pods")["spec"]["egress"].append({})


def drop_deny(team):
    team.world.host.drop(NETWORK_POLICIES, "atoll-deny", NS)


def add_policy(team):
    extra = {"metadata": {"name": "extra", "namespace": NS}, "spec": {"egress": [{}]}}
    team.world.host.put(NETWORK_POLICIES, extra)


def drop_policy(team):
    team.world.host.drop(POLICIES, "atoll-hardening")


def old_policy(team):
    object_of(team, POLICIES, "atoll-secrets", "")["metadata"]["labels"][
        "tenancy.atoll.internal/policies"
    ] = "0.0.1"


def empty_policy(team):
    object_of(team, POLICIES, "atoll-secrets", "")["spec"]["validations"] = []


def open_policy(team):
    object_of(team, POLICIES, "atoll-secrets", "")["spec"]["failurePolicy"] = "Ignore"


def weaken_policy(team):
    """It is there, fails closed, is of this version and bound; it only refuses less."""
    object_of(team, POLICIES, "atoll-hardening", "")["spec"]["validations"][0]["expression"] = "true"


def narrow_policy(team):
    never = {"name": "never", "expression": "false"}
    object_of(team, POLICIES, "atoll-hardening", "")["spec"]["matchConditions"] = [never]


def open_fence(team):
    object_of(team, POLICIES, "atoll-provisioner-fence", "")["spec"]["validations"].pop()


def change_injection(team):
    object_of(team, MUTATIONS, "atoll-inject", "")["spec"]["mutations"].append({"patchType": "JSONPatch"})


def bind_on_the_host(*subjects, role="view", **labels):
    body = {
        "metadata": {"name": "more", "labels": labels},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": list(subjects),
    }
    return lambda team: team.world.host.put(CLUSTER_ROLE_BINDINGS, body)


def bind_elsewhere(team):
    body = {
        "metadata": {"name": "more", "namespace": "kube-system"},
        "roleRef": {"kind": "Role", "name": "any"},
        "subjects": [account(NS)],
    }
    team.world.host.put(ROLE_BINDINGS, body)


def account(namespace):
    return {"kind": "ServiceAccount", "name": "vc-cluster", "namespace": namespace}


def group(name):
    return {"kind": "Group", "name": name}


def lenient(policy):
    return lambda team: team.world.host.lenient.add(policy)


def drop_binding(team):
    team.world.host.drop(POLICY_BINDINGS, "atoll-placement")


def soften_binding(team):
    object_of(team, POLICY_BINDINGS, "atoll-placement", "")["spec"]["validationActions"] = ["Audit"]


def narrow_binding(team):
    match = {"namespaceSelector": {"matchLabels": {"tenancy.atoll.internal/tenant": "another"}}}
    object_of(team, POLICY_BINDINGS, "atoll-placement", "")["spec"]["matchResources"] = match


def widen_role(team):
    object_of(team, CLUSTER_ROLES, "atoll-syncer", "")["rules"].append({"verbs": ["*"]})


def bind_another(team):
    team.world.host.put(
        ROLE_BINDINGS, {"metadata": {"name": "mine", "namespace": NS}, "roleRef": {"name": "edit"}}
    )


def share_role(team):
    object_of(team, ROLE_BINDINGS, "vc-cluster")["subjects"].append({"kind": "User", "name": "eve"})


def pod(**spec):
    return lambda team: team.world.host.put(PODS, tenant_pod(**spec))


def stranger(team):
    made = tenant_pod()
    made["metadata"] = {"name": "stranger", "namespace": NS}
    team.world.host.put(PODS, made)


def other_image(team):
    spec = object_of(team, STATEFUL_SETS, "cluster")["spec"]["template"]["spec"]
    spec["containers"][0]["image"] = "docker.io/eve/vcluster:1"


def other_image_in_pod(team):
    object_of(team, PODS, "cluster-0")["spec"]["containers"] = [{"image": "docker.io/eve/vcluster:1"}]


BROKEN = [
    (relabel, "namespace"),
    (widen_selector, "namespace"),
    (raise_quota, "quota"),
    (uncounted_quota, "quota"),
    (drop_limits, "limits"),
    (open_network, "network-policies"),
    (drop_deny, "network-policies"),
    (add_policy, "network-policies"),
    (drop_policy, "host-policies"),
    (old_policy, "host-policies"),
    (empty_policy, "host-policies"),
    (open_policy, "host-policies"),
    (drop_binding, "host-policies"),
    (soften_binding, "host-policies"),
    (narrow_binding, "host-policies"),
    (weaken_policy, "host-policies"),
    (narrow_policy, "host-policies"),
    (open_fence, "host-policies"),
    (change_injection, "host-policies"),
    (lenient("atoll-placement"), "policies-refuse"),
    (lenient("atoll-hardening"), "policies-refuse"),
    (lenient("atoll-pod-identity"), "policies-refuse"),
    (lenient("atoll-devices"), "policies-refuse"),
    (lenient("atoll-inject"), "policies-refuse"),
    (bind_on_the_host(account(NS)), "syncer-role"),
    (bind_on_the_host(group(f"system:serviceaccounts:{NS}")), "syncer-role"),
    (bind_on_the_host(group("system:authenticated")), "syncer-role"),
    (bind_on_the_host({"kind": "User", "name": f"system:serviceaccount:{NS}:vc-cluster"}), "syncer-role"),
    (bind_elsewhere, "syncer-role"),
    (widen_role, "syncer-role"),
    (bind_another, "syncer-role"),
    (share_role, "syncer-role"),
    (pod(runtimeClassName=None), "pods-sandboxed"),
    (pod(runtimeClassName="runc"), "pods-sandboxed"),
    (pod(hostNetwork=True), "pods-harmless"),
    (pod(volumes=[{"name": "root", "hostPath": {"path": "/"}}]), "pods-harmless"),
    (pod(serviceAccountName="vc-cluster"), "pods-harmless"),
    (pod(volumes=[{"name": "t", "projected": {"sources": [{"serviceAccountToken": {}}]}}]), "pods-harmless"),
    (pod(containers=[{"image": "i", "securityContext": {"privileged": True}}]), "pods-harmless"),
    (stranger, "pods-harmless"),
    (other_image, "control-plane"),
    (other_image_in_pod, "control-plane"),
]
