"""``./atoll up``: starts everything, tells how far it is, serves until it is told to stop."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Final

from command import database, host_choice, ports, programs, redis, services, single, surroundings
from command import home as homes
from command.guide import Guide
from command.home import LAB_HOST
from command.host_keeper import HostKeeper, registration
from command.supervisor import Supervisor
from command.terminal import CommandError, say
from lab import api as lab_api

if TYPE_CHECKING:
    import argparse

    from command.home import Home
    from command.host_choice import HostChoice

LOOK_SECONDS: Final = 0.2
STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(asked: argparse.Namespace) -> int:
    """Serves in the foreground. Raises CommandError where it cannot start."""
    home = homes.find()
    choice = host_choice.choose(asked.exposure)
    home.prepare()
    with single.claimed(home) as ours:
        if not ours:
            raise CommandError(_where(home))
        _serve(home, choice, asked)
    return 0


def _where(home: Home) -> str:
    found = single.serving(home)
    where = f"at {found.url} (process {found.process.pid})" if found else "and is still starting"
    return f"Atoll runs already, {where}; ./atoll status tells more, ./atoll down stops it"


def _serve(home: Home, choice: HostChoice, asked: argparse.Namespace) -> None:
    for number in STOPS:
        signal.signal(number, signal.default_int_handler)
    stop = threading.Event()
    supervisor = Supervisor(home, surroundings.make(home, asked.port))
    try:
        single.reap(home)
        ports.check(asked.port)
        _start(supervisor, choice, asked, stop)
        while True:
            supervisor.tend()
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        say("stopping; the data stays")
    finally:
        _stop(supervisor, stop)


def _start(
    supervisor: Supervisor, choice: HostChoice, asked: argparse.Namespace, stop: threading.Event
) -> None:
    home, environment = supervisor.home, supervisor.environment
    url, host_ready = f"http://{ports.ADDRESS}:{asked.port}", threading.Event()
    guide = Guide(home, url, demo=not asked.no_demo, host_ready=host_ready, stop=stop)
    surroundings.write(home, environment)
    single.announce(home, url, choice.name)
    if choice.name == LAB_HOST:  # first: it takes the longest
        _start_lab(supervisor, asked)
        guide.follow_lab()
    if environment["ATOLL_BROKER_URL"] == surroundings.broker(home):
        supervisor.start(redis.service(home))
        redis.wait(home)
    database.migrate(home, environment)
    for service in (services.relay(), services.worker()):
        supervisor.start(service)
    registered = registration(home, choice)
    demo = [] if asked.no_demo else ["--demo"]
    for line in database.manage(environment, "bootstrap", *demo, "--host", *registered).splitlines():
        say(line)
    supervisor.start(services.portal(asked.port))  # once it answers, scripts find their tokens
    guide.follow_portal()
    keeper = HostKeeper(home, choice, environment, url, registered, host_ready, stop)
    threading.Thread(target=keeper.run, daemon=True).start()


def _start_lab(supervisor: Supervisor, asked: argparse.Namespace) -> None:
    """One that ``./atoll lab up`` started is used as it is, and left running at the end."""
    if lab_api.is_running(supervisor.home.root):
        say("lab: runs already (./atoll lab down ends it)")
        return
    # An old run's word must not pass for a new one's.
    for name in ("kubeconfig", "progress.json"):
        (supervisor.home.lab / name).unlink(missing_ok=True)
    supervisor.start(services.lab(supervisor.home, asked))


def _stop(supervisor: Supervisor, stop: threading.Event) -> None:
    for number in STOPS:  # it is under way; a second Ctrl-C must not leave half of it
        signal.signal(number, signal.SIG_IGN)
    stop.set()
    programs.stop_all()
    supervisor.stop()
    single.withdraw(supervisor.home)
    supervisor.home.clear_sockets()
