"""Compiling: only what is missing, whole or not at all, and never in silence."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lab import build, cache, prune, toolchain
from lab.targets import DEBIAN_PACKAGES, TARGETS

FAKE_GO = """#!/bin/sh
if [ "$1" = env ]; then echo "${FAKE_GO_VERSION:-go1.99.0}"; exit; fi
echo "$PWD $*" >> "$ATOLL_CACHE/calls"
while [ $# -gt 1 ]; do
  if [ "$1" = -o ]; then output=$2; fi
  shift
done
case "$1" in *$FAKE_GO_FAILS) echo "$1: undefined: Thing"; exit 1;; esac
sleep "${FAKE_GO_SLEEPS:-0}"
echo "$1 CGO=$CGO_ENABLED FLAGS=$GOFLAGS ARCH=$GOARCH" > "$output"
chmod 755 "$output"
"""


class Told:
    """Keeps what was reported."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, int, int]] = []

    def __call__(self, text: str, done: int, total: int) -> None:
        self.lines.append((text, done, total))

    @property
    def text(self) -> str:
        return "\n".join(line[0] for line in self.lines)


@pytest.fixture(autouse=True)
def compiler(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, and a compiler that writes down how it was called."""
    if request.node.get_closest_marker("long"):  # asks the real one
        return
    root = tmp_path / "cache"
    monkeypatch.setenv("ATOLL_CACHE", str(root))
    monkeypatch.setenv("FAKE_GO_FAILS", "nothing-does")
    folder = tmp_path / "go"
    folder.mkdir()
    script = folder / "go"
    script.write_text(FAKE_GO)
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def calls() -> list[str]:
    file = cache.cache_root() / "calls"
    return file.read_text().splitlines() if file.exists() else []


def test_all_programs_and_their_links_lie_in_one_folder() -> None:
    folder = build.ensure(None, Told())
    needed = [target for target in TARGETS if not target.on_demand]
    expected = {name for target in needed for name in (target.name, *target.links)}
    assert {file.name for file in folder.iterdir()} == expected
    assert all(os.access(file, os.X_OK) for file in folder.iterdir())
    assert (folder / "kubelet").samefile(folder / "kubernetes")


def test_a_second_call_compiles_nothing_and_gives_the_same_folder() -> None:
    first = build.ensure(["kine", "helm"], Told())
    told = Told()
    assert build.ensure(["helm", "kine"], told) == first
    assert len(calls()) == 2
    assert told.lines == []


def test_only_what_is_missing_is_compiled() -> None:
    build.ensure(["kine"], Told())
    told = Told()
    build.ensure(["kine", "helm"], told)
    assert len(calls()) == 2
    assert told.lines == [("building helm", 1, 2)]


def test_a_link_means_its_program() -> None:
    assert build.ensure(["kubectl"], Told()) == build.ensure(["kubernetes"], Told())


def test_an_older_kubernetes_is_compiled_only_on_demand() -> None:
    assert "kubernetes-1.35" not in {target.name for target in build.select(None)}
    assert (build.ensure(["kubernetes-1.35"], Told()) / "kubernetes-1.35").is_file()


def test_an_unknown_program_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(build.BuildError, match=r"no such program: etcd; there are kubernetes, kine"):
        build.ensure(["kine", "etcd"], Told())


def test_only_runc_is_compiled_with_c_and_a_persons_own_flags_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=mod")
    monkeypatch.setenv("GOARCH", "mips")
    folder = build.ensure(None, Told())
    with_c = {target.name for target in build.select(None) if "CGO=1" in (folder / target.name).read_text()}
    assert with_c == {"runc"}
    assert "FLAGS=-mod=readonly -buildvcs=false ARCH=\n" in (folder / "kine").read_text()


def test_a_failure_shows_the_compilers_words_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO_FAILS", "kine")
    with pytest.raises(build.BuildError, match=r"undefined: Thing") as caught:
        build.ensure(["kine"], Told())
    log = re.search(r"all of it in (\S+)\)", str(caught.value))
    assert log
    assert Path(log[1]).is_file()
    assert not list((cache.cache_root() / "programs").iterdir())
    monkeypatch.setenv("FAKE_GO_FAILS", "nothing-does")
    assert (build.ensure(["kine"], Told()) / "kine").is_file()


def test_a_long_compilation_is_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "HEARTBEAT_SECONDS", 0.3)
    monkeypatch.setenv("FAKE_GO_SLEEPS", "1")
    told = Told()
    build.ensure(["kine"], told)
    assert re.search(r"^building kine \(\d+ s so far\)$", told.text, re.MULTILINE)


def test_a_compilation_without_end_is_ended_with_all_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "TARGET_TIMEOUT", 0.5)
    monkeypatch.setenv("FAKE_GO_SLEEPS", "31.7")
    start = time.monotonic()
    with pytest.raises(build.BuildError, match=r"took longer than"):
        build.ensure(["kine"], Told())
    assert time.monotonic() - start < 25  # the compiler would take 31.7
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert b"sleep\x0031.7\x00" not in commands


def test_two_builders_at_once_compile_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_GO_SLEEPS", "0.7")
    told, folders = [Told(), Told()], list[Path]()
    threads = [
        threading.Thread(target=lambda one=one: folders.append(build.ensure(["kine"], one))) for one in told
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(set(folders)) == 1
    assert len(folders) == 2
    assert len(calls()) == 1
    assert "another builder is at it" in told[0].text + told[1].text


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "netpol/main.go", "netpol/deeper/more.go"])
def test_what_goes_into_a_program_decides_its_key(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "sources" / "cluster"
    for name in ("go.mod", "go.sum", "netpol/main.go", "netpol/main_test.go", "netpol/deeper/more.go"):
        (module / name).parent.mkdir(parents=True, exist_ok=True)
        (module / name).write_text("before")
    monkeypatch.setattr(build, "SOURCES", module.parent)
    [target] = build.select(["atoll-netpol"])
    before = build.key(target, "go1.26.8")
    (module / "netpol/main_test.go").write_text("after")
    assert build.key(target, "go1.26.8") == before
    (module / file).write_text("after")
    assert build.key(target, "go1.26.8") != before
    assert build.key(target, "go1.26.9") != build.key(target, "go1.26.8")


def test_a_go_that_is_too_old_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_installed", lambda _say: toolchain.Toolchain(Path("wheel"), "go1.26.6"))
    assert toolchain.find(print).version == "go1.99.0"
    monkeypatch.setenv("FAKE_GO_VERSION", "go1.26.2")
    monkeypatch.setattr(toolchain, "_candidates", lambda: [Path(os.environ["PATH"].split(":")[0]) / "go"])
    assert toolchain.find(print).go == Path("wheel")


def test_verification_of_modules_is_not_switched_off() -> None:
    settings = build.environment(TARGETS[0])
    assert "-mod=readonly" in settings["GOFLAGS"]
    assert not {"GONOSUMDB", "GONOSUMCHECK", "GOINSECURE"} & settings.keys()
    assert settings.get("GOSUMDB") != "off"


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_program_is_pinned(target: build.Target) -> None:
    module = build.SOURCES / target.module
    pins = (module / "go.mod").read_text()
    if target.package.startswith("."):
        assert list((module / target.package).glob("*.go"))
    else:
        assert re.search(rf"^(tool)?\s+{re.escape(target.package)}$", pins, re.MULTILINE)
        assert target.package.split("/")[0] in (module / "go.sum").read_text()
    assert not re.search(r"=> \.", pins)


@pytest.mark.long
def test_the_policy_engines_own_tests_pass() -> None:
    """In Go: what is dropped, which connections are cut. Needs Go, and fetches all modules once."""
    [target] = build.select(["atoll-netpol"])
    found = toolchain.find(print)
    line = [str(found.go), "test", "-vet=off", "-trimpath", "-count=1", target.package]
    ran = subprocess.run(
        line,
        cwd=build.SOURCES / target.module,
        env=build.environment(target),
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_pruning_keeps_what_is_current_or_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune, "current", lambda: {cache.cache_root() / "sets/new"})
    for name in ("sets/new", "sets/running/bin", "sets/old/bin", "programs/old"):
        (cache.cache_root() / name).mkdir(parents=True)
        (cache.cache_root() / name / "file").write_bytes(b"x" * 1000)
    for draft, age in (("fresh", 0), ("abandoned", 2 * 24 * 3600)):
        (cache.cache_root() / "tmp" / draft).mkdir(parents=True)
        os.utime(cache.cache_root() / "tmp" / draft, (time.time() - age,) * 2)
    program = cache.cache_root() / "sets/running/bin/sleep"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as process:
        try:
            assert {folder.name for folder in prune.prune()} == {"old"}
        finally:
            process.kill()
    assert sorted(folder.name for folder in (cache.cache_root() / "sets").iterdir()) == ["new", "running"]
    assert list((cache.cache_root() / "programs").iterdir()) == []
    assert [draft.name for draft in (cache.cache_root() / "tmp").iterdir()] == ["fresh"]


def test_what_the_compiler_needs_from_debian_is_named() -> None:
    assert {"gcc", "libseccomp-dev", "pkg-config"} <= DEBIAN_PACKAGES.keys()
