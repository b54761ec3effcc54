"""Makes what tests need, through the same actions that people use."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import Any

from django.utils import timezone

from tenancy import policy
from tenancy.actions import (
    accelerators,
    add_ons,
    balances,
    clusters,
    decisions,
    hosts,
    members,
    nodes,
    observations,
    pools,
    reports,
    requests,
    service_accounts,
    templates,
    tenants,
    tokens,
    users,
    work,
)
from tenancy.actions.unit import atomic
from tenancy.enums import (
    ClaimResult,
    ConditionStatus,
    PlatformRole,
    PoolKind,
    Reason,
    Role,
    Trust,
    VersionSource,
    WorkKind,
)
from tenancy.models import (
    AcceleratorClass,
    AddOnVersion,
    ApiToken,
    ClusterTemplate,
    Grant,
    GrantRequest,
    HostCluster,
    IsolationReport,
    Node,
    NodePool,
    ServiceAccount,
    TemplateVersion,
    Tenant,
    User,
    VirtualCluster,
)
from tenancy.policy import Actor
from tenancy.queries import calendar
from tenancy.queries import pools as pool_queries
from tenancy.queries import service_accounts as account_queries
from tenancy.rules.attestation import Claim
from tenancy.rules.conditions import BUILD_ORDER, Condition
from tenancy.rules.gpu import Found, GpuFacts
from tenancy.rules.nodes import NodeFacts, from_json
from tenancy.rules.pools import marks
from tenancy.rules.requests import Terms
from tenancy.rules.runtimes import RuntimeClass
from tenancy.rules.specs import HostFacts, HostObservation, Observation
from tenancy.rules.survey import survey
from tests.support import manifests

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)

NODE = NodeFacts(
    name="worker-1",
    uid="n1",
    ready=True,
    schedulable=True,
    kernel="6.12.1",
    runtime="containerd://2.2.1",
    kubelet="v1.36.3",
    handlers={"": True, "runc": True, "runsc": False},
)
CLASSES = {"gvisor": RuntimeClass("runsc")}
SANDBOXES = survey((NODE,), CLASSES, "v1.36.3")

FACTS = HostFacts(
    version="v1.36.3",
    runtime_classes=CLASSES,
    storage_classes=("local-path",),
    default_storage_class="local-path",
    service_cidrs=("10.180.0.0/16",),
    api_addresses=("172.30.0.1:6443",),
    ready_nodes=2,
    sandboxes=SANDBOXES,
)


def user(name: str = "", platform_role: PlatformRole = PlatformRole.NONE) -> User:
    name = name or f"user{next(_numbers)}"
    return users.create(username=name, password=PASSWORD, platform_role=platform_role)


def actor(name: str = "", platform_role: PlatformRole = PlatformRole.NONE) -> Actor:
    return Actor(user(name, platform_role))


def admin() -> Actor:
    found = User.objects.filter(username="root").first()
    return Actor(found) if found else actor("root", PlatformRole.ADMIN)


def tenant(name: str = "", trust: Trust = Trust.UNTRUSTED, **roles: Actor) -> Tenant:
    """``tenant("team", owner=alice, viewer=bob)``: a tenant with these members."""
    made = tenants.create(by=admin(), name=name or f"team{next(_numbers)}", trust=trust)
    for role, who in roles.items():
        members.put(by=admin(), tenant=made.name, username=who.name, role=Role(role))
    return made


def host(name: str = "lab", facts: HostFacts | None = FACTS) -> HostCluster:
    """A registered host, seen by the provisioner unless ``facts`` is None."""
    registration = hosts.HostRegistration(kubeconfig="file:/nowhere", client_cidrs=("172.30.0.1/32",))
    made, _ = hosts.put(by=admin(), name=name, registration=registration)
    if facts is not None:
        seen = HostObservation(ConditionStatus.TRUE, Reason.AS_WANTED, "", facts, generation=made.generation)
        lease = work.claim(WorkKind.HOST, made.uid)
        assert lease is not None
        assert observations.record_host(lease, made.uid, seen)
        work.wait(lease, 30)
        made.refresh_from_db()
    return made


def node(name: str, host_name: str = "lab", **facts: Any) -> Node:
    """One more node of a host, as the provisioner sees it."""
    found = HostCluster.objects.get(name=host_name)
    seen = NodeFacts(name, f"uid-{name}", ready=True, schedulable=True, **facts)
    with atomic():
        nodes.merge(found, (*(from_json(n.facts) for n in found.nodes.exclude(name=name)), seen))
    return Node.objects.get(host=found, name=name)


def pool(name: str, tenant_name: str = "", host_name: str = "lab") -> NodePool:
    """A dedicated pool."""
    wish = pools.PoolWish(kind=PoolKind.DEDICATED, tenant=tenant_name)
    return pools.put(by=admin(), host_name=host_name, name=name, wish=wish)[0]


GPU = "nvidia.com/gpu"
CLEAN_GPU = GpuFacts(
    toolkit=Found("none", VersionSource.NODE_LABEL, "label"),
    driver=Found("580.126.20", VersionSource.NODE_LABEL, "label"),
)
"""Of a node whose accelerators need no toolkit: nothing lets containers out."""


def accelerator(key: str = "gpu", resource: str = GPU, **wish: Any) -> AcceleratorClass:
    """A class of the catalogue."""
    return accelerators.put(by=admin(), key=key, wish=accelerators.ClassWish(resource=resource, **wish))[0]


def gpu_pool(
    devices: int = 4, name: str = "gpus", tenant_name: str = "", host_name: str = "lab", resource: str = GPU
) -> NodePool:
    """A pool with one settled node that has so many devices; a shared one unless it is a tenant's."""
    if not HostCluster.objects.filter(name=host_name).exists():
        host(host_name)
    kind = PoolKind.DEDICATED if tenant_name else PoolKind.SHARED
    wish = pools.PoolWish(kind=kind, tenant=tenant_name)
    made, _ = pools.put(by=admin(), host_name=host_name, name=name, wish=wish)
    gpu_node(f"{name}-1", made, devices, resource)
    return NodePool.objects.get(pk=made.pk)


