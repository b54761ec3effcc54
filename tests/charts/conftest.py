from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lab import build

if TYPE_CHECKING:
    from collections.abc import Mapping

CHARTS = Path(__file__).resolve().parents[2] / "helm"


@dataclass(frozen=True)
class Helm:
    """The real Helm, for what it does without a cluster."""

    binary: Path
    folder: Path

    def run(self, verb: str, *arguments: str, values: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        file = self.folder / "values.yaml"
        file.write_text(yaml.safe_dump(dict(values)))
        environment = {f"HELM_{name}_HOME": str(self.folder / name) for name in ("CACHE", "CONFIG", "DATA")}
        line = [str(self.binary), verb, *arguments, "--values", str(file)]
        return subprocess.run(
            line,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )

    def text(self, chart: str, values: Mapping[str, Any]) -> str:
        """What would be installed, as release "cluster" in namespace "atoll-demo-first-00000000"."""
        done = self.run(
            "template", "cluster", str(CHARTS / chart), "-n", "atoll-demo-first-00000000", values=values
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def objects(self, chart: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [document for document in yaml.safe_load_all(self.text(chart, values)) if document]

    def refusal(self, chart: str, values: Mapping[str, Any]) -> str:
        """What Helm says to values it does not take."""
        done = self.run("template", "cluster", str(CHARTS / chart), values=values)
        assert done.returncode != 0, "Helm took values it should refuse"
        return done.stderr

    def lint(self, chart: str, values: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        return self.run("lint", "--strict", str(CHARTS / chart), values=values)


@pytest.fixture(scope="session")
def helm_binary() -> Path:
    """Built by the lab, from the cache but for the first time ever."""
    return build.ensure(["helm"], lambda _text, _done, _total: None) / "helm"


@pytest.fixture
def helm(helm_binary: Path, tmp_path: Path) -> Helm:
    return Helm(helm_binary, tmp_path)


def one(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The only object of that kind and name."""
    (found,) = (o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name)
    return found
