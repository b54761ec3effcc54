"""``python -m lab``: the lab for people."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab import api, packages, reap, start, status
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOK_EVERY: Final = 0.5  # seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when it was done, 1 when not, with the reason on standard error."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.verb(asked))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; what was started goes on, `down` ends it", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="An embedded host cluster on this machine."
    )
    parser.add_argument(
        "--home", type=Path, default=Path(".atoll"), help="where its data lies (default: .atoll)"
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser("up", help="start it, or say that it runs")
    verb.add_argument("--workers", type=int, help="worker nodes (first start: 2)")
    verb.add_argument("--gpus", type=int, help="pretend accelerators on each worker (first start: 0)")
    verb.add_argument("--fake-nodes", type=int, help="nodes that are played by KWOK (first start: 0)")
    verb.add_argument(
        "--foreground", action="store_true", help="stay, and stop everything at Ctrl-C or SIGTERM"
    )
    verb.set_defaults(verb=_up)
    verb = verbs.add_parser("down", help="stop it and leave nothing behind but its data")
    verb.set_defaults(verb=_down)
    verb = verbs.add_parser("status", help="what runs, where logs are, what is broken")
    verb.add_argument("--json", action="store_true", help="for programs")
    verb.set_defaults(verb=_status)
    verb = verbs.add_parser("load", help="bring an image archive into every node")
    verb.add_argument("archive", type=Path, metavar="FILE.tar")
    verb.set_defaults(verb=_load)
    verb = verbs.add_parser("reap", help="remove labs that died or whose home is gone")
    verb.set_defaults(verb=_reap)
    return parser


def _up(asked: argparse.Namespace) -> int:
    if asked.foreground:
        options = start.choose_options(asked.home, asked.workers, asked.gpus, asked.fake_nodes)
        if api.is_running(asked.home):
            return _attend(asked)
        start.supervise(asked.home, options, _say)
        return 0
    lab = api.up(asked.home, gpus=asked.gpus, fake_nodes=asked.fake_nodes, workers=asked.workers, report=_say)
    _say(f"ready: KUBECONFIG={lab.kubeconfig} {lab.bin_dir}/kubectl get nodes")
    return 0


def _attend(asked: argparse.Namespace) -> int:
    """Take over a lab that runs in the background already (whoever started it may have been killed)."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: told.set())
    api.up(asked.home, gpus=asked.gpus, fake_nodes=asked.fake_nodes, workers=asked.workers, report=_say)
    while not told.wait(LOOK_EVERY):
        if not api.is_running(asked.home):
            raise LabError(f"the lab has ended: {api.state(asked.home).step}")
    api.down(asked.home)
    return 0


def _down(asked: argparse.Namespace) -> int:
    api.down(asked.home)
    _say("stopped; its data stays in " + str(asked.home.resolve() / "lab"))
    return 0


def _status(asked: argparse.Namespace) -> int:
    seen = status.look(asked.home)
    _say(status.as_json(seen) if asked.json else status.text(seen))
    return 0 if not seen["problems"] else 1


def _load(asked: argparse.Namespace) -> int:
    api.load(asked.home, asked.archive, _say)
    return 0


def _reap(_asked: argparse.Namespace) -> int:
    packages.check()
    for record in reap.leftovers():
        _say(f"removed what was left of the lab of {record.home}")
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
