"""Claims that the host alone answers: no tenant, and no syncer, can forge what is read here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from provisioner.ports import (
    CLUSTER_ROLES,
    LIMIT_RANGES,
    NAMESPACES,
    NETWORK_POLICIES,
    POLICIES,
    POLICY_BINDINGS,
    RESOURCE_QUOTAS,
    STATEFUL_SETS,
)
from provisioner.reconcile import labels, limits, namespace, network
from provisioner.reconcile.attestation.look import violated_if
from provisioner.release import values
from tenancy.enums import IsolationModel, Sandbox
from tenancy.rules import quantities
from tenancy.rules.names import RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.ports import Object
    from provisioner.reconcile.attestation.look import Look

HOST_POLICIES: Final = (
    "atoll-control-plane",
    "atoll-devices",
    "atoll-frozen",
    "atoll-gpu-gate",
    "atoll-guard-rails",
    "atoll-hardening",
    "atoll-images",
    "atoll-metadata",
    "atoll-namespaces",
    "atoll-network-policies",
    "atoll-placement",
    "atoll-pod-identity",
    "atoll-provisioner-fence",
    "atoll-provisioner-nodes",
    "atoll-provisioner-wipe",
    "atoll-secrets",
    "atoll-services",
    "atoll-tenant-fence",
    "atoll-volumes",
)
"""Of helm/host; a test holds the list to the chart."""
SYNCER_ROLE: Final = "atoll-syncer"
SYNCER_BINDING: Final = f"vc-{RELEASE}"
WORKLOAD_ACCOUNT: Final = f"vc-workload-{RELEASE}"
UNVERSIONED: Final = frozenset(
    {"atoll-provisioner-fence", "atoll-provisioner-nodes", "atoll-provisioner-wipe"}
)
_HOST_WAYS: Final = ("hostNetwork", "hostPID", "hostIPC")
_AMOUNTS: Final = frozenset({"hard", "default", "defaultRequest"})


def namespace_marks(look: Look) -> str:
    """Pod Security level, and the parameters that the host policies go by."""
    seen = _there(look.host.get(NAMESPACES, look.namespace), f"namespace {look.namespace}")
    wanted = namespace.marks(look.desired, look.effective)
    faults = list(_lacking(wanted, seen["metadata"], ""))
    violated_if(faults)
    level = seen["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    return f"Pod Security {level} enforced; {sum(map(len, wanted.values()))} labels and annotations as wanted"


def quota(look: Look) -> str:
    """The ResourceQuota with every amount, and zero for every accelerator."""
    wanted = limits.quota(look.desired, look.effective)["spec"]["hard"]
    seen = _there(
        look.host.get(RESOURCE_QUOTAS, limits.QUOTA, look.namespace), f"ResourceQuota {limits.QUOTA}"
    )
    counted = seen.get("status", {}).get("hard") or {}
    violated_if(
        [*_lacking(wanted, seen["spec"].get("hard") or {}, "hard"), *_lacking(wanted, counted, "counted")]
    )
    zeros = sorted(key for key, amount in wanted.items() if amount == "0")
    return f"{len(wanted)} amounts counted as wanted; zero for {', '.join(zeros)}"


def defaults(look: Look) -> str:
    """The LimitRange that makes every pod count."""
    wanted = limits.defaults(look.desired)["spec"]
    seen = look.host.get(LIMIT_RANGES, limits.DEFAULTS, look.namespace)
    violated_if(list(_lacking(wanted, _there(seen, f"LimitRange {limits.DEFAULTS}")["spec"], "spec")))
    return "every container that says nothing gets requests and limits"


def network_policies(look: Look) -> str:
    """Exactly the wanted NetworkPolicies: one more would open something."""
    wanted = {body["metadata"]["name"]: body["spec"] for body in network.policies(look.desired)}
    seen = {p["metadata"]["name"]: p["spec"] for p in look.host.find(NETWORK_POLICIES, look.namespace)}
    faults = [f"NetworkPolicy {name} is missing" for name in wanted.keys() - seen.keys()]
    faults += [f"NetworkPolicy {name} is not Atoll's" for name in seen.keys() - wanted.keys()]
    for name in wanted.keys() & seen.keys():
        faults += _lacking(wanted[name], seen[name], name)
        faults += _lacking(seen[name], wanted[name], name)
    violated_if(sorted(set(faults)))
    return f"{', '.join(sorted(wanted))}, and no other"


def host_policies(look: Look) -> str:
    """The admission policies of helm/host: there, of this release, bound, and failing closed."""
    version = look.chart("host", "Chart.yaml")["version"]
    policies = {p["metadata"]["name"]: p for p in look.host.find(POLICIES)}
    bindings = {b["metadata"]["name"]: b for b in look.host.find(POLICY_BINDINGS)}
    faults: list[str] = []
    for name in HOST_POLICIES:
        faults += _policy_faults(name, policies.get(name), version)
        faults += _binding_faults(name, bindings.get(name), version)
    violated_if(faults)
    return f"{len(HOST_POLICIES)} policies of version {version}, bound, refusing, failing closed"


def syncer_role(look: Look) -> str:
    """What the syncer may do on the host: its role as the chart has it, and no other binding beside."""
    wanted = look.chart("host", "templates", "syncer.yaml")["rules"]
    role = _there(look.host.get(CLUSTER_ROLES, SYNCER_ROLE), f"ClusterRole {SYNCER_ROLE}")
    faults = [] if role.get("rules") == wanted else [f"ClusterRole {SYNCER_ROLE} is not as the chart has it"]
    bound = look.role_bindings
    strange = sorted(bound.keys() - {SYNCER_BINDING, namespace.BINDING})
    faults += [f"RoleBinding {name} is not Atoll's" for name in strange]
    own = bound.get(SYNCER_BINDING)
    who = {"kind": "ServiceAccount", "name": f"vc-{RELEASE}", "namespace": look.namespace}
    if own is None or own["roleRef"]["name"] != SYNCER_ROLE or own.get("subjects") != [who]:
        faults.append(f"RoleBinding {SYNCER_BINDING} does not give {SYNCER_ROLE} to vc-{RELEASE} alone")
    violated_if(faults)
    return f"{len(wanted)} rules as in the chart; bindings {', '.join(sorted(bound))}"


def pods_sandboxed(look: Look) -> str:
    """Every pod that the syncer made carries the runtime class."""
    wanted = look.effective.runtime_class
    faults = [
        f"pod {p['metadata']['name']} has runtime class {found!r}, not {wanted!r}"
        for p in look.tenant_pods
        if (found := p["spec"].get("runtimeClassName") or "") != wanted
    ]
    if look.effective.sandbox is Sandbox.USERNS:
        own = [p["metadata"]["name"] for p in look.tenant_pods if p["spec"].get("hostUsers") is not False]
        faults += [f"pod {name} shares the node's users" for name in own]
    violated_if(faults)
    return f"{len(look.tenant_pods)} pods with runtime class {wanted or 'none'!r}"


def pods_placed(look: Look) -> str:
    """Every pod is on a node that its kind may use."""
    host, own = look.desired.host, [look.effective.node_selector]
    if look.effective.model is IsolationModel.SHARED:
        # From before the host had a shared pool.
        own.append(host.workload_selector)
    kinds = ((look.tenant_pods, own), (look.other_pods, [host.control_plane_selector]))
    faults = [
        f"pod {p['metadata']['name']} is on node {node}, which lacks {labels.selector(selectors[0])}"
        for pods, selectors in kinds
        for p in pods
        if (node := p["spec"].get("nodeName")) and not any(_selected(look, node, s) for s in selectors)
    ]
    violated_if(faults)
    used = sorted({p["spec"]["nodeName"] for p in look.pods if p["spec"].get("nodeName")})
    return f"{len(look.pods)} pods on {', '.join(used) or 'no node yet'}"


def pods_harmless(look: Look) -> str:
    """No pod uses the node's namespaces, disks or privileges, or an identity of the host."""
    faults = [f"pod {p['metadata']['name']} {fault}" for p in look.tenant_pods for fault in _powers(p)]
    strange = [p["metadata"]["name"] for p in look.other_pods if p["metadata"]["name"] != f"{RELEASE}-0"]
    faults += [f"pod {name} was made by neither the syncer nor the control plane" for name in strange]
    violated_if(faults)
    return (
        f"{len(look.tenant_pods)} pods without host namespaces, host paths, privileges or a token of the host"
    )


