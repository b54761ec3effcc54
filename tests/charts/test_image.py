"""What can be checked of the image and of docker-compose.yml without a container engine."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from portal import env

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
OURS = ("migrate", "setup", "portal", "relay", "worker")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text()))


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> Path:
    """What .dockerignore lets into the image, at a place of its own."""
    target = Path(tmp_path_factory.mktemp("image")) / "atoll"
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    for name in (line[1:] for line in lines if line.startswith("!")):
        source, copy = REPOSITORY / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "go"))
        else:
            shutil.copy2(source, copy)
    return target


def inside(context: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """As the image's user would run it: from the copied files alone."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ATOLL_", "DJANGO_", "PYTHON"))}
    ours = {"ATOLL_HOME": str(home), "ATOLL_SECRET_KEY": "test", "ATOLL_SEALING_KEYS": "test"}
    return subprocess.run(
        [sys.executable, *words],
        cwd=context,
        env={**clean, **ours, "DJANGO_SETTINGS_MODULE": "portal.settings", "PYTHONPATH": str(context)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_what_goes_into_the_image_is_enough_to_run(context, tmp_path):
    script = (
        "import django; django.setup()\n"
        "import portal.asgi, provisioner.wiring, provisioner.relay, command.hosts\n"
        "from provisioner import config; assert (config.CHART / 'Chart.yaml').is_file()\n"
    )
    done = inside(context, tmp_path, "-c", script)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["migrate", "bootstrap", "relay", "worker", "alive", "register_host"])
def test_every_command_of_compose_and_chart_is_in_the_image(context, tmp_path, command):
    done = inside(context, tmp_path, "manage.py", command, "--help")
    assert done.returncode == 0, done.stderr


def test_the_image_has_the_helm_that_the_tests_run():
    pinned = re.search(r"helm\.sh/helm/v4 (v[0-9.]+)", (REPOSITORY / "lab/go/cluster/go.mod").read_text())
    in_image = re.search(r"^ARG HELM=\S+:([0-9.]+)$", DOCKERFILE, re.MULTILINE)
    assert pinned is not None
    assert in_image is not None
    assert f"v{in_image[1]}" == pinned[1]


def test_packages_are_installed_by_hash_and_nobody_is_root():
    assert "--require-hashes" in DOCKERFILE
    assert DOCKERFILE.rindex("\nUSER 65532") > DOCKERFILE.rindex("\nRUN ")


def test_compose_sets_only_what_atoll_knows(compose):
    known = {f"ATOLL_{name.upper()}" for name in env.Environment.model_fields}
    for name in OURS:
        assert set(compose["services"][name]["environment"]) <= known


def test_compose_builds_one_image_for_all_of_ours(compose):
    images = {compose["services"][name]["image"] for name in OURS}
    chart = yaml.safe_load((REPOSITORY / "helm/atoll/values.yaml").read_text())["image"]
    assert images == {f"{chart['repository']}:{chart['tag']}"}


def test_every_image_of_compose_is_pinned(compose):
    images = {service["image"] for service in compose["services"].values()}
    assert not [i for i in images if ":" not in i.rpartition("/")[2] or i.endswith(":latest")]


def test_everything_waits_for_what_it_needs(compose):
    services = compose["services"]
    for name, service in services.items():
        for needed, wait in service.get("depends_on", {}).items():
            healthy = wait["condition"] == "service_healthy"
            assert ("healthcheck" in services[needed]) if healthy else (needed in {"migrate", "setup"}), name
    assert [n for n in services if n not in {"migrate", "setup"} and "healthcheck" not in services[n]] == []


def test_the_setup_script_is_one_a_shell_can_read(compose):
    shell, flags, script = compose["services"]["setup"]["command"]
    assert (shell, flags) == ("sh", "-euc")
    assert subprocess.run(["sh", "-n", "-c", script], timeout=10, check=False).returncode == 0
    words = [shlex.split(line) for line in script.strip().splitlines()]
    assert words[0] == ["python", "manage.py", "bootstrap"]
    assert words[-1][:5] == ["python", "-m", "command", "host", "add"]


def test_the_portal_is_reached_from_this_machine_only(compose):
    published = [p for s in compose["services"].values() for p in s.get("ports", [])]
    assert published == ["127.0.0.1:8000:8000"]
