"""How far something is: what passes report of their steps, as it is kept for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenancy.enums import StepState

if TYPE_CHECKING:
    from datetime import datetime

    from tenancy.rules.specs import StepReport


def merged(old: list[dict[str, Any]], seen: tuple[StepReport, ...]) -> list[dict[str, Any]]:
    """The steps as seen now, with the times at which each was first seen to run and to end."""
    before = {step["name"]: step for step in old}
    return [_step(before.get(report.name, {}), report) for report in seen]


def _step(before: dict[str, Any], report: StepReport) -> dict[str, Any]:
    """A step began when the first pass reached it, and ended when the first pass saw it done."""
    ended = report.state in {StepState.DONE, StepState.FAILED}
    return {
        "name": report.name,
        "state": report.state.value,
        "message": report.message,
        "startedAt": before.get("startedAt") or _text(report.began),
        "finishedAt": (before.get("finishedAt") or _text(report.ended)) if ended else None,
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
