"""The client as a laptop has it: built from its folder, without Django and Celery."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "atoll_client"
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
NEEDED = "atoll_client.cli.main"
FOREIGN = f"import sys, {NEEDED}; print(sorted({{'django', 'celery', 'portal', 'tenancy', 'kubernetes'}} & set(sys.modules)))"


def run(*words, cwd, **settings):
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), **settings},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_library_pulls_in_nothing_of_the_service(tmp_path):
    assert run(sys.executable, "-c", FOREIGN, cwd=tmp_path, PYTHONPATH=str(FOLDER.parent)) == "[]\n"


@pytest.mark.long
def test_it_installs_alone_and_brings_the_command(tmp_path):
    """Into an environment of its own; what it depends on is lent by ours, for there may be no index."""
    source = shutil.copytree(FOLDER, tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__"))
    wheel = tmp_path / run(sys.executable, "-c", BUILD, tmp_path, cwd=source).splitlines()[-1]
    environment = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    (packages,) = environment.glob("lib/*/site-packages")
    uv = Path(sys.executable).with_name("uv")
    python = environment / "bin" / "python"
    run(uv, "pip", "install", "--offline", "--no-index", "--no-deps", "--python", python, wheel, cwd=tmp_path)
    lent = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "lent.pth").write_text(lent)

    assert run(environment / "bin" / "atoll", "--version", cwd=tmp_path) == "atoll 0.1.0\n"
    assert "login" in run(environment / "bin" / "atoll", "--help", cwd=tmp_path)
    where = run(python, "-c", "import atoll_client; print(atoll_client.__file__)", cwd=tmp_path)
    assert where.startswith(str(packages))
    assert (packages / "atoll_client" / "py.typed").exists()