def control_plane(look: Look) -> str:
    """The control plane runs the wanted images, and nothing else."""
    wanted = set(values.images(look.desired, look.chart("virtual-cluster", "values.yaml")["images"]))
    seen = _there(look.host.get(STATEFUL_SETS, RELEASE, look.namespace), f"StatefulSet {RELEASE}")
    pods = [p for p in look.other_pods if p["metadata"]["name"] == f"{RELEASE}-0"]
    faults = [] if pods else [f"pod {RELEASE}-0 is not there"]
    for what, spec in (
        ("StatefulSet", seen["spec"]["template"]["spec"]),
        *(("pod", p["spec"]) for p in pods),
    ):
        strange = sorted({c["image"] for c in _containers(spec)} - wanted)
        faults += [f"the {what} runs {image}, not of {', '.join(sorted(wanted))}" for image in strange]
    violated_if(faults)
    ids = sorted(
        {s.get("imageID", "") for p in pods for s in p.get("status", {}).get("containerStatuses") or []}
    )
    return f"images as wanted; seen running: {', '.join(filter(None, ids)) or 'no digest told'}"


def _policy_faults(name: str, seen: Object | None, version: str) -> Iterator[str]:
    if seen is None:
        yield f"ValidatingAdmissionPolicy {name} is missing"
        return
    if seen["spec"].get("failurePolicy", "Fail") != "Fail":
        yield f"ValidatingAdmissionPolicy {name} fails open"
    if not seen["spec"].get("validations"):
        yield f"ValidatingAdmissionPolicy {name} checks nothing"
    worn = (seen["metadata"].get("labels") or {}).get(labels.POLICIES)
    if name not in UNVERSIONED and worn != version:
        yield f"ValidatingAdmissionPolicy {name} is of version {worn}, not {version}"


