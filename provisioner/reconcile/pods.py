"""Why pods do not run, in words that name what to do: read from their status as a kubelet writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenancy.enums import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provisioner.ports import Object

_IMAGE: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
)
_CRASH: Final = frozenset({"CrashLoopBackOff", "RunContainerError", "CreateContainerError"})
_ENDED: Final = frozenset({"Succeeded", "Failed"})
_LONGEST: Final = 300
"""Characters of a foreign message that are shown."""


def explain(pods: Iterable[Object], what: str) -> tuple[Reason, str]:
    """The gravest thing that keeps ``what`` from running; else how far it is."""
    found = gravest(pods)
    if found is None:
        return Reason.WAITING, f"waiting for {what} to be scheduled"
    return found[0], f"{what}: {found[1]}"


def gravest(pods: Iterable[Object]) -> tuple[Reason, str] | None:
    """What most keeps some of them from running; ``None`` where nothing is told."""
    found = [trouble for pod in pods for trouble in _troubles(pod)]
    return min(found, key=lambda t: _GRAVITY.index(t[0]), default=None)


def ended(pod: Object) -> bool:
    """Whether all of it has run to its end; it may still be listed."""
    return pod.get("status", {}).get("phase") in _ENDED


def said(pod: Object) -> str:
    """What a probe left as its termination message; empty while, or when, it told nothing."""
    ends = (
        c.get("state", {}).get("terminated", {}) for c in _all(pod.get("status", {}), "containerStatuses")
    )
    return next((str(end["message"]).strip() for end in ends if end.get("message")), "")


def last_words(events: Iterable[Object]) -> str:
    """What the youngest of some events says, shortened; empty where there is none."""
    youngest = max(
        events, key=lambda one: str(one.get("lastTimestamp") or one.get("eventTime") or ""), default={}
    )
    return shorten(str(youngest.get("message", "")))


def shorten(message: str) -> str:
    """A foreign message on one line and of bounded length."""
    line = " ".join(message.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


_GRAVITY: Final = (
    Reason.IMAGE_MISSING,
    Reason.CRASH_LOOPING,
    Reason.PODS_PENDING,
    Reason.NOT_READY,
    Reason.WAITING,
)


def _troubles(pod: Object) -> Iterator[tuple[Reason, str]]:
    status, name = pod.get("status", {}), pod["metadata"]["name"]
    images = {
        c["name"]: c.get("image", "") for c in _all(pod.get("spec", {}), "initContainers", "containers")
    }
    statuses = list(_all(status, "initContainerStatuses", "containerStatuses"))
    for container in statuses:
        yield from _container(name, container, images.get(container["name"], ""))
    if not statuses:
        yield _unscheduled(name, status)
    elif status.get("phase") != "Succeeded":
        yield Reason.NOT_READY, f"pod {name} runs but does not call itself ready yet"


def _container(pod: str, container: Object, image: str) -> Iterator[tuple[Reason, str]]:
    waiting = container.get("state", {}).get("waiting", {})
    reason, message = waiting.get("reason", ""), shorten(waiting.get("message", ""))
    if reason in _IMAGE:
        fix = "load it onto the host's nodes or give an image prefix that has it"
        yield Reason.IMAGE_MISSING, f"image {image} cannot be had ({reason}: {message}): {fix}"
    elif reason in _CRASH:
        ended = container.get("lastState", {}).get("terminated", {})
        why = shorten(ended.get("message", "")) or f"exit code {ended.get('exitCode', '?')}"
        detail = message if reason != "CrashLoopBackOff" else why
        yield Reason.CRASH_LOOPING, f"container {container['name']} of pod {pod} keeps ending: {detail}"
    elif reason:
        yield Reason.WAITING, f"pod {pod} is starting ({reason})"


def _unscheduled(name: str, status: Object) -> tuple[Reason, str]:
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            message = shorten(condition.get("message", ""))
            return Reason.PODS_PENDING, f"pod {name} has no node: {message}"
    return Reason.WAITING, f"pod {name} is starting"


def _all(part: Object, *keys: str) -> Iterator[Object]:
    for key in keys:
        yield from part.get(key) or []
