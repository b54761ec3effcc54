"""Claims that the host alone answers: no tenant, and no syncer, can forge what is read here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.ports import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    LIMIT_RANGES,
    MUTATION_BINDINGS,
    MUTATIONS,
    NAMESPACES,
    NETWORK_POLICIES,
    POLICIES,
    POLICY_BINDINGS,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    STATEFUL_SETS,
)
from provisioner.reconcile import foreign, host_rails, labels, limits, namespace, network, rehearsal
from provisioner.reconcile.attestation.look import violated_if
from provisioner.reconcile.comparison import differences
from provisioner.reconcile.foreign import SYNCER_BINDING, Foreign
from provisioner.reconcile.intruders import SYNCER_ROLE, syncer_binding
from provisioner.release import host_chart, values
from tenancy.enums import IsolationModel, Sandbox
from tenancy.rules.names import RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.ports import Kind, Object
    from provisioner.reconcile.attestation.look import Look
    from tenancy.rules.drift import Difference

WORKLOAD_ACCOUNT: Final = f"vc-workload-{RELEASE}"
_HOST_WAYS: Final = ("hostNetwork", "hostPID", "hostIPC")
_ADMISSION: Final = (POLICIES, POLICY_BINDINGS, MUTATIONS, MUTATION_BINDINGS)


def namespace_marks(look: Look) -> str:
    """Pod Security level, and the parameters that the host policies go by."""
    wanted = namespace.marks(look.desired, look.effective)
    seen = look.host.get(NAMESPACES, look.namespace)
    violated_if(_amiss(NAMESPACES, {"metadata": {"name": look.namespace, **wanted}}, seen))
    level = wanted["labels"]["pod-security.kubernetes.io/enforce"]
    return f"Pod Security {level} enforced; {sum(map(len, wanted.values()))} labels and annotations as wanted"


def quota(look: Look) -> str:
    """The ResourceQuota with every amount, and zero for every accelerator."""
    wanted = limits.quota(look.desired, look.effective)
    seen = look.host.get(RESOURCE_QUOTAS, limits.QUOTA, look.namespace)
    faults = _amiss(RESOURCE_QUOTAS, wanted, seen)
    # What the quota's controller goes by is its status.
    counted = {"spec": {"hard": (seen or {}).get("status", {}).get("hard") or {}}}
    hard = {"metadata": {}, "spec": {"hard": wanted["spec"]["hard"]}}
    faults += [f"counted: {_told(one)}" for one in differences(hard, {"metadata": {}, **counted})]
    violated_if(faults)
    zeros = sorted(key for key, amount in wanted["spec"]["hard"].items() if amount == "0")
    return f"{len(wanted['spec']['hard'])} amounts counted as wanted; zero for {', '.join(zeros)}"


def defaults(look: Look) -> str:
    """The LimitRange that makes every pod count."""
    seen = look.host.get(LIMIT_RANGES, limits.DEFAULTS, look.namespace)
    violated_if(_amiss(LIMIT_RANGES, limits.defaults(look.desired), seen))
    return "every container that says nothing gets requests and limits"


def network_policies(look: Look) -> str:
    """Exactly the wanted NetworkPolicies: one more would open something."""
    wanted = {body["metadata"]["name"]: body for body in network.policies(look.desired)}
    seen = {p["metadata"]["name"]: p for p in look.host.find(NETWORK_POLICIES, look.namespace)}
    faults = [f"NetworkPolicy {name} is not Atoll's" for name in sorted(seen.keys() - wanted.keys())]
    for name, body in wanted.items():
        faults += _amiss(NETWORK_POLICIES, body, seen.get(name))
    violated_if(faults)
    return f"{', '.join(sorted(wanted))}, and no other"


def host_policies(look: Look) -> str:
    """The admission policies of helm/host and their bindings: each is there, to the last expression."""
    bodies = [(kind, body) for kind, body in look.rails.bodies if kind in _ADMISSION]
    kinds = {kind for kind, _ in bodies}
    seen = {kind: {o["metadata"]["name"]: o for o in look.host.find(kind)} for kind in kinds}
    faults: list[str] = []
    for kind, body in bodies:
        faults += _amiss(kind, body, seen[kind].get(body["metadata"]["name"]))
    violated_if(faults)
    version = host_chart.version(look.host_chart)
    return f"{len(bodies)} policies and bindings of version {version}, each exactly as the chart has it"


def policies_refuse(look: Look) -> str:
    """What must be refused is, by the policy that is for it; what must be allowed is."""
    violated_if(list(rehearsal.faults(look.host, look, in_use=True)))
    return f"refused by {', '.join(rehearsal.policies(look))}, each what it is for; a plain pod passes"


def syncer_role(look: Look) -> str:
    """What the syncer may do on the host: its role as the chart has it, and nothing else is bound to it."""
    role = look.rails.body(CLUSTER_ROLES, SYNCER_ROLE)
    faults = _amiss(CLUSTER_ROLES, role, look.host.get(CLUSTER_ROLES, SYNCER_ROLE))
    bound = look.role_bindings
    strange = sorted(bound.keys() - {SYNCER_BINDING, namespace.BINDING})
    faults += [f"RoleBinding {name} is not Atoll's" for name in strange]
    faults += _amiss(ROLE_BINDINGS, syncer_binding(look.desired), bound.get(SYNCER_BINDING))
    faults += _rights_on_the_host(look)
    violated_if(faults)
    return f"{len(role['rules'])} rules as in the chart; bindings {', '.join(sorted(bound))}, none elsewhere"


def _rights_on_the_host(look: Look) -> list[str]:
    harmless = host_rails.harmless_roles(look.host)
    wide = [
        one
        for one in look.host.find(CLUSTER_ROLE_BINDINGS)
        if foreign.cluster_role_binding(one, harmless) is not Foreign.LEFT
    ]
    elsewhere = [
        one
        for one in look.host.find(ROLE_BINDINGS)
        if foreign.role_binding_elsewhere(one) is not Foreign.LEFT
    ]
    return [
        f"{one['metadata'].get('namespace') or 'the whole host'}: binding {one['metadata']['name']} gives the"
        f" namespace's accounts {one['roleRef']['name']}"
        for one in (*wide, *elsewhere)
        if any(foreign.reaches(subject, look.namespace) for subject in one["subjects"])
    ]


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


def _amiss(kind: Kind, wanted: Object, seen: Object | None) -> list[str]:
    """What of an object is not as wanted, by the one definition of that; empty when all is."""
    what = f"{kind.name} {wanted['metadata']['name']}"
    if seen is None:
        return [f"{what} is missing"]
    return [f"{what}: {_told(one)}" for one in differences(wanted, seen)]


def _told(one: Difference) -> str:
    return f"{one.path} is {one.seen or 'not there'}, not {one.wanted or 'absent'}"
