"""Proof of the guard rails before anything of a tenant runs: pods that must be refused are, and a plain one is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Wait
from provisioner.ports import NAMESPACES, POLICIES, POLICY_BINDINGS
from provisioner.reconcile import labels, rehearsal
from provisioner.release import host_chart
from tenancy.enums import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.outcomes import Outcome
    from provisioner.reconcile.scope import Scope

_AGAIN: Final = 5.0


def proven(scope: Scope) -> Outcome:
    """Proves the guard rails anew whenever the spec's generation or the policies' version has changed."""
    version = host_chart.version(scope.host_chart)
    mark = f"{scope.desired.generation} {version}"
    seen = (scope.namespace or {"metadata": {}})["metadata"].get("annotations", {})
    message = f"policies of version {version} refuse what they are for, and a plain pod is allowed"
    if seen.get(labels.PROVEN) == mark:
        return Done(message)
    fault = next(_faults(scope, version), "")
    if fault:
        name = scope.desired.host.name
        fix = (
            f"an admin installs helm/host {version} anew on host {name!r}; it is looked at every few seconds"
        )
        return Wait(_AGAIN, Reason.GUARD_RAILS_OPEN, f"{fault}: {fix}")
    scope.host.kube.annotate(NAMESPACES, scope.desired.namespace, {labels.PROVEN: mark})
    return Done(message)


def _faults(scope: Scope, version: str) -> Iterator[str]:
    for kind in (POLICIES, POLICY_BINDINGS):
        found = scope.host.kube.find(kind, labels=f"{labels.POLICIES}={version}", brief=True)
        missing = sorted({*host_chart.kept(scope.host_chart)} - {o["metadata"]["name"] for o in found})
        if missing:
            host = scope.desired.host.name
            yield f"host {host!r} lacks {kind.name} {', '.join(missing)} of version {version}"
    yield from rehearsal.faults(scope.host.kube, scope, in_use=scope.desired.ever_ready)