def gpu_node(name: str, into: NodePool, devices: int, resource: str = GPU, **facts: Any) -> Node:
    """A node that wears its pool's marks; nobody moves it, for there is no host."""
    worn = marks(pool_queries.to_pool(into))
    runs = {k: getattr(NODE, k) for k in ("kernel", "runtime", "kubelet", "handlers")}
    labels = {**facts.pop("labels", {}), **worn.labels}
    made = node(
        name,
        into.host.name,
        **{
            "labels": labels,
            "taints": worn.taints,
            "resources": {resource: devices},
            "gpu": CLEAN_GPU,
            **runs,
            **facts,
        },
    )
    Node.objects.filter(pk=made.pk).update(pool=into)
    with atomic():
        balances.recount_host(into.host)
    return Node.objects.get(pk=made.pk)


def gpu_request(by: Actor, amount: int = 2, days: int = 30, key: str = "gpu", after: int = 0) -> GrantRequest:
    """A request of ``team`` that waits for an approver."""
    since = calendar.today() + timedelta(days=after)
    terms = Terms(amount, since, since + timedelta(days=days))
    return requests.submit(by=by, tenant_name="team", key=key, terms=terms, justification="training")


def gpu_grant(by: Actor, amount: int = 2, days: int = 30, key: str = "gpu", after: int = 0) -> Grant:
    """A grant of ``team`` that an admin approved."""
    asked = gpu_request(by, amount, days, key, after)
    made = decisions.approve(by=admin(), uid=asked.uid, reason="fine").grant
    assert made is not None
    return made


def cluster(
    by: Actor, tenant_name: str, name: str = "first", spec: dict[str, Any] | None = None
) -> VirtualCluster:
    """A cluster just asked for; a host is made when there is none."""
    if not HostCluster.objects.exists():
        host()
    text = json.dumps(spec or {})
    return clusters.put(by=by, tenant_name=tenant_name, name=name, spec_text=text).cluster


