"""What can be asked of ``./atoll``; read before anything is installed, so a slip of the pen costs nothing."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from command import audit_verify

DEFAULT_PORT: Final = 8000
EXPOSURES: Final = ("clusterIP", "loadBalancer", "nodePort")
SHARED: Final = ("host", "audit")
"""Nouns that the API has too."""
CLIENT_OPTIONS: Final = ("--version", "--install-completion", "--show-completion")
EPILOG: Final = """\
through the API of the Atoll that runs here (or of $ATOLL_URL, or with --context):
    cluster, gpu, operation, token, tenant, member, host, pool, report, audit, ...
                 what there is, each with its verbs: ./atoll cluster --help
    get, apply, delete, api
                 the same for every kind of object
    login, logout, context, whoami
                 other Atolls; the same client installs alone: docs/cli.md
  host and audit are in both groups: the verbs above are this machine's, all others the API's.

State is kept under $ATOLL_HOME (default: .atoll in the checkout). With $ATOLL_KUBECONFIG
set, that cluster carries the virtual clusters and no lab is started. See docs/running.md."""


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments, checked; leaves the process with status 2 where they cannot be read."""
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    if arguments.command == "test":
        arguments.pytest = rest
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)} (see ./atoll {arguments.command} --help)")
    return arguments


def for_client(argv: list[str]) -> bool:
    """Whether the client is meant: by every word that is not the platform's own, here or as a verb of SHARED."""
    first, *rest = argv or [""]
    own = _choices(_parser())
    if first not in own:
        return bool(first) and (not first.startswith("-") or first in CLIENT_OPTIONS)
    verbs = _choices(own[first])
    return first in SHARED and bool(rest) and not rest[0].startswith("-") and rest[0] not in verbs


def _choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))  # noqa: SLF001 - no other way
    return {name: inner for action in found for name, inner in action.choices.items()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./atoll",
        description="Virtual Kubernetes clusters for teams, on one machine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _services(commands)
    _lab(commands)
    _administration(commands)
    _attestation(commands)
    _audit(commands)
    _development(commands)
    return parser


def _services(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    up = commands.add_parser("up", help="start everything and serve until Ctrl-C")
    up.add_argument(
        "--port", type=_port, default=_default_port(), help="of the portal (default: %(default)s)"
    )
    up.add_argument(
        "--no-demo", action="store_true", help="make no tenant 'demo' and no cluster 'demo/first'"
    )
    _lab_options(up)
    _exposure(up)
    commands.add_parser("down", help="stop everything; the data stays")
    status = commands.add_parser("status", help="tell what runs")
    status.add_argument("--json", action="store_true", help="for programs")
    reset = commands.add_parser("reset", help="stop everything and delete the data")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    logs = commands.add_parser("logs", help="show the services' logs")
    logs.add_argument("service", nargs="?", help="portal, relay, worker, redis or lab (default: all)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on showing what comes")


def _lab(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    lab = commands.add_parser("lab", help="the embedded host cluster alone")
    verbs = lab.add_subparsers(dest="verb", required=True, metavar="VERB")
    _lab_options(verbs.add_parser("up", help="build what is missing and start it"))
    verbs.add_parser("down", help="stop it and leave nothing behind")
    status = verbs.add_parser("status", help="tell what runs, where the logs are and what is broken")
    status.add_argument("--json", action="store_true", help="for programs")
    load = verbs.add_parser("load", help="bring an image archive to its nodes")
    load.add_argument("file", type=Path, help="as 'docker save' or 'podman save' write it")


def _administration(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    admin = commands.add_parser("admin", help="administrators of the platform")
    create = admin.add_subparsers(dest="verb", required=True, metavar="VERB").add_parser(
        "create", help="make one; the password is asked for, or read from standard input"
    )
    create.add_argument("username")
    _hosts(commands)


def _hosts(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    host = commands.add_parser("host", help="host clusters", epilog=_also("host list"))
    verbs = host.add_subparsers(dest="verb", required=True, metavar="VERB")
    add = verbs.add_parser("add", help="prepare a cluster by Helm and register it")
    add.add_argument("name")
    add.add_argument("--kubeconfig", type=Path, required=True, help="cluster-admin; used once, never kept")
    _exposure(add)
    keep = verbs.add_parser("keep", help="put back what of helm/host somebody changes, until Ctrl-C")
    keep.add_argument("name")
    keep.add_argument("--kubeconfig", type=Path, required=True, help="cluster-admin; read when it is needed")
    keep.add_argument("--url", help="of Atoll (default: the one that runs here)")
    keep.add_argument(
        "--token", type=Path, help="file with an auditor's API token (default: this home's admin.token)"
    )


def _attestation(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    attest = commands.add_parser("attest", help="isolation reports and receipts")
    verify = attest.add_subparsers(dest="verb", required=True, metavar="VERB").add_parser(
        "verify", help="check a downloaded report offline; status 0 only if it is genuine, valid and good"
    )
    verify.add_argument("file", type=Path, help="as downloaded: a JWS")
    verify.add_argument(
        "--keys", type=Path, required=True, help="the published keys: GET /api/v1/attestation/keys"
    )


def _audit(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verbs = commands.add_parser("audit", help="the audit log", epilog=_also("audit list")).add_subparsers(
        dest="verb", required=True, metavar="VERB"
    )
    export = verbs.add_parser("export", help="write it to standard output, up to its signed head")
    export.add_argument("--from", dest="first", type=_count, default=1, metavar="ROW", help="(default: 1)")
    verify = verbs.add_parser(
        "verify", help="check an export offline; status 0 sound, 1 tampered with, 2 unreadable"
    )
    audit_verify.options(verify)


def _also(example: str) -> str:
    return f"All other verbs go through the API: './atoll {example}', 'list --help' for each."


def _development(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    test = commands.add_parser("test", help="run all checks and tests; further arguments go to pytest")
    test.add_argument("--all", action="store_true", help="with the long fault, scale and fuzz runs")
    bench = commands.add_parser("bench", help="measure")
    create = bench.add_subparsers(dest="verb", required=True, metavar="WHAT").add_parser(
        "create", help="create → Ready through Atoll against bare Helm, alternating"
    )
    create.add_argument("--rounds", type=int, default=5, help="of each (default: %(default)s)")


def _lab_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gpus", type=_count, metavar="N", help="pretend accelerators on the lab's worker")
    parser.add_argument("--fake-nodes", type=_count, metavar="N", help="KWOK nodes in the lab")


def _exposure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--exposure",
        choices=EXPOSURES,
        default="nodePort",
        help="how tenants' APIs are reached on a cluster of your own (default: %(default)s)",
    )


def _default_port() -> int:
    return _port(os.environ.get("ATOLL_PORT") or str(DEFAULT_PORT))


def _port(text: str) -> int:
    if text.isdigit() and 0 < int(text) < 65536:  # noqa: PLR2004 - what fits in 16 bits
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 1 to 65535")


def _count(text: str) -> int:
    if text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no count: give a whole number from 0 on")
