"""A world in which every claim of an isolation report holds, and the report on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import yaml

from provisioner.ports import (
    CLUSTER_ROLES,
    NODES,
    PODS,
    POLICIES,
    POLICY_BINDINGS,
    ROLE_BINDINGS,
    STATEFUL_SETS,
)
from provisioner.reconcile import labels
from provisioner.reconcile.attestation import probe, report
from provisioner.reconcile.attestation.host_claims import HOST_POLICIES
from provisioner.release import values
from tenancy.rules.specs import DesiredReport, Neighbour
from tests.fakes.world import GVISOR, FakeGuard
from tests.provisioner.harness import CHART, NS, Team

if TYPE_CHECKING:
    from provisioner.outcomes import Wait
    from provisioner.ports import Object
    from tests.fakes.kube import Store

CHARTS = CHART.parent
VERSION = yaml.safe_load((CHARTS / "host" / "Chart.yaml").read_text())["version"]
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
    marks = {"tenancy.atoll.internal/policies": VERSION}
    for name in HOST_POLICIES:
        spec: Object = {"failurePolicy": "Fail", "validations": [{"expression": "true"}]}
        host.put(POLICIES, {"metadata": {"name": name, "labels": dict(marks)}, "spec": spec})
        bound: Object = {"policyName": name, "validationActions": ["Deny", "Audit"]}
        host.put(POLICY_BINDINGS, {"metadata": {"name": name, "labels": dict(marks)}, "spec": bound})
    rules = yaml.safe_load((CHARTS / "host" / "templates" / "syncer.yaml").read_text())["rules"]
    host.put(CLUSTER_ROLES, {"metadata": {"name": "atoll-syncer"}, "rules": rules})
    who = {"kind": "ServiceAccount", "name": "vc-cluster", "namespace": NS}
    host.put(
        ROLE_BINDINGS,
        {
            "metadata": {"name": "vc-cluster", "namespace": NS},
            "roleRef": {"kind": "ClusterRole", "name": "atoll-syncer"},
            "subjects": [who],
        },
    )
    _control_plane(host, team)
    host.put(PODS, tenant_pod())
    return team


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
