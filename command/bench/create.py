"""``./atoll bench create``: create → Ready through Atoll against bare Helm, alternating, in one run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from command import home as homes
from command import host, host_choice, single
from command.bench import bare_helm, report, through_atoll
from command.home import LAB_HOST
from command.terminal import CommandError, say, show

if TYPE_CHECKING:
    import argparse

    from command.bench.bare_helm import Bare
    from command.bench.through_atoll import Atoll
    from command.home import Home

NAME: Final = "bench"
BARE_NAMESPACE: Final = "bench-bare"


def run(asked: argparse.Namespace) -> int:
    """0 where Atoll keeps the promise, 1 where it is slower."""
    home = homes.find()
    serving = single.serving(home)
    if serving is None:
        raise CommandError("nothing to measure: start ./atoll up in another terminal first")
    atoll = through_atoll.connect(home, serving.url)
    bare = bare_helm.connect(_admin(home, serving.host))
    _warn_of_load()
    result = report.Result()
    try:
        for number in range(1, asked.rounds + 1):
            _round(atoll, bare, result)
            say(
                f"round {number}/{asked.rounds}: Atoll {result.atoll[-1]:.1f} s, bare Helm {result.bare[-1]:.1f} s"
            )
    finally:
        _clean(atoll, bare)
    show(result.table())
    path = report.write(result)
    show(f"written to {path}")
    return 0 if result.kept else 1


def _round(atoll: Atoll, bare: Bare, result: report.Result) -> None:
    """One of each; each alone on the host, beside what runs there anyway."""
    result.atoll.append(atoll.create(NAME))
    values = bare.values_of(f"atoll-{through_atoll.TENANT}-{NAME}-{atoll.uid(NAME)[:8]}")
    atoll.delete(NAME)
    result.bare.append(bare.create(BARE_NAMESPACE, values))
    bare.delete(BARE_NAMESPACE)


def _clean(atoll: Atoll, bare: Bare) -> None:
    atoll.delete(NAME)
    bare.delete(BARE_NAMESPACE)


def _admin(home: Home, name: str) -> host.Admin:
    kubeconfig = home.lab / "kubeconfig" if name == LAB_HOST else host_choice.choose("").kubeconfig
    if kubeconfig is None:
        raise CommandError("Atoll runs on a cluster of your own: set ATOLL_KUBECONFIG as for ./atoll up", 2)
    helm = str(home.helm) if Path(home.helm).exists() else shutil.which("helm")
    if helm is None:
        raise CommandError(f"{home.helm} is not there yet: wait until ./atoll up has prepared the host")
    return host.Admin(kubeconfig, helm, home)


def _warn_of_load() -> None:
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores:
        say(f"the machine is busy (load {load:.1f} on {cores} cores): figures will be longer and less even")
