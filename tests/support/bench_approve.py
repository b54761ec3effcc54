"""How long an approval takes with 50 at once: ``python -m tests.support.postgres python -m tests.support.bench_approve``.

Makes tables in the database that ATOLL_DATABASE_URL names, which must be an empty PostgreSQL.
Writes its figures into docs/performance.md with ``--write``.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import platform
import re
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import django

ROUNDS: Final = 4
AT_ONCE: Final = 50
PAGE: Final = Path(__file__).parents[2] / "docs" / "performance.md"
BEGIN: Final = "<!-- bench approve: written by tests/support/bench_approve.py -->"
END: Final = "<!-- end of bench approve -->"


def main(argv: list[str]) -> int:
    """Measures, prints, and writes if asked to."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher"
    ]  # people are made in a moment
    call_command("migrate", verbosity=0)
    processes = os.cpu_count() or 1
    lines = []
    for pools in (1, 10):
        for workers in (processes,):
            for number in (1, AT_ONCE):
                lines.append(_line(pools, workers, number))
                print(lines[-1], flush=True)  # noqa: T201 - the program's answer
    table = "\n".join([*_head(), *lines, "", f"Queries of one approval: {_queries()}."])
    if "--write" in argv:
        _write(table)
    return 0


def _line(pools: int, workers: int, number: int) -> str:
    took: list[float] = []
    cores = database = 0.0
    for _ in range(ROUNDS if number > 1 else 20):
        waited, used, used_there = _round(pools, workers, number)
        took += waited
        cores += used
        database += used_there
    took.sort()
    p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
    figures = [*(f"{second * 1000:.0f}" for second in (median(took), p99, took[-1]))]
    figures += [f"{second * 1000 / len(took):.1f}" for second in (cores, database)]
    return f"| {pools} | {workers} | {number} | {' | '.join(figures)} |"


def _round(pools: int, workers: int, number: int) -> tuple[list[float], float, float]:
    """Of approvals that begin in the same moment: seconds of each; of cores, in Python and in the database."""
    from django.db import connections

    uids = _requests(pools, number * 2)
    server = _server()
    ready, gate = (multiprocessing.Barrier(number + 1) for _ in range(2))
    answers: Any = multiprocessing.SimpleQueue()
    with connections["default"].cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")  # as the server does by itself, only not in the middle of this
    connections.close_all()
    pairs = list(zip(uids[:number], uids[number:], strict=True))
    shares = [pairs[n::workers] for n in range(workers) if pairs[n::workers]]
    made = [multiprocessing.Process(target=_work, args=(share, ready, gate, answers)) for share in shares]
    for one in made:
        one.start()
    ready.wait(60)  # each has its session
    before = _seconds(server)
    gate.wait(60)  # they begin
    gate.wait(60)  # all are answered
    after = _seconds(server)
    ready.wait(60)  # they may end their sessions, which a portal keeps
    told = [answers.get() for _ in made]
    for one in made:
        one.join()
    took = [second for seconds, _ in told for second in seconds]
    return took, sum(used for _, used in told), after - before


def _server() -> int:
    """The process id of the database's first process."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    return int(_stat(backend)[1])


def _seconds(server: int) -> float:
    """Of cores, that the database's processes have used so far: those at work, and those that ended."""
    ticks = sum(int(field) for field in _stat(server)[11:15])
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = _stat(int(entry.name))
        except OSError:
            continue
        if int(fields[1]) == server:
            ticks += sum(int(field) for field in fields[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(process: int) -> list[str]:
    """What the kernel tells of a process, from its state on."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _work(pairs: list[tuple[Any, Any]], ready: Any, gate: Any, answers: Any) -> None:
    from django.db import connections

    from tenancy.actions import decisions
    from tenancy.models import User
    from tenancy.policy import Actor

    took: list[float] = []
    turn = threading.Lock()

    def one(before: Any, uid: Any) -> None:
        by = Actor(User.objects.get(username="root"))
        with turn:  # a portal and its sessions have done this before
            decisions.approve(by=by, uid=before, reason="before")
        ready.wait(60)
        gate.wait(60)
        used.append(time.process_time())
        began = time.perf_counter()
        decisions.approve(by=by, uid=uid, reason="measured")
        took.append(time.perf_counter() - began)
        used.append(time.process_time())
        gate.wait(60)
        ready.wait(60)
        connections.close_all()

    gc.collect()
    gc.freeze()  # as portal.asgi does
    gc.set_threshold(50_000, 10, 10)
    used: list[float] = []
    threads = [threading.Thread(target=one, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.put((took, max(used) - min(used)))


def _requests(pools: int, number: int) -> list[Any]:
    """Open requests, each of its own tenant for one device; those of the last round are over."""
    from tenancy.models import Grant, GrantRequest
    from tests import factories as make
    from tests.support.grants import ask

    make.accelerator()
    made = [_pool(n) for n in range(pools)]
    GrantRequest.objects.all().delete()
    Grant.objects.all().delete()
    found = []
    for n in range(number):
        name, by = _tenant(n)
        found.append(ask(by, 1, tenant=name, pool=("lab", made[n % pools])).uid)
    return found


def _pool(number: int) -> str:
    from tenancy.models import NodePool
    from tests import factories as make

    name = f"gpus{number}"
    if not NodePool.objects.filter(name=name).exists():
        make.gpu_pool(1000, name)
    return name


def _tenant(number: int) -> tuple[str, Any]:
    from tenancy.models import User
    from tenancy.policy import Actor
    from tests import factories as make

    name = f"bench{number}"
    user = User.objects.filter(username=name).first()
    if user is None:
        by = make.actor(name)
        make.tenant(name, member=by)
        return name, by
    return name, Actor(user)


def _queries() -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tenancy.actions import decisions
    from tests import factories as make

    uid = _requests(1, 1)[0]
    by = make.admin()
    with CaptureQueriesContext(connection) as seen:
        decisions.approve(by=by, uid=uid, reason="counted")
    if "--queries" in sys.argv:
        for query in seen:
            print(query["time"], query["sql"][:150])  # noqa: T201
    return len(seen)


def _head() -> list[str]:
    load = os.getloadavg()[0]
    return [
        "## Approvals at once",
        "",
        (
            f"Measured {datetime.now(UTC).date()} on {os.cpu_count()} cores, {platform.system()} {platform.release()},"
            f" PostgreSQL, load {load:.1f} at the end. Repeat it:"
            " `python -m tests.support.postgres python -m tests.support.bench_approve --write`."
        ),
        "",
        (
            "Each approval is of another tenant's request and ends in a grant that is active; milliseconds from call to"
            " commit, of calls that begin in the same moment. The last two columns are time of cores for each approval,"
            " which other load changes less."
        ),
        "",
        "| pools | processes | at once | p50 (ms) | p99 (ms) | most (ms) | core, Python (ms) | core, PostgreSQL (ms) |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]


def _write(text: str) -> None:
    page = PAGE.read_text()
    block = f"{BEGIN}\n{text}\n{END}"
    old = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    page = old.sub(lambda _: block, page) if old.search(page) else f"{page.rstrip()}\n\n{block}\n"
    PAGE.write_text(page)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
