"""Proof of the guard rails before anything of a tenant runs: pods that must be refused are, and a plain one is not.

These are rehearsed: the host's API server judges each pod in full and writes none. What refuses must be
the policy that is for it, for another one may be lenient tomorrow.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import yaml

from provisioner.outcomes import Done, Wait
from provisioner.ports import NAMESPACES, PODS, POLICIES, POLICY_BINDINGS
from provisioner.reconcile import canary_pods, labels, pods
from provisioner.reconcile.attestation.host_claims import HOST_POLICIES, UNVERSIONED
from tenancy.enums import GpuVerdict, Reason
from tenancy.rules import gpu, survey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioner.outcomes import Outcome
    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope

_INJECTS: Final = (1, 36)
"""The first Kubernetes version that fills in what a pod leaves unset."""
_AGAIN: Final = 5.0
_CLEAN: Final = {gpu.LABEL: GpuVerdict.CLEAN.value}


def proven(scope: Scope) -> Outcome:
    """Proves the guard rails anew whenever the spec's generation or the policies' version has changed."""
    version = _version(scope.chart.parent / "host" / "Chart.yaml")
    mark = f"{scope.desired.generation} {version}"
    seen = (scope.namespace or {"metadata": {}})["metadata"].get("annotations", {})
    message = f"policies of version {version} refuse what they are for, and a plain pod is allowed"
    if seen.get(labels.PROVEN) == mark:
        return Done(message)
    fault = next(_faults(scope, version), "")
    if fault:
        return Wait(_AGAIN, Reason.GUARD_RAILS_OPEN, fault)
    scope.host.kube.annotate(NAMESPACES, scope.desired.namespace, {labels.PROVEN: mark})
    return Done(message)


def _faults(scope: Scope, version: str) -> Iterator[str]:
    host = scope.desired.host.name
    fix = f"an admin installs helm/host {version} anew on host {host!r}; it is looked at every few seconds"
    for kind in (POLICIES, POLICY_BINDINGS):
        found = scope.host.kube.find(kind, labels=f"{labels.POLICIES}={version}", brief=True)
        missing = sorted({*HOST_POLICIES} - UNVERSIONED - {o["metadata"]["name"] for o in found})
        if missing:
            yield f"host {host!r} lacks {kind.name} {', '.join(missing)} of version {version}: {fix}"
    for policy, body in _forbidden(scope):
        said = scope.host.kube.rehearse(PODS, body).refusal
        if f"ValidatingAdmissionPolicy '{policy}'" not in said:
            other = f"something else did: {pods.shorten(said)}" if said else "the pod would be admitted"
            yield f"policy {policy} does not refuse what it is for, {other}: {fix}"
    yield from _plain_faults(scope, fix)


def _plain_faults(scope: Scope, fix: str) -> Iterator[str]:
    """A plain pod is admitted, and has got its sandbox and its nodes where the host fills them in."""
    asked = canary_pods.plain(scope, {}) if _injects(scope) else canary_pods.placed(scope)
    seen = scope.host.kube.rehearse(PODS, asked)
    if seen.made is None:
        yield f"a plain pod is refused, so nothing of the tenant's would run: {pods.shorten(seen.refusal)}: {fix}"
        return
    spec, wanted = seen.made["spec"], canary_pods.placed(scope)["spec"]
    for key in ("runtimeClassName", "nodeSelector", "hostUsers"):
        given = spec.get(key)
        whole = wanted.get(key, {}).items() <= (given or {}).items() if key == "nodeSelector" else True
        if key in wanted and (given is None or (key != "nodeSelector" and given != wanted[key]) or not whole):
            yield f"policy atoll-inject does not give a plain pod {key} {wanted[key]!r} but {given!r}: {fix}"


def _forbidden(scope: Scope) -> Iterator[tuple[str, Object]]:
    """A pod for each policy that judges pods, which breaks its rule and no other's."""
    yield "atoll-placement", canary_pods.placed(scope, tolerations=[{"operator": "Exists"}])
    nfs = {"name": "v", "nfs": {"server": "192.0.2.1", "path": "/"}}
    yield "atoll-hardening", canary_pods.placed(scope, volumes=[nfs])
    posing = canary_pods.placed(scope)
    posing["metadata"]["labels"] |= labels.CONTROL_PLANE
    yield "atoll-pod-identity", posing
    device = canary_pods.placed(scope)
    device["spec"]["nodeSelector"] |= _CLEAN
    device["spec"]["containers"][0]["resources"] = {"limits": {"canary.atoll.internal/device": "1"}}
    yield "atoll-devices", device
    if scope.desired.host.allowed_registries:
        foreign = canary_pods.placed(scope)
        foreign["spec"]["containers"][0]["image"] = "canary.invalid/none:1"
        yield "atoll-images", foreign


def _injects(scope: Scope) -> bool:
    facts = scope.desired.host.facts
    return facts is not None and survey.minor(facts.version) >= _INJECTS


@cache
def _version(chart: Path) -> str:
    return str(yaml.safe_load(chart.read_text())["version"])
