"""What a lab looks like at this moment, for a person or a program."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lab import api, files, registry
from lab.client import Client
from lab.errors import LabError
from lab.progress import State

if TYPE_CHECKING:
    from pathlib import Path

    from lab.instance import Instance

MANY_RESTARTS = 3


def look(home: Path) -> dict[str, Any]:
    """Gather what runs, whether nodes are ready, where logs are, what is broken and what to do."""
    progress = api.state(home)
    seen: dict[str, Any] = {"home": str(home.resolve()), **asdict(progress), "processes": [], "nodes": {}}
    try:
        lab, programs = api.instance_of(home)
    except LabError:
        return {**seen, "problems": _trouble(progress.state, progress.step)}
    seen |= {
        "api": lab.api_url,
        "kubeconfig": str(lab.kubeconfig),
        "programs": str(programs),
        "logs": str(lab.logs),
        "audit_log": str(lab.audit_log),
        "options": asdict(lab.options),
        "processes": processes(lab),
    }
    if progress.state in {State.READY, State.STARTING}:
        seen["nodes"] = _nodes(lab)
    return {**seen, "problems": _problems(lab, seen)}


def text(seen: dict[str, Any]) -> str:
    """Say what ``look`` saw."""
    lines = [f"lab        {seen['state']} since {seen['since'] or '-'}: {seen['step'] or '-'}"]
    lines += [f"{name:<10} {seen[name]}" for name in ("api", "kubeconfig", "logs") if name in seen]
    lines += [f"node       {name}: {told}" for name, told in seen["nodes"].items()]
    for row in seen["processes"]:
        told = f"pid {row['pid']}, since {row['since']}" if row["running"] else "not running"
        lines.append(f"process    {row['name']}: {told}, restarted {row['restarts']} times")
    lines += [f"problem    {problem}" for problem in seen["problems"]]
    return "\n".join(lines)


def as_json(seen: dict[str, Any]) -> str:
    """Give what ``look`` saw as JSON."""
    return json.dumps(seen, indent=2)


def processes(lab: Instance) -> list[dict[str, Any]]:
    """Give what the lab's processes are and whether each runs."""
    rows: list[dict[str, Any]] = files.read_json(lab.run / "processes.json").get("processes", [])
    return [{**row, "running": registry.start_time(row["pid"]) == row["started"] != 0} for row in rows]


def _nodes(lab: Instance) -> dict[str, str]:
    try:
        listed = Client(lab).get("/api/v1/nodes") or {}
    except (OSError, LabError) as error:
        return {node.name: f"unknown ({error})" for node in lab.nodes}
    found = {item["metadata"]["name"]: item.get("status", {}) for item in listed.get("items", [])}
    return {node.name: _readiness(found.get(node.name, {})) for node in lab.nodes}


def _readiness(status: dict[str, Any]) -> str:
    for condition in status.get("conditions", []):
        if condition["type"] == "Ready":
            return "Ready" if condition["status"] == "True" else f"not ready: {condition.get('message')}"
    return "not registered"


def _problems(lab: Instance, seen: dict[str, Any]) -> list[str]:
    found = _trouble(seen["state"], seen["step"])
    for row in seen["processes"]:
        if seen["state"] in {State.READY, State.STARTING} and not row["running"]:
            found.append(
                f"{row['name']} is not running; it is started again by itself; its log: {row['log']}"
            )
        elif row["restarts"] >= MANY_RESTARTS:
            found.append(f"{row['name']} was restarted {row['restarts']} times; its log: {row['log']}")
    if seen["state"] == State.READY:
        found += [
            f"node {name} is {told}; its kubelet's log: {lab.logs}/{name}-kubelet.log"
            for name, told in seen["nodes"].items()
            if told != "Ready"
        ]
    return found


def _trouble(state: State, step: str) -> list[str]:
    return [f"the lab failed: {step}"] if state is State.FAILED else []
