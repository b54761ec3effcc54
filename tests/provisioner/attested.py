"""A world in which every claim of an isolation report holds, and the report on it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import yaml

from provisioner.ports import (
    CLUSTER_ROLES,
    MUTATIONS,
    NODES,
    PODS,
    POLICIES,
    POLICY_BINDINGS,
    ROLE_BINDINGS,
    STATEFUL_SETS,
)
from provisioner.reconcile import labels
from provisioner.reconcile.attestation import probe, report
from provisioner.reconcile.intruders import syncer_binding
from provisioner.reconcile.memory import Memory
from provisioner.release import values
from tenancy.rules.specs import DesiredReport, Neighbour
from tests.fakes import policies
from tests.fakes.world import GVISOR, FakeGuard
from tests.provisioner.harness import CHART, NS, Team

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.outcomes import Wait
    from provisioner.ports import Kind, Object
    from tests.fakes.kube import Store

CHARTS = CHART.parent
REPORT = UUID("7d1a6f0e-58cf-4f3e-9c55-0c4ac9a6d1b7")
POD = f"web-x-default-x-{labels.ATOLL}"
NEIGHBOUR = Neighbour("other/second", "atoll-other-second-0a0b0c0d", "10.96.0.9:443")


def sound(team: Team) -> Team:
    """What a real host, its controllers and the tenant's pods add to what passes make."""
    host = team.world.host
    host.put(
        NODES,
        {"metadata": {"name": "worker-1", "labels": {}}, "status": {"addresses": _addresses("10.0.0.12")}},
    )
    team.world.rendered = list(_helm_host())
    kinds = {kind.name: kind for kind in (POLICIES, POLICY_BINDINGS, MUTATIONS, CLUSTER_ROLES)}
    for body in copy.deepcopy(team.world.rendered):
        host.put(kinds[body["kind"]], body)
    host.put(ROLE_BINDINGS, syncer_binding(team.wanted))
    _control_plane(host, team)
    host.put(PODS, tenant_pod())
    return team


def _helm_host() -> Iterator[Object]:
    """What helm/host makes, as far as kinds and names go."""
    marks = {"tenancy.atoll.internal/policies": policies.VERSION}
    spec: Object = {"failurePolicy": "Fail", "validations": [{"expression": "object.spec.safe"}]}
    for name in (*policies.KEPT, "atoll-provisioner-fence"):
        bound = {"policyName": name, "validationActions": ["Deny", "Audit"]}
        yield _object(POLICIES, name, marks, spec=spec)
        yield _object(POLICY_BINDINGS, name, marks, spec=bound)
    yield _object(MUTATIONS, "atoll-inject", marks, spec={"failurePolicy": "Fail", "mutations": [{}]})
    rules = yaml.safe_load((CHARTS / "host" / "templates" / "syncer.yaml").read_text())["rules"]
    yield _object(CLUSTER_ROLES, "atoll-syncer", {}, rules=rules)


def _object(kind: Kind, name: str, marks: dict[str, str], **rest: Any) -> Object:
    metadata = {"name": name, "labels": dict(marks)}
    return {"apiVersion": kind.api, "kind": kind.name, "metadata": metadata, **copy.deepcopy(rest)}


def tenant_pod(**spec: Any) -> Object:
    """As the syncer makes it; ``spec`` overrides."""
    metadata = {"name": POD, "namespace": NS, "labels": {labels.SYNCED: "cluster"}}
    made = {
        "runtimeClassName": "gvisor",
        "nodeName": "worker-1",
        "serviceAccountName": "vc-workload-cluster",
        "containers": [{"name": "web", "image": "docker.io/library/nginx:1.29"}],
        **spec,
    }
    return {"metadata": metadata, "spec": made, "status": {"phase": "Running"}}


def told(wish: DesiredReport, host: Store, **words: str) -> str:
    """What a probe tells where all is well; ``words`` are other ends, by what was tried or told."""
    facts = {"said": GVISOR, "caps": "0000000000000000", "token": "absent", **words}
    lines = [f"{key} {facts[key]}" for key in ("said", "caps", "token")]
    lines.append(f"net own-dns kubernetes.default.svc.cluster.local {words.get('own_dns', 'open')}")
    lines.append(f"net own-api kubernetes.default.svc:443 {words.get('own_api', 'open')}")
    reader = _reader(host)
    for what, address in probe.targets(wish, reader):
        lines.append(f"net {what} {address} {words.get(what.replace('-', '_'), 'silent')}")
    return "\n".join(lines)


def wish_of(team: Team, **changes: Any) -> DesiredReport:
    return replace(DesiredReport(REPORT, team.wanted, team.world.now, NEIGHBOUR), **changes)


def step(team: Team, wish: DesiredReport) -> report.Made | report.NotMade | Wait:
    """One pass."""
    return report.make(
        wish,
        team.world.hosts(),
        team.world.tenant_apis(),
        FakeGuard(),
        charts=CHARTS,
        memory=Memory(),
        now=lambda: team.world.now,
    )


def whole(team: Team, wish: DesiredReport | None = None, **words: str) -> report.Made:
    """The report, with a probe that tells what ``told`` says."""
    wish = wish or wish_of(team)
    step(team, wish)
    end_probe(team, told(wish, team.world.host, **words))
    made = step(team, wish)
    assert isinstance(made, report.Made), made
    return made


def end_probe(team: Team, message: str) -> None:
    """The probe pod has run and said this."""
    pod = team.world.tenants[NS].seen(PODS, probe.name(REPORT), "atoll-system")
    assert pod is not None
    ended = {"terminated": {"exitCode": 0, "message": message}}
    pod["status"] = {"phase": "Succeeded", "containerStatuses": [{"name": "probe", "state": ended}]}


def _addresses(ip: str) -> list[dict[str, str]]:
    return [{"type": "InternalIP", "address": ip}]


def _control_plane(host: Store, team: Team) -> None:
    chart = yaml.safe_load((CHARTS / "virtual-cluster" / "values.yaml").read_text())["images"]
    containers = [
        {"name": str(i), "image": image} for i, image in enumerate(values.images(team.wanted, chart))
    ]
    template = {"spec": {"containers": containers}}
    host.put(
        STATEFUL_SETS, {"metadata": {"name": "cluster", "namespace": NS}, "spec": {"template": template}}
    )
    plane = host.seen(PODS, "cluster-0", NS)
    assert plane is not None
    plane["spec"] = {"containers": containers, "nodeName": "worker-1"}
    other = {"name": "cluster-0", "namespace": NEIGHBOUR.namespace, "labels": dict(labels.CONTROL_PLANE)}
    host.put(PODS, {"metadata": other, "spec": {}, "status": {"phase": "Running", "podIP": "10.1.0.9"}})


def _reader(host: Store) -> Any:
    from tests.fakes.kube import FakeKube

    return FakeKube(host, FakeGuard())
