"""A host's API server asked in somebody's name, and the policies under a name of the tests' own."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

CHART = Path(__file__).resolve().parents[2] / "helm" / "host"
MUTATING = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
SETTLES = 60.0
"""Seconds within which a change of policies reaches the API server's admission."""


def client(kubeconfig: Path) -> httpx.Client:
    """As the administrator that a lab's kubeconfig is for."""
    found = yaml.safe_load(kubeconfig.read_text())
    cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for source, name in (
            (cluster, "certificate-authority"),
            (user, "client-certificate"),
            (user, "client-key"),
        ):
            paths[name] = Path(source.get(name, Path(folder) / name))
            if name not in source:
                paths[name].write_bytes(base64.b64decode(source[f"{name}-data"]))
        context = ssl.create_default_context(cafile=str(paths["certificate-authority"]))
        context.load_cert_chain(paths["client-certificate"], paths["client-key"])
    return httpx.Client(base_url=cluster["server"], verify=context, timeout=30)


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    status: int
    text: str

    @property
    def spec(self) -> dict[str, Any]:
        """Of the object as it was stored or would have been."""
        found: dict[str, Any] = json.loads(self.text)["spec"]
        return found

    def refused_by(self, policies: tuple[str, ...]) -> bool:
        named = any(f"ValidatingAdmissionPolicy '{policy}'" in self.text for policy in policies)
        return self.status == httpx.codes.FORBIDDEN and named


@dataclass
class Host:
    """The lab with a copy of the policies that binds only namespaces of this run."""

    api: httpx.Client
    helm: Path
    mark: str

    @property
    def tenant(self) -> str:
        return f"{self.mark}-one"

    @property
    def other(self) -> str:
        return f"{self.mark}-two"

    @property
    def mapped(self) -> str:
        """A tenant whose pods must have user namespaces of their own."""
        return f"{self.mark}-three"

    @property
    def label(self) -> str:
        return f"iso.test/{self.mark}"

    def policy(self, topic: str) -> str:
        return f"{self.mark}-{topic}"

    def names(self, topic: str) -> tuple[str, ...]:
        """Who may speak: where a lab has the real policies too, those bound everywhere may come first."""
        return (self.policy(topic), f"atoll-{topic}")

    def send(self, method: str, path: str, body: Any = None, *, who: str = "", dry: bool = False) -> Answer:
        """``path`` below the server; a patch is a merge patch; ``dry``: judged, not done."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Content-Type": kind, **({"Impersonate-User": who} if who else {})}
        query = {"dryRun": "All"} if dry else {}
        answer = self.api.request(method, path, json=body, headers=headers, params=query)
        return Answer(answer.status_code, answer.text)

    def make(self, path: str, body: Any) -> None:
        answer = self.send("POST", path, body)
        assert answer.status in {200, 201}, answer.text

    def documents(self) -> list[dict[str, Any]]:
        """The tenant policies and their bindings of helm/host, renamed."""
        names = {"name": self.mark, "label": self.label, "namespacePrefix": f"{self.mark}-"}
        sets = [word for key, value in names.items() for word in ("--set", f"policies.{key}={value}")]
        line = [str(self.helm), "template", "copy", str(CHART), "--api-versions", MUTATING, *sets]
        text = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True).stdout
        found = [d for d in yaml.safe_load_all(text) if d]
        return [d for d in found if "tenancy.atoll.internal/policies" in d["metadata"].get("labels", {})]

    def install(self, document: dict[str, Any]) -> None:
        self.make(collection(document), document)

    def remove(self, document: dict[str, Any]) -> None:
        answer = self.send("DELETE", f"{collection(document)}/{document['metadata']['name']}")
        assert answer.status in {200, 202, 404}, answer.text


def collection(document: dict[str, Any]) -> str:
    plural = document["kind"].lower().removesuffix("y") + ("ies" if document["kind"].endswith("y") else "s")
    return f"/apis/admissionregistration.k8s.io/v1/{plural}"


def eventually(look: Any, what: str) -> None:
    end = time.monotonic() + SETTLES
    while not look():
        assert time.monotonic() < end, what
        time.sleep(0.2)
