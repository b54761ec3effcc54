"""The wipe itself: one pod on the node, made exactly as helm/host allows it, and its report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from provisioner.outcomes import Done, Wait
from provisioner.ports import CONFIG_MAPS, PODS
from provisioner.reconcile.moving import remains
from provisioner.reconcile.pods import explain, shorten
from tenancy.enums import Reason
from tenancy.rules.names import WIPE_NAMESPACE

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.ports import Object
    from provisioner.reconcile.moving.scope import NodeScope

NAMESPACE: Final = WIPE_NAMESPACE
SETTINGS: Final = "wipe"
"""The ConfigMap with the image and the script; a cluster-admin makes it with helm/host."""
LABEL: Final = "app.kubernetes.io/name=atoll-node-wipe"
_LOOK: Final = 1.0
_AGAIN: Final = 5.0
_WIPES: Final = 10
"""So many reports of one move are kept: a wipe is repeated while something is left."""


def wiped(scope: NodeScope) -> Outcome:
    """Runs the wipe on the node until its report says that nothing is left."""
    if scope.evidence.get("report", {}).get("nodeUid") == _uid(scope):
        return Done(_told(scope.evidence["report"]))
    pod = scope.kube.get(PODS, _name(scope), NAMESPACE)
    if pod is None:
        return _send(scope)
    said = _report(pod)
    if said is None:
        return _unanswered(scope, pod)
    said = {**said, "nodeUid": _uid(scope), "at": scope.now().isoformat()}
    scope.evidence["wipes"] = [*scope.evidence.get("wipes", []), said][-_WIPES:]
    left = [f"{kind} {word}" for kind in _KINDS for word in said.get(kind, {}).get("left", [])]
    if left:
        remove(scope)
        return Wait(
            _AGAIN, Reason.RELEASING, f"left after a wipe, which is tried again: {', '.join(left[:3])}"
        )
    scope.evidence["report"] = said
    return Done(_told(said))


def seen_gone(scope: NodeScope) -> Outcome:
    """The host's own reading of the node: no image but those kept, no volume, no pod."""
    images = image_names(scope.node)
    strange = foreign(images, scope.evidence["report"]["images"])
    if strange:
        message = f"the node still tells of the image {strange[0]}; it tells anew twice a minute"
        return Wait(_LOOK * 2, Reason.RELEASING, message)
    scope.evidence["after"] = {
        "images": plain(images),
        "podsOfTenants": 0,
        "volumesOfTenants": 0,
        "at": scope.now().isoformat(),
    }
    return Done(f"read from the host: no pod, no volume, no image of a tenant; {len(images)} images are kept")


def note_before(scope: NodeScope) -> None:
    """What the host tells of the node before anything is removed; kept as read first."""
    scope.evidence.setdefault(
        "before",
        {
            "nodeUid": _uid(scope),
            "images": plain(image_names(scope.node)),
            "at": scope.now().isoformat(),
        },
    )


def remove(scope: NodeScope) -> None:
    """Takes the wipe's pod away; nothing when there is none."""
    scope.kube.delete(PODS, _name(scope), NAMESPACE, grace=0)


def image_names(node: Object) -> list[list[str]]:
    """Of each image that the node tells of."""
    found = node.get("status", {}).get("images") or []
    return [list(image["names"]) for image in found if image.get("names")]


def plain(images: list[list[str]]) -> list[str]:
    """The names people know images by: digests only of those that have no other."""
    return [name for names in images for name in ([n for n in names if "@" not in n] or names[:1])]


def foreign(images: list[list[str]], report: dict[str, Any]) -> list[str]:
    """Names of images that the wipe does not say it kept.

    A report has room for some forty names; where it could not tell all, it is the only witness.
    """
    if report.get("untold"):
        return []
    kept = set(report["kept"])
    return [name for name in plain(images) if name not in kept]


_KINDS: Final = ("containers", "pods", "logs", "volumes", "images")


def _told(said: dict[str, Any]) -> str:
    counts = (f"{said.get(kind, {}).get('removed', 0)} {kind}" for kind in _KINDS[1:])
    return f"removed {', '.join(counts)}; nothing of them is left"


def _uid(scope: NodeScope) -> str:
    return str(scope.node["metadata"]["uid"])


def _name(scope: NodeScope) -> str:
    """Another one for each move and each incarnation of the node."""
    return f"wipe-{scope.move.uid.hex[:12]}-{_uid(scope)[:8].strip('-')}"


def _send(scope: NodeScope) -> Outcome:
    settings = scope.kube.get(CONFIG_MAPS, SETTINGS, NAMESPACE)
    if settings is None:
        message = f"host {scope.desired.host.name!r} has no wipe: install helm/host of this version there"
        return Wait(_AGAIN * 2, Reason.HOST_MISCONFIGURED, message)
    image, keep = settings["data"]["image"], remains.volumes_of_others(scope)
    scope.kube.create(PODS, pod(_name(scope), scope.desired.name, image, keep))
    return Wait(_LOOK, Reason.WAITING, "the wipe was sent to the node")


def _report(pod: Object) -> dict[str, Any] | None:
    """What the wipe wrote when it ended well; ``None`` before that."""
    for container in pod.get("status", {}).get("containerStatuses") or []:
        ended = container.get("state", {}).get("terminated") or {}
        if ended.get("exitCode") == 0 and ended.get("message"):
            return _parsed(ended["message"])
    return None


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        said = json.loads(text)
    except ValueError:
        return None
    return said if isinstance(said, dict) and "kept" in said.get("images", {}) else None


def _unanswered(scope: NodeScope, pod: Object) -> Outcome:
    if pod.get("status", {}).get("phase") in {"Failed", "Succeeded"}:
        message = f"the wipe failed and is tried again: {shorten(_last_words(pod)) or 'it said nothing'}"
        remove(scope)
        return Wait(_AGAIN, Reason.RELEASING, message)
    reason, message = explain([pod], "wipe")
    return Wait(_LOOK, reason, message)


def _last_words(pod: Object) -> str:
    for container in pod.get("status", {}).get("containerStatuses") or []:
        ended = container.get("state", {}).get("terminated") or {}
        if ended:
            return str(ended.get("message") or ended.get("reason") or "").strip()
    return str(pod["status"].get("message", ""))


def pod(name: str, node: str, image: str, keep: list[str]) -> Object:
    """As the policy atoll-provisioner-wipe of helm/host has it; anything else is refused there."""
    key, _, value = LABEL.partition("=")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {key: value}},
        "spec": {
            "nodeName": node,
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "activeDeadlineSeconds": 600,
            "tolerations": [{"operator": "Exists"}],
            "containers": [
                {
                    "name": "wipe",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "/wipe/wipe.sh"],
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "env": [
                        {"name": "NODE", "value": node},
                        {"name": "KEEP_VOLUMES", "value": "\n".join(keep)},
                    ],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"], "add": ["DAC_OVERRIDE", "FOWNER", "SYS_CHROOT"]},
                        "seLinuxOptions": {"type": "spc_t"},
                    },
                    "volumeMounts": [
                        {"name": "node", "mountPath": "/node", "mountPropagation": "HostToContainer"},
                        {"name": "wipe", "mountPath": "/wipe", "readOnly": True},
                    ],
                }
            ],
            "volumes": [
                {"name": "node", "hostPath": {"path": "/"}},
                {"name": "wipe", "configMap": {"name": SETTINGS}},
            ],
        },
    }
