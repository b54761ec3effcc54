"""How long lists take with 2,000 clusters: ``python -m tests.support.postgres python -m tests.support.bench_lists``.

Makes tables in the database that ATOLL_DATABASE_URL names, which must be empty; without it, in a SQLite file of its own.
A portal as ``./atoll up`` starts it answers over a socket; one client asks, one request after the other.
Writes its figures into docs/performance.md with ``--write``; ``--profile`` tells where the time goes.
"""

from __future__ import annotations

import cProfile
import importlib
import logging
import os
import platform
import pstats
import re
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import django
import httpx

from tests.support import portals

if TYPE_CHECKING:
    from collections.abc import Iterator

CLUSTERS: Final = 2000
ROUNDS: Final = 100
WARM: Final = 5
"""Requests before those that count: of a portal that has just started."""
ALLOWED_MS: Final = 150
PAGE: Final = Path(__file__).parents[2] / "docs" / "performance.md"
LISTS: Final = (
    "/api/v1/tenants/bench/clusters",
    "/api/v1/tenants/bench/clusters?limit=100",
    "/api/v1/tenants/bench/clusters?limit=100&phase=Ready",
    "the last page of it, limit=100",
    "/api/v1/operations?limit=100",
    "/api/v1/tenants?limit=100",
    "/api/v1/tenants/bench/audit?limit=100",
    "/api/v1/tenants/bench/clusters/c7",
)


def main(argv: list[str]) -> int:
    """Measures, prints, and writes if asked to; 1 when a list takes longer than it may."""
    home = os.environ["ATOLL_HOME"] = tempfile.mkdtemp(prefix="bench-lists-")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    importlib.import_module("portal.asgi")  # as the portal starts
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    api = _world()
    if "--profile" in argv:
        _profile(api, LISTS[1])
    rows, kept = [], True
    with _served(Path(home), api.token) as client:
        for path in LISTS:
            found = _last_page(api) if path.startswith("the last") else path
            wall, core = sorted(_wall(client, found)), median(_core(api, found))
            p95 = wall[int(len(wall) * 0.95)]
            kept = kept and p95 < ALLOWED_MS
            rows.append(f"| `{path}` | {median(wall):.0f} | {p95:.0f} | {wall[-1]:.0f} | {core:.0f} |")
            print(rows[-1], flush=True)  # noqa: T201 - the program's answer
    if "--write" in argv:
        _write(connection.vendor, [*_head(connection.vendor), *rows])
    return 0 if kept else 1


@contextmanager
def _served(home: Path, token: str) -> Iterator[httpx.Client]:
    """A client of a portal that is a process of its own, on the same database and without limits."""
    told = {"rate_token": "0", "rate_tenant": "0", "rate_address": "0"}
    if url := os.environ.get("ATOLL_DATABASE_URL"):
        told["database_url"] = url
    with portals.portal(home, **told) as address:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=address, headers=headers, timeout=30) as client:
            yield client


def _wall(client: httpx.Client, path: str) -> list[float]:
    """Milliseconds from the first byte of each request to the last one of its answer."""
    took = []
    for _ in range(WARM + ROUNDS):
        began = time.perf_counter()
        assert client.get(path).status_code == 200
        took.append((time.perf_counter() - began) * 1000)
    return took[WARM:]


def _core(api: Any, path: str) -> list[float]:
    """Milliseconds of a core that the same requests take in Python, without a socket."""
    took = []
    for _ in range(10):
        began = time.process_time()
        assert api.get(path, Host="localhost").status_code == 200
        took.append((time.process_time() - began) * 1000)
    return took


def _profile(api: Any, path: str) -> None:
    """Prints where the time of a list goes."""
    meter = cProfile.Profile()
    api.get(path, Host="localhost")
    meter.enable()
    _core(api, path)
    meter.disable()
    pstats.Stats(meter).sort_stats("cumulative").print_stats(60)


def _last_page(api: Any) -> str:
    path = LISTS[1]
    while following := api.get(path, Host="localhost").json()["next"]:
        path = following
    return str(path)


def _world() -> Any:
    """A tenant with so many clusters, as ready as the first one; and its owner."""
    from tenancy.actions.unit import atomic
    from tenancy.models import ClusterCondition, Operation, VirtualCluster
    from tests import factories as make
    from tests.portal.api.client import Api

    owner = make.actor("bench")
    make.tenant("bench", owner=owner)
    spec = {"resources": {"cpu": "2", "memory": "4Gi"}, "isolation": {"sandbox": "gvisor"}}
    first = make.ready(make.cluster(owner, "bench", "c0", spec))
    make.pool("gold", "bench")
    seen, asked = list(first.conditions.all()), Operation.objects.get(target_uid=first.uid)
    made, conditions, operations = [], [], []
    for n in range(1, CLUSTERS):
        uid = uuid.uuid4()
        made.append(_copy(first, pk=uid, name=f"c{n}", namespace=f"atoll-bench-c{n}-{uid.hex[:8]}"))
        conditions += [_copy(row, pk=None, cluster_id=uid) for row in seen]
        operations.append(_copy(asked, pk=uuid.uuid4(), target_uid=uid, target_name=f"c{n}"))
    with atomic():
        VirtualCluster.objects.bulk_create(made, batch_size=500)
        ClusterCondition.objects.bulk_create(conditions, batch_size=1000)
        Operation.objects.bulk_create(operations, batch_size=500)
    for n in range(100):
        make.tenant(f"team-{n}", owner=owner)
    return Api(owner)


def _copy(row: Any, **changed: Any) -> Any:
    fields = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields}
    pk = changed.pop("pk")
    return type(row)(**{**fields, row._meta.pk.attname: pk, **changed})


def _head(vendor: str) -> list[str]:
    words = {"postgresql": ("PostgreSQL", "python -m tests.support.postgres "), "sqlite": ("SQLite", "")}
    name, before = words[vendor]
    return [
        f"### {name}",
        "",
        (
            f"Measured {datetime.now(UTC).date()} on {os.cpu_count()} cores, {platform.system()} {platform.release()},"
            f" load {os.getloadavg()[0]:.1f} at the end. Repeat it:"
            f" `{before}python -m tests.support.bench_lists --write`."
        ),
        "",
        f"| {CLUSTERS} clusters in one tenant, 101 tenants | p50 (ms) | p95 (ms) | most (ms) | core in Python, p50 (ms) |",
        "|---|--:|--:|--:|--:|",
    ]


def _write(vendor: str, lines: list[str]) -> None:
    begin, end = (
        f"<!-- bench lists {vendor}: written by tests/support/bench_lists.py -->",
        f"<!-- end of bench lists {vendor} -->",
    )
    block = "\n".join([begin, *lines, end])
    page = PAGE.read_text()
    old = re.compile(re.escape(begin) + ".*" + re.escape(end), re.DOTALL)
    page = old.sub(lambda _: block, page) if old.search(page) else f"{page.rstrip()}\n\n{block}\n"
    PAGE.write_text(page)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
