"""Starts a lab, keeps it running, stops it. One process per lab; the others are its children."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from lab import (
    addons,
    cgroups,
    components,
    configs,
    dns,
    files,
    identities,
    namespaces,
    network,
    nodes,
    runtime,
    view,
    waiting,
)
from lab.client import Client
from lab.errors import LabError, StoppedError
from lab.processes import Crew
from lab.progress import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lab.components import Component
    from lab.instance import Instance, Node
    from lab.namespaces import Namespace
    from lab.progress import Journal

STEPS: Final = 9
LOOK_EVERY: Final = 5.0  # seconds
GRACE: Final = 4.0  # seconds for a process to end by itself
API_GRACE: Final = 10.0
# The first archives are what the cluster's own pods need; the rest follows while it starts.
FIRST_ARCHIVES: Final = 3

PATIENCE: Final = 300  # seconds: ten times what a quiet machine needs, so that a busy one gets there too


class Supervisor:
    """The life of one lab, from its first process to its last."""

    def __init__(self, lab: Instance, journal: Journal, stop: threading.Event) -> None:
        """Run ``lab``, tell ``journal``, end when ``stop`` is set."""
        self._lab = lab
        self._journal = journal
        self._stop = stop
        self._crew = Crew(lab.logs, lab.run / "processes.json")
        self._ways: dict[str, Namespace] = {}
        self._switch: Namespace | None = None
        self._came_from = cgroups.current()
        self._api_is_up = threading.Event()
        self._done = 0
        self._kubeconfig = ""

    def run(self, programs: Path, archives: Sequence[Path]) -> None:
        """Start everything and stay until told to stop, then stop everything.

        Raises LabError when the start fails; everything is stopped then, too. Links, routes and cgroups are
        the caller's to remove (``reap.traces``).
        """
        try:
            self._start(programs, archives)
            self._stay()
        except StoppedError:
            pass
        finally:
            self._end()

    def _start(self, programs: Path, archives: Sequence[Path]) -> None:
        self._step("writing keys and configuration")
        self._kubeconfig = identities.write(self._lab)
        configs.write(self._lab)
        addons.write(self._lab)
        self._step("making namespaces and links")
        self._make_room()
        self._step("starting the API server")
        with ThreadPoolExecutor(len(self._lab.nodes)) as pool:
            starts = [pool.submit(self._start_node, node, programs, archives) for node in self._lab.nodes]
            try:
                self._start_control_plane(programs)
                for start in starts:
                    start.result()
            except BaseException:
                self._stop.set()  # nodes wait for the API server; they must not for ever
                raise
        self._await_ready()

    def _make_room(self) -> None:
        lab = self._lab
        (lab.run / "data").symlink_to(lab.data)
        cgroups.create(f"{lab.cgroup}/system")
        for node in lab.nodes:
            cgroups.create(node.cgroup)
        # From here on every child is born in the lab's cgroup and can be found there.
        cgroups.enter(f"{lab.cgroup}/system")
        self._switch = namespaces.create(mount=False)
        for node in lab.nodes:
            self._ways[node.name] = namespaces.create(mount=True)
            view.prepare(lab, node, self._ways[node.name])
        network.connect(lab, self._switch, [(node, self._ways[node.name]) for node in lab.nodes])

    def _start_control_plane(self, programs: Path) -> None:
        lab = self._lab
        self._add(components.database(lab, programs))
        self._until((lab.run / "kine.sock").exists, "the database", PATIENCE, "kine")
        self._add(components.api_server(lab, programs))
        client = Client(lab)
        self._until(client.is_up, "the API server", PATIENCE, "kube-apiserver")
        self._step("starting controllers")
        nodes.forget(lab, client)
        self._add(components.controller_manager(lab, programs))
        self._add(components.scheduler(lab, programs))
        addons.apply(lab, client)
        files.write(lab.kubeconfig, self._kubeconfig)
        self._api_is_up.set()
        nodes.remove_others(lab, client)
        self._add(components.volumes(lab, programs))
        if lab.options.fake_nodes:
            nodes.add_fakes(lab, client)
            self._add(components.fake_nodes(lab, programs))
        self._step("starting nodes, loading images")

    def _start_node(self, node: Node, programs: Path, archives: Sequence[Path]) -> None:
        by_size = sorted(archives, key=lambda archive: archive.stat().st_size)
        self._add(components.containerd(node, programs))
        self._until(
            lambda: runtime.is_up(node, programs), f"containerd of {node.name}", 30, f"{node.name}-containerd"
        )
        runtime.bring(node, programs, by_size[:FIRST_ARCHIVES])
        # The control plane has its own patience, and sets ``stop`` when that ends.
        waiting.until(self._api_is_up.is_set, "the API server", seconds=2 * PATIENCE, stop=self._stop)
        self._add(components.policies(self._lab, node, programs))
        self._add(components.kube_proxy(node, programs))
        self._add(components.kubelet(self._lab, node, programs))
        runtime.bring(node, programs, by_size[FIRST_ARCHIVES:])

    def _await_ready(self) -> None:
        lab, client = self._lab, Client(self._lab)
        self._step("waiting for the nodes")
        self._until(lambda: nodes.are_ready(lab, client), "the nodes", PATIENCE, "control-plane-kubelet")
        nodes.shape(lab, client)
        self._step("waiting for DNS")
        self._until(lambda: addons.are_there(client), "CoreDNS", PATIENCE, "control-plane-kubelet")
        self._until(
            lambda: dns.answers(lab.ranges.dns), "DNS at its ClusterIP", 60, "control-plane-kube-proxy"
        )
        self._journal.write(State.READY, f"running: {lab.api_url}", STEPS, STEPS)

    def _stay(self) -> None:
        client = Client(self._lab)
        while not self._stop.wait(LOOK_EVERY):
            if not self._lab.data.is_dir():
                return  # the checkout is gone, and so goes its lab
            if client.is_up():
                self._keep_nodes(client)
                self._journal.write(State.READY, f"running: {self._lab.api_url}", STEPS, STEPS)
            else:
                self._journal.write(
                    State.STARTING, "the API server does not answer; it is started again", 0, STEPS
                )

    def _keep_nodes(self, client: Client) -> None:
        try:
            nodes.shape(self._lab, client)
        except (OSError, LabError):
            return  # seen again in a moment; what is wrong with the API server is told elsewhere

    def _end(self) -> None:
        """Stop in the order of who needs whom; what was made is removed by who claimed the lab."""
        self._stop.set()
        self._crew.end()
        # Pods end as by a power cut, which the databases in them are made for.
        self._crew.stop("kubelet", "manager", "scheduler", "provisioner", "kwok", seconds=GRACE)
        for node in self._lab.nodes:
            cgroups.kill(node.cgroup)
        self._crew.stop("containerd", "proxy", "netpol", seconds=GRACE)
        self._crew.stop("apiserver", seconds=API_GRACE)
        self._crew.stop("kine", seconds=GRACE)
        for namespace in (*self._ways.values(), *([self._switch] if self._switch else [])):
            namespace.close()
        cgroups.go_back(self._came_from)

    def _add(self, component: Component) -> None:
        way = self._ways[component.node].prefix if component.node else []
        self._crew.add(component, way)

    def _step(self, text: str) -> None:
        self._done += 1
        self._journal.write(State.STARTING, text, self._done, STEPS)

    def _until(self, condition: Callable[[], bool], what: str, seconds: float, log: str) -> None:
        waiting.until(
            condition, what, seconds=seconds, stop=self._stop, hint=f"see {self._lab.logs}/{log}.log"
        )