def template(name: str = "web", *only: str, **spec: Any) -> ClusterTemplate:
    """A template for everybody, or only for some tenants."""
    wish = templates.TemplateWish(tenants=only or None, **spec)
    return templates.put(by=admin(), name=name, wish=wish)[0]


def add_on(name: str = "motd", version: str = "1.0.0", *bodies: dict[str, Any]) -> AddOnVersion:
    """A version of an add-on: a ConfigMap, or these objects."""
    text = json.dumps({"manifests": manifests.of(*bodies) if bodies else manifests.MANIFEST})
    return add_ons.publish(by=admin(), name=name, version=version, text=text)[0]


def published(
    version: str, cluster: dict[str, Any] | None = None, name: str = "web", **content: Any
) -> TemplateVersion:
    """A version of a template, which is made when there is none."""
    if not ClusterTemplate.objects.filter(name=name).exists():
        template(name)
    text = json.dumps({"cluster": cluster or {}, **content})
    return templates.publish(by=admin(), name=name, version=version, text=text)[0]


def follow(name: str = "web") -> bool:
    """One pass of the provisioner over a template; whether there may be more to move."""
    found = ClusterTemplate.objects.get(name=name)
    with atomic():
        work.request(WorkKind.TEMPLATE, found.uid)
    lease = work.claim(WorkKind.TEMPLATE, found.uid)
    assert lease is not None
    more = templates.follow(lease, found.uid)
    work.finish(lease)
    return more


def observe(made: VirtualCluster, *seen: Condition, clean: bool = False, **more: Any) -> VirtualCluster:
    """One pass of the provisioner that saw these conditions."""
    lease = work.claim(WorkKind.CLUSTER, made.uid)
    assert lease is not None
    made.refresh_from_db()
    observation = Observation(conditions=seen, clean=clean, generation=made.generation, **more)
    assert observations.record(lease, made.uid, observation)
    if clean:
        work.finish(lease)
    else:
        work.wait(lease, 0)
    if not observation.gone:
        made.refresh_from_db()
    return made


def ready(made: VirtualCluster, endpoint: str = "https://10.180.0.7:443") -> VirtualCluster:
    """Everything the last spec asks for was seen."""
    made.refresh_from_db()
    seen = (
        Condition(kind, ConditionStatus.TRUE, Reason.AS_WANTED, "", made.generation) for kind in BUILD_ORDER
    )
    return observe(made, *seen, clean=True, endpoint=endpoint)


def claim(result: ClaimResult = ClaimResult.PASSED, name: str = "quota", evidence: str = "seen") -> Claim:
    return Claim(
        name, f"About {name}", f"Control of {name}", "read", "host", timezone.now(), result, evidence
    )


def report(made: VirtualCluster, *claims: Claim, by: str = "schedule") -> IsolationReport:
    """A report on a Ready cluster that a worker has made and signed; all is well unless told otherwise."""
    with atomic():
        row = IsolationReport.objects.create(cluster=made, requested_by=by)
        work.request(WorkKind.REPORT, row.uid)
    lease = work.claim(WorkKind.REPORT, row.uid)
    assert lease is not None
    assert reports.begin(lease, row.uid)
    assert reports.finish(lease, row.uid, claims or (claim(),), policies="0.2.0")
    work.finish(lease)
    row.refresh_from_db()
    return row


def service_account(name: str = "ci", role: Role = Role.MEMBER, tenant_name: str = "team") -> ServiceAccount:
    """One of ``team``'s."""
    return service_accounts.put(by=admin(), tenant=tenant_name, name=name, role=role)[0]


def account_token(by: Actor, name: str = "ci", **options: Any) -> ApiToken:
    """A new token of a service account of ``team``."""
    found = account_queries.managed(by, "team", name)
    return tokens.create(by=by, name="test", account=found, **options)[0]


def token(by: Actor, **options: Any) -> str:
    """The text of a new API token of ``by``; it decides whatever their role decides."""
    plain = options.get("tenant") or options.get("read_only")
    options.setdefault("decides", policy.may_decide(by) and not plain)
    return tokens.create(by=by, name="test", **options)[1]
