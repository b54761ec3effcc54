"""How long lists take with 2,000 clusters: ``python -m tests.support.postgres python -m tests.support.bench_lists``.

Makes tables in the database that ATOLL_DATABASE_URL names, which must be empty; without it, in a SQLite file of its own.
Writes its figures into docs/performance.md with ``--write``; ``--profile`` tells where the time goes.
"""

from __future__ import annotations

import cProfile
import importlib
import os
import platform
import pstats
import re
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import django

CLUSTERS: Final = 2000
ROUNDS: Final = 25
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
    if "ATOLL_DATABASE_URL" not in os.environ:
        os.environ["ATOLL_HOME"] = tempfile.mkdtemp(prefix="bench-lists-")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    importlib.import_module("portal.asgi")  # as the portal starts
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    api = _world()
    rows, kept = [], True
    for path in LISTS:
        found = _last_page(api) if path.startswith("the last") else path
        took = sorted(_timed(api, found, "--profile" in argv and path == LISTS[1]))
        wall, core = [t for t, _ in took], median(t for _, t in took)
        p95 = wall[int(len(wall) * 0.95)]
        kept = kept and p95 < ALLOWED_MS
        rows.append(f"| `{path}` | {median(wall):.0f} | {p95:.0f} | {wall[-1]:.0f} | {core:.0f} |")
        print(rows[-1], flush=True)  # noqa: T201 - the program's answer
    if "--write" in argv:
        _write(connection.vendor, [*_head(connection.vendor), *rows])
    return 0 if kept else 1


def _timed(api: Any, path: str, profile: bool) -> list[tuple[float, float]]:
    """Milliseconds of each request, from the address to the bytes of the answer: by the clock, and of a core in Python."""
    assert api.get(path, Host="localhost").status_code == 200
    meter = cProfile.Profile()
    took = []
    for _ in range(ROUNDS):
        began, core = time.perf_counter(), time.process_time()
        if profile:
            meter.enable()
        api.get(path, Host="localhost")
        meter.disable()
        took.append(((time.perf_counter() - began) * 1000, (time.process_time() - core) * 1000))
    if profile:
        pstats.Stats(meter).sort_stats("cumulative").print_stats(60)
    return took


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
