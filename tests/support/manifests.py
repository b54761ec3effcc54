"""Manifests of add-ons."""

from __future__ import annotations

from typing import Any, Final

import yaml

MANIFEST: Final = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: motd\ndata:\n  text: hello\n"


def config(name: str = "motd", namespace: str = "", text: str = "hello", **metadata: Any) -> dict[str, Any]:
    """A ConfigMap."""
    where = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **where, **metadata},
        "data": {"text": text},
    }


def of(*bodies: dict[str, Any]) -> str:
    """As text."""
    return yaml.safe_dump_all(bodies)
