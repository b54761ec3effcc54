"""Pods that the host's policies must refuse, and a plain one: rehearsed, so judged in full and never made.

What refuses must be the policy that is for it, for another one may be lenient tomorrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from provisioner.ports import PODS
from provisioner.reconcile import canary_pods, labels, pods
from tenancy.enums import GpuVerdict
from tenancy.rules import gpu, survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.ports import Kube, Object
    from provisioner.reconcile.canary_pods import Wish

_INJECTS: Final = (1, 36)
"""The first Kubernetes version that fills in what a pod leaves unset."""
_CLEAN: Final = {gpu.LABEL: GpuVerdict.CLEAN.value}
_FULL: Final = "exceeded quota"
"""The last judge of all: what it refuses, every policy has let pass."""


def faults(kube: Kube, wish: Wish, *, in_use: bool) -> Iterator[str]:
    """What is not as it must be; of a cluster ``in_use`` the tenant may have used up the quota."""
    for policy, body in _forbidden(wish):
        said = kube.rehearse(PODS, body).refusal
        if f"ValidatingAdmissionPolicy '{policy}'" not in said:
            other = f"something else did: {pods.shorten(said)}" if said else "the pod would be admitted"
            yield f"policy {policy} does not refuse what it is for, {other}"
    yield from _plain_faults(kube, wish, in_use=in_use)


def policies(wish: Wish) -> tuple[str, ...]:
    """Those that are tried."""
    return tuple(policy for policy, _ in _forbidden(wish))


def _plain_faults(kube: Kube, wish: Wish, *, in_use: bool) -> Iterator[str]:
    """A plain pod is admitted, and has got its sandbox and its nodes where the host fills them in."""
    asked = canary_pods.plain(wish, {}) if _injects(wish) else canary_pods.placed(wish)
    seen = kube.rehearse(PODS, asked)
    if seen.made is None:
        if not (in_use and _FULL in seen.refusal):
            yield f"a plain pod is refused, so nothing of the tenant's would run: {pods.shorten(seen.refusal)}"
        return
    spec, wanted = seen.made["spec"], canary_pods.placed(wish)["spec"]
    for key in ("runtimeClassName", "nodeSelector", "hostUsers"):
        given = spec.get(key)
        whole = wanted.get(key, {}).items() <= (given or {}).items() if key == "nodeSelector" else True
        if key in wanted and (given is None or (key != "nodeSelector" and given != wanted[key]) or not whole):
            yield f"policy atoll-inject does not give a plain pod {key} {wanted[key]!r} but {given!r}"


def _forbidden(wish: Wish) -> Iterator[tuple[str, Object]]:
    """A pod for each policy that judges pods, which breaks its rule and no other's."""
    yield "atoll-placement", canary_pods.placed(wish, tolerations=[{"operator": "Exists"}])
    nfs = {"name": "v", "nfs": {"server": "192.0.2.1", "path": "/"}}
    yield "atoll-hardening", canary_pods.placed(wish, volumes=[nfs])
    posing = canary_pods.placed(wish)
    posing["metadata"]["labels"] |= labels.CONTROL_PLANE
    yield "atoll-pod-identity", posing
    device = canary_pods.placed(wish)
    device["spec"]["nodeSelector"] |= _CLEAN
    device["spec"]["containers"][0]["resources"] = {"limits": {"canary.atoll.internal/device": "1"}}
    yield "atoll-devices", device
    if wish.desired.host.allowed_registries:
        foreign = canary_pods.placed(wish)
        foreign["spec"]["containers"][0]["image"] = "canary.invalid/none:1"
        yield "atoll-images", foreign


def _injects(wish: Wish) -> bool:
    facts = wish.desired.host.facts
    return facts is not None and survey.minor(facts.version) >= _INJECTS
