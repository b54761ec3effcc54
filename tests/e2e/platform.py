"""What an admin does to a running Atoll, and what is read on its host."""

from __future__ import annotations

import subprocess

from lab import api
from tests.e2e.stack import wait_for


class Platform:
    """What the admin does, and what is read on the host."""

    def __init__(self, stack, client):
        self.stack, self.api = stack, client

    def do(self, method, path, body=None):
        answer = self.api.request(method, path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def move(self, node, pool, *, discard=False):
        return self.do("POST", f"/hosts/lab/nodes/{node}/move", {"pool": pool, "discardVolumes": discard})

    def settled(self, node):
        """The last move, once none is at work."""
        path = f"/hosts/lab/nodes/{node}"
        wait_for(
            f"{node} has come: {self.do('GET', path)['status']['move']}",
            lambda: self.do("GET", path)["status"]["move"] is None,
            240,
        )
        return self.do("GET", f"{path}/moves")["items"][0]

    def on(self, node):
        """Namespaces of the tenants' pods that are on a node."""
        found = self.stack.host("get", "pods", "-A", f"--field-selector=spec.nodeName={node}")["items"]
        names = {p["metadata"]["namespace"] for p in found}
        return {n for n in names if n.startswith("atoll-") and n != "atoll-node-wipe"}

    def ctr(self, node, *words):
        lab = api.describe(self.stack.home)
        socket = lab.on_nodes.socket.replace("$NODE", node)
        argv = [str(lab.bin_dir / "ctr"), "-a", socket, "-n", "k8s.io", *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
