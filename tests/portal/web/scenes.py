"""What may happen on the stage; each function is one scene, its arguments are words."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from tenancy.actions import (
    access,
    clusters,
    decisions,
    hosts,
    members,
    observations,
    requests,
    services,
    tenants,
    tokens,
    users,
    work,
)
from tenancy.enums import (
    AccessState,
    ConditionStatus,
    ConditionType,
    Reason,
    Role,
    ServiceKind,
    StepState,
    WorkKind,
)
from tenancy.models import AccessRequest, AuditEvent, GrantRequest, HostCluster, User, VirtualCluster
from tenancy.policy import Actor
from tenancy.queries import calendar
from tenancy.rules.add_on_states import AddOnState
from tenancy.rules.conditions import BUILD_ORDER, Condition
from tenancy.rules.requests import Terms
from tenancy.rules.specs import HostObservation, StepReport
from tests import factories
from tests.portal.web.stage import STEPS, WAITS
from tests.support.manifests import config

_TEARDOWN = ("Host", "Control plane and access", "Namespace", "Nothing left")


def people() -> None:
    """Team ``demo`` with owner ada and viewer vera; root is an admin; stan belongs nowhere."""
    factories.tenant("demo", owner=factories.actor("ada"), viewer=factories.actor("vera"))
    tenants.update(by=factories.admin(), name="demo", display_name="Demo team")
    factories.user("stan")


def more_people() -> None:
    """A second team, for lists that are longer than one."""
    factories.tenant("shop", member=Actor(User.objects.get(username="ada")))
    tenants.update(by=factories.admin(), name="shop", display_name="Online shop")
    for name, role in (("grace", Role.MEMBER), ("linus", Role.MEMBER)):
        users.create(username=name, password=factories.PASSWORD)
        members.put(by=factories.admin(), tenant="demo", username=name, role=role)
    tokens.create(by=Actor(User.objects.get(username="ada")), name="CI of the shop", tenant="shop")


def gpus() -> None:
    """Accelerators: a grant in use, a request for more than is free, an offer, a cluster that waits."""
    ada, grace = (Actor(User.objects.get(username=name)) for name in ("ada", "grace"))
    factories.accelerator("nvidia-h100", title="NVIDIA H100 80 GB", two_approvers_from=8, weight=10)
    pool = factories.gpu_pool(4)
    factories.gpu_node("gpus-2", pool, 4)
    factories.gpu_node("mi-1", pool, 8, "amd.com/gpu", labels={"amd.com/gpu.product-name": "MI300X"})
    _terms(ada, "shop", 3, 20)
    decisions.approve(by=factories.admin(), uid=_terms(ada, "demo", 2, 5).uid, reason="for the review")
    offered = _terms(grace, "demo", 7, 30)
    two = Terms(3, calendar.today(), calendar.today() + timedelta(days=14))
    decisions.counter(by=factories.admin(), uid=offered.uid, terms=two, reason="others need some, too")
    factories.cluster(ada, "demo", "training", {"accelerators": [{"class": "nvidia-h100", "count": 6}]})


def asks() -> None:
    """Ada asks for two accelerators of a pool of four, from today."""
    factories.accelerator("nvidia-h100", title="NVIDIA H100 80 GB")
    factories.gpu_pool(4)
    _terms(Actor(User.objects.get(username="ada")), "demo", 2, 5)


def grow_old() -> None:
    """Everybody signed in a day ago."""
    for row in Session.objects.all():
        session = SessionStore(row.session_key)
        session["authenticated_at"] = (timezone.now() - timedelta(days=1)).timestamp()
        session.save()


def happened(action: str, times: str) -> None:
    """Looks whether the audit log tells of it so often."""
    found = AuditEvent.objects.filter(action=action).count()
    assert found == int(times), f"{action}: {found} times"


def _terms(by: Actor, tenant: str, amount: int, days: int) -> GrantRequest:
    today = calendar.today()
    return requests.submit(
        by=by,
        tenant_name=tenant,
        key="nvidia-h100",
        terms=Terms(amount, today, today + timedelta(days=days)),
        justification="fine-tuning of the ranking model, two runs a day",
    )


def host() -> None:
    """A host that answers, and a worker and relay that are alive."""
    factories.host()
    threading.Thread(target=_beat, daemon=True).start()


def building_host(message: str) -> None:
    """The host is still being built and tells how far it is."""
    registration = hosts.HostRegistration(kubeconfig="file:/nowhere")
    made, _ = hosts.put(by=factories.admin(), name="lab", registration=registration)
    lease = work.claim(WorkKind.HOST, made.uid)
    assert lease is not None
    seen = HostObservation(ConditionStatus.UNKNOWN, Reason.HOST_STARTING, message)
    assert observations.record_host(lease, made.uid, seen)
    work.wait(lease, 0)
    threading.Thread(target=_beat, daemon=True).start()


def cluster(tenant: str, name: str) -> None:
    """Ada asks for a cluster."""
    factories.cluster(Actor(User.objects.get(username="ada")), tenant, name)


def add_ons(tenant: str, name: str) -> None:
    """Two add-ons in the catalogue, and a cluster in which one of them runs."""
    work_ = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "controller", "namespace": "ingress"},
    }
    factories.add_on("limits", "1.0.0", config("limits"))
    factories.add_on("limits", "1.1.0", config("limits"), config("more"))
    factories.add_on("ingress", "2.0.0", {**work_, "spec": {}})
    chosen = [{"name": "limits", "version": "1.0.0"}, {"name": "ingress", "version": "2.0.0"}]
    made = factories.cluster(Actor(User.objects.get(username="ada")), tenant, name, {"addOns": chosen})
    why = (
        "add-on ingress 2.0.0, Deployment ingress/controller: 0 of 1 pods run as wanted: image "
        "registry.example.com/team/a-controller-of-a-long-name:2.0.0 cannot be had (ErrImagePull); "
        "it is looked at again; kubectl describe tells more"
    )
    runs = AddOnState("limits", "1.0.0", ConditionStatus.TRUE, Reason.AS_WANTED)
    lame = AddOnState("ingress", "2.0.0", ConditionStatus.FALSE, Reason.ADD_ON_NOT_RUNNING, why)
    factories.observe(made, add_ons=(runs, lame))
    ready(tenant, name)


def reach(tenant: str, name: str, count: str) -> None:
    """A pass ends with ``count`` steps done and the next one at work."""
    found, done = _cluster(tenant, name), int(count)
    seen = [_condition(found, kind) for kind in BUILD_ORDER[:done]]
    seen.append(
        Condition(BUILD_ORDER[done], ConditionStatus.FALSE, Reason.WAITING, WAITS[done], found.generation)
    )
    factories.observe(found, *seen, steps=_steps(done))


def ready(tenant: str, name: str) -> None:
    """A clean pass saw everything as wanted."""
    found = _cluster(tenant, name)
    seen = [_condition(found, kind) for kind in BUILD_ORDER]
    steps = tuple(_step(step, StepState.DONE) for step in STEPS)
    factories.observe(found, *seen, steps=steps, clean=True, endpoint="https://10.180.12.7:443")


def stall(tenant: str, name: str, message: str) -> None:
    """A pass met something that only a person can mend."""
    found = _cluster(tenant, name)
    at_work = _steps(4)[:4]
    failed = _step(STEPS[4], StepState.FAILED, message)
    ahead = tuple(_step(step, StepState.PENDING) for step in STEPS[5:])
    seen = [_condition(found, kind) for kind in BUILD_ORDER[:4]]
    seen += [
        Condition(kind, status, Reason.CHART_INVALID, message, found.generation)
        for kind, status in (
            (ConditionType.RELEASED, ConditionStatus.FALSE),
            (ConditionType.STALLED, ConditionStatus.TRUE),
        )
    ]
    factories.observe(found, *seen, steps=(*at_work, failed, *ahead))


def mint(text: str) -> None:
    """A worker makes the kubeconfig that somebody waits for."""
    row = _waiting_for_kubeconfig()
    lease = work.claim(WorkKind.ACCESS, row.uid)
    assert lease is not None
    expires = timezone.now() + timedelta(seconds=row.lifetime)
    assert access.hand_over(lease, row.uid, kubeconfig=text, expires_at=expires)
    work.finish(lease)


def leave(tenant: str, name: str, count: str) -> None:
    """The teardown has ``count`` steps behind it."""
    found, done = _cluster(tenant, name), int(count)
    condition = Condition(
        ConditionType.DELETING,
        ConditionStatus.TRUE,
        Reason.RELEASING,
        "2 volumes are still there",
        found.generation,
    )
    states = [StepState.DONE] * done + [StepState.RUNNING] + [StepState.PENDING] * (len(_TEARDOWN) - done - 1)
    steps = tuple(
        _step(step, state, condition.message if state is StepState.RUNNING else "")
        for step, state in zip(_TEARDOWN, states, strict=True)
    )
    factories.observe(found, condition, steps=steps)


def gone(tenant: str, name: str) -> None:
    """The teardown proved that nothing is left."""
    steps = tuple(_step(step, StepState.DONE) for step in _TEARDOWN)
    factories.observe(_cluster(tenant, name), steps=steps, gone=True)


def broken_host() -> None:
    """The host stops answering."""
    made = HostCluster.objects.get(name="lab")
    lease = work.claim(WorkKind.HOST, made.uid)
    assert lease is not None
    message = "https://172.30.0.1:6443 refused the connection"
    seen = HostObservation(ConditionStatus.FALSE, Reason.HOST_UNREACHABLE, message)
    assert observations.record_host(lease, made.uid, seen)


def _waiting_for_kubeconfig() -> AccessRequest:
    """The click may be quicker than the portal."""
    for _ in range(100):
        row = AccessRequest.objects.filter(state=AccessState.PENDING).first()
        if row is not None:
            return row
        time.sleep(0.05)
    msg = "nobody asked for a kubeconfig within 5 seconds"
    raise LookupError(msg)


def _beat() -> None:
    while True:
        services.beat(ServiceKind.WORKER, "worker-1")
        services.beat(ServiceKind.RELAY, "relay-1")
        time.sleep(10)


def _cluster(tenant: str, name: str) -> VirtualCluster:
    return VirtualCluster.objects.get(tenant__name=tenant, name=name)


def _condition(found: VirtualCluster, kind: ConditionType) -> Condition:
    return Condition(kind, ConditionStatus.TRUE, Reason.AS_WANTED, "", found.generation)


def _steps(done: int) -> tuple[StepReport, ...]:
    return tuple(
        _step(
            name,
            StepState.DONE if at < done else StepState.RUNNING if at == done else StepState.PENDING,
            WAITS[at] if at == done else "",
        )
        for at, name in enumerate(STEPS)
    )


def delete(tenant: str, name: str) -> None:
    """Ada asks for a cluster's end."""
    clusters.delete(by=Actor(User.objects.get(username="ada")), tenant_name=tenant, name=name)


def _step(name: str, state: StepState, message: str = "") -> StepReport:
    """Looked at now, unless the pass did not reach it."""
    at = None if state is StepState.PENDING else timezone.now()
    return StepReport(name, state, message, at, at)