def _binding_faults(name: str, seen: Object | None, version: str) -> Iterator[str]:
    what = f"ValidatingAdmissionPolicyBinding {name}"
    if seen is None:
        yield f"{what} is missing"
        return
    spec = seen["spec"]
    if spec.get("policyName") != name or "Deny" not in (spec.get("validationActions") or []):
        yield f"{what} does not make {name} refuse"
    match = spec.get("matchResources") or {}
    everywhere = [{"key": labels.TENANT, "operator": "Exists"}]
    selector = match.get("namespaceSelector") or {}
    narrowed = match.get("excludeResourceRules") or match.get("resourceRules") or match.get("objectSelector")
    if (
        narrowed
        or selector.get("matchLabels")
        or (selector.get("matchExpressions") or everywhere) != everywhere
    ):
        yield f"{what} leaves something out"
    if name not in UNVERSIONED and (seen["metadata"].get("labels") or {}).get(labels.POLICIES) != version:
        yield f"{what} is not of version {version}"


def _powers(pod: Object) -> Iterator[str]:
    spec = pod["spec"]
    yield from (f"has {way}" for way in _HOST_WAYS if spec.get(way))
    yield from (
        f"mounts a path of the node ({v['name']})" for v in spec.get("volumes") or [] if "hostPath" in v
    )
    if spec.get("serviceAccountName", WORKLOAD_ACCOUNT) != WORKLOAD_ACCOUNT:
        yield f"is {spec['serviceAccountName']} on the host"
    sources = [s for v in spec.get("volumes") or [] for s in (v.get("projected") or {}).get("sources") or []]
    if any("serviceAccountToken" in source for source in sources):
        yield "holds a token of the host"
    if any((c.get("securityContext") or {}).get("privileged") for c in _containers(spec)):
        yield "is privileged"


def _containers(spec: Object) -> list[Object]:
    parts = ("initContainers", "containers", "ephemeralContainers")
    return [c for part in parts for c in spec.get(part) or []]


def _selected(look: Look, node: str, selector: dict[str, str]) -> bool:
    worn = look.nodes.get(node, {"metadata": {}})["metadata"].get("labels") or {}
    return selector.items() <= worn.items()


def _there(seen: Object | None, what: str) -> Object:
    violated_if([] if seen is not None else [f"{what} is missing"])
    return seen or {}


def _lacking(wanted: Any, seen: Any, path: str, *, amount: bool = False) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Where ``seen`` does not say what ``wanted`` says; what the API server adds by itself is no fault."""
    if isinstance(wanted, dict) and isinstance(seen, dict):
        for key, value in wanted.items():
            counted = amount or path.rpartition(".")[2] in _AMOUNTS or path in {"hard", "counted"}
            yield from _lacking(value, seen.get(key), f"{path}.{key}".lstrip("."), amount=counted)
    elif isinstance(wanted, list) and isinstance(seen, list) and len(wanted) == len(seen):
        for index, value in enumerate(wanted):
            yield from _lacking(value, seen[index], f"{path}[{index}]", amount=amount)
    elif not _same(wanted, seen, amount=amount):
        yield f"{path} is {seen!r}, not {wanted!r}"


def _same(wanted: Any, seen: Any, *, amount: bool) -> bool:  # noqa: ANN401 - JSON
    if amount and wanted is not None and seen is not None:
        return quantities.parse(str(wanted)) == quantities.parse(str(seen))
    return bool(wanted == seen) or (not wanted and not seen)
