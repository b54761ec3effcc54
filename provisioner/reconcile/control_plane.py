"""The tenant's API server answers where tenants reach it, to the platform's own key."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Done, Transient, Wait
from provisioner.ports import EVENTS, PODS, SECRETS, SERVICES, STATEFUL_SETS, TenantCredentials
from provisioner.reconcile import labels, pods, renewal
from provisioner.reconcile.exposure import address, server_name
from tenancy.enums import Reason
from tenancy.rules.names import RELEASE

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.ports import Host, Object
    from provisioner.reconcile.scope import Scope
    from tenancy.rules.specs import DesiredCluster

CREDENTIALS: Final = f"vc-{RELEASE}"
"""The Secret in which vCluster leaves the key to its API once its controllers run."""
_LOOK: Final = 0.25


def available(scope: Scope) -> Outcome:
    """Opens the tenant's API and asks it whether it is ready."""
    key = ("tenant", scope.incarnation)
    credentials = scope.memory.recall(*key) or credentials_of(scope.desired, scope.host)
    if credentials is None:
        scope.memory.forget(*key)
        return _why_not(scope)
    scope.endpoint = f"https://{credentials.address.removesuffix(':443')}"
    scope.tenant = scope.tenants.open(credentials, scope.guard)
    try:
        unready = scope.tenant.ready()
    except Transient as fault:
        # The key may have been made anew, or the address have moved.
        scope.memory.forget(*key)
        outcome = _why_not(scope)
        return outcome if outcome.reason is not Reason.NOT_READY else Wait(_LOOK, fault.reason, fault.message)
    if unready:
        return Wait(_LOOK, Reason.NOT_READY, f"the API server answers but is not ready: {unready}")
    scope.memory.remember(*key, value=credentials)
    renewal.restart_when_due(scope, credentials.certificate)
    return Done()


def credentials_of(desired: DesiredCluster, host: Host) -> TenantCredentials | None:
    """The key and the address; ``None`` while either is missing.

    Only the bytes of the key are taken from the tenant's namespace: a kubeconfig found
    there could name a program to run or another server.
    """
    secret = host.kube.get(SECRETS, CREDENTIALS, desired.namespace)
    parts = _decoded(secret or {}, "certificate-authority", "client-certificate", "client-key")
    if parts is None:
        return None
    service = host.kube.get(SERVICES, RELEASE, desired.namespace)
    found = address(desired.host.exposure, service, host.kube) if service else None
    if not found:
        return None
    authority, certificate, key = parts
    name = server_name(desired.host.exposure, desired.namespace)
    return TenantCredentials(found, authority, certificate, key, name)


def replicas(scope: Scope, count: int) -> Object:
    """The control plane's StatefulSet with as many pods, and nothing else of it."""
    return {
        "apiVersion": STATEFUL_SETS.api,
        "kind": STATEFUL_SETS.name,
        "metadata": {"name": RELEASE, "namespace": scope.desired.namespace},
        "spec": {"replicas": count},
    }


def _decoded(secret: Object, *keys: str) -> list[bytes] | None:
    data = secret.get("data") or {}
    if not all(data.get(key) for key in keys):
        return None
    return [b64decode(data[key]) for key in keys]


def _why_not(scope: Scope) -> Wait:
    """What the host says about the control plane's pod."""
    selector = labels.selector(labels.CONTROL_PLANE)
    found = scope.host.kube.find(PODS, scope.desired.namespace, labels=selector)
    if not found:
        _wake(scope)
        return Wait(_LOOK, *_refused(scope))
    reason, message = pods.explain(found, "control plane")
    return Wait(_LOOK, reason, message)


def _wake(scope: Scope) -> None:
    """A control plane that was put to sleep, by a pause, a quarantine or by hand, gets its pod back."""
    seen = scope.host.kube.get(STATEFUL_SETS, RELEASE, scope.desired.namespace)
    if seen is not None and seen["spec"].get("replicas", 1) == 0:
        scope.host.kube.apply(STATEFUL_SETS, replicas(scope, 1))


def _refused(scope: Scope) -> tuple[Reason, str]:
    """Why there is no pod at all: what the host's StatefulSet controller says of its attempts."""
    fields = f"involvedObject.kind=StatefulSet,involvedObject.name={RELEASE},reason=FailedCreate"
    message = pods.last_words(scope.host.kube.find(EVENTS, scope.desired.namespace, fields=fields))
    if not message:
        return Reason.WAITING, "waiting for the host to make the control plane's pod"
    quota = "exceeded quota" in message
    return (Reason.QUOTA_EXCEEDED if quota else Reason.PODS_PENDING), f"the host admits no pod: {message}"
