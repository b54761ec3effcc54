"""``./atoll status``: what runs, where, and what is broken."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import httpx

from command import home as homes
from command import pids, service, single
from command.terminal import show
from lab import status as lab_status

if TYPE_CHECKING:
    import argparse

    from command.home import Home

TIMEOUT = 5


def run(asked: argparse.Namespace) -> int:
    """0 when it serves and is ready, 3 when not."""
    seen = look(homes.find())
    show(json.dumps(seen, indent=2) if asked.json else text(seen))
    well = seen["running"] and not seen["problems"] and not (seen["lab"] or {}).get("problems")
    return 0 if well else 3


def look(home: Home) -> dict[str, Any]:
    """Everything as it is at this moment."""
    serving = single.serving(home)
    seen: dict[str, Any] = {
        "home": str(home.root),
        "running": serving is not None,
        "url": serving.url if serving else None,
        "host": serving.host if serving else None,
        "services": {process.name: _service(home, process) for process in pids.recorded(home)},
        "ready": _ready(serving.url) if serving else None,
        "lab": lab_status.look(home.root) if _has_lab(home) else None,
    }
    return {**seen, "problems": _problems(seen)}


def text(seen: dict[str, Any]) -> str:
    """The same for a person."""
    where = f"serves at {seen['url']}" if seen["running"] else "is not running; ./atoll up starts it"
    lines = [f"atoll      {where}", f"home       {seen['home']}"]
    lines += [f"{name:<10} {_state(one)}; {one['log']}" for name, one in seen["services"].items()]
    if seen["ready"]:
        lines += [f"portal     {name}: {told}" for name, told in seen["ready"].items()]
    if seen["lab"]:
        lines.append(lab_status.text(seen["lab"]))
    lines += [f"problem    {problem}" for problem in seen["problems"]]
    return "\n".join(lines)


def _state(one: dict[str, Any]) -> str:
    return f"process {one['pid']}" if one["running"] else "not running"


def _service(home: Home, process: pids.Process) -> dict[str, Any]:
    log = str(service.log_path(home, process.name))
    return {"pid": process.pid, "running": process.alive, "log": log}


def _ready(url: str) -> dict[str, Any]:
    """What the portal itself says."""
    try:
        return dict(httpx.get(f"{url}/readyz", timeout=TIMEOUT).json())
    except (httpx.HTTPError, ValueError) as error:
        return {"status": f"no answer ({error})"}


def _has_lab(home: Home) -> bool:
    return sys.platform == "linux" and (home.lab / "instance.json").exists()


def _problems(seen: dict[str, Any]) -> list[str]:
    dead = {name: one for name, one in seen["services"].items() if not one["running"]}
    found = [f"{name} is not running; its log: {one['log']}" for name, one in dead.items()]
    if seen["ready"] and seen["ready"].get("status") != "ok":
        found.append("the portal does not serve: see what it says above, and ./atoll logs portal")
    return found
