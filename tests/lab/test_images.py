"""Images: the names charts use, links that survive a copy, the same bytes each time."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from lab import build, images
from lab.archive import Layer, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and programs that are only their names."""
    monkeypatch.setenv("ATOLL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("pause", "coredns", "vcluster", "kubernetes", "kine"):
        (folder / name).write_text(f"#!/bin/sh\necho {name} as $0\n")
    return folder


def quiet(_text: str, _done: int, _total: int) -> None:
    pass


def opened(file: Path) -> tuple[dict[str, object], dict[str, object], tarfile.TarFile]:
    with tarfile.open(file) as archive:

        def content(name: str) -> bytes:
            member = archive.extractfile(name)
            assert member
            return member.read()

        [listing] = json.loads(content("manifest.json"))
        [layer] = listing["Layers"]
        settings = json.loads(content(listing["Config"]))
        raw = content(layer)
    assert settings["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(raw).hexdigest()}"]
    return listing, settings, tarfile.open(fileobj=io.BytesIO(raw))


def made(bin_dir: Path, reference: str) -> tuple[dict[str, object], dict[str, object], tarfile.TarFile]:
    files = dict(zip(images.IMAGES, images.ensure(bin_dir, quiet), strict=True))
    return opened(files[reference])


def test_every_image_bears_its_name_and_a_tag(bin_dir: Path) -> None:
    for reference in images.IMAGES:
        listing, _, _ = made(bin_dir, reference)
        assert reference in listing["RepoTags"]  # type: ignore[operator]
        assert ":" in reference
        assert not reference.endswith(":latest")


def test_the_same_programs_give_the_same_bytes(tmp_path: Path, bin_dir: Path) -> None:
    layer = images.contents(images.IMAGES[images.VCLUSTER_IMAGE], bin_dir)
    digests = set()
    for name in ("one", "two"):
        (bin_dir / "vcluster").touch()
        file = tmp_path / name / "image.tar"
        file.parent.mkdir()
        write(file, ["example.test/x:1"], layer, {}, "x86_64")
        digests.add(hashlib.sha256(file.read_bytes()).hexdigest())
        assert [left.name for left in file.parent.iterdir()] == ["image.tar"]
    assert len(digests) == 1


def test_images_are_made_once_and_again_when_a_program_changes(bin_dir: Path) -> None:
    first = images.ensure(bin_dir, quiet)
    times = [file.stat().st_mtime_ns for file in first]
    assert images.ensure(bin_dir, quiet) == first
    assert [file.stat().st_mtime_ns for file in first] == times
    (bin_dir / "coredns").write_text("another")
    changed = {old.name for old, new in zip(first, images.ensure(bin_dir, quiet), strict=True) if old != new}
    assert changed == {"coredns-1.14.2.tar"}


def test_a_missing_program_is_named(bin_dir: Path) -> None:
    (bin_dir / "kine").unlink()
    with pytest.raises(
        images.ImageError, match=r"bin/kine is missing: compile it first \(python -m lab.build kine\)"
    ):
        images.ensure(bin_dir, quiet)


def test_the_control_planes_files_survive_the_init_containers_copy(tmp_path: Path, bin_dir: Path) -> None:
    _, _, layer = made(bin_dir, images.KUBERNETES_IMAGE)
    root = tmp_path / "root"
    layer.extractall(root, filter="tar")
    binaries = tmp_path / "binaries"
    binaries.mkdir()
    copy = [str(root / "bin/busybox"), "cp", "-r", f"{root}/kubernetes/.", f"{binaries}/"]
    subprocess.run(copy, check=True, timeout=30)
    said = subprocess.run(
        [binaries / "kube-apiserver"], capture_output=True, text=True, check=True, timeout=30
    )
    assert said.stdout == f"kubernetes as {binaries}/kube-apiserver\n"
    assert (binaries / "kube-controller-manager").is_symlink()
    assert (binaries / "kine").is_file()


def test_an_image_with_busybox_has_a_shell_and_users(tmp_path: Path, bin_dir: Path) -> None:
    _, settings, layer = made(bin_dir, images.BUSYBOX_IMAGE)
    root = tmp_path / "root"
    layer.extractall(root, filter="tar")
    for applet in ("sh", "wget", "nc", "nslookup", "uname", "sleep", "cat", "cp", "id"):
        assert (root / "bin" / applet).resolve() == root / "bin/busybox"
    assert "nobody:x:65534" in (root / "etc/passwd").read_text()
    assert layer.getmember("tmp").mode == 0o1777
    assert settings["config"]["Cmd"] == ["sh"]  # type: ignore[index]


def test_the_older_control_plane_is_its_own_program(
    tmp_path: Path, bin_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bin_dir / "kubernetes-1.35").write_text("older")
    monkeypatch.setattr(build, "ensure", lambda _names, _report: bin_dir)
    listing, _, layer = opened(images.older_kubernetes(quiet))
    assert listing["RepoTags"] == [images.OLDER_KUBERNETES_IMAGE, "ghcr.io/loft-sh/kubernetes:v1.35.4"]
    layer.extractall(tmp_path / "root", filter="tar")
    assert (tmp_path / "root/kubernetes/kube-apiserver").read_text() == "older"


def test_entry_points_are_those_of_the_originals(bin_dir: Path) -> None:
    def entry(reference: str) -> object:
        return made(bin_dir, reference)[1]["config"]["Entrypoint"]  # type: ignore[index]

    assert entry(images.VCLUSTER_IMAGE) == ["/vcluster", "start"]
    assert entry(images.COREDNS_IMAGE) == ["/coredns"]
    assert entry(images.PAUSE_IMAGE) == ["/pause"]


def test_everything_belongs_to_root_and_parents_come_first(tmp_path: Path, bin_dir: Path) -> None:
    layer = Layer({"a/b/program": bin_dir / "kine"}, {"a/note": "x"}, {"a/b/link": "program"}, {"z": 0o700})
    file = tmp_path / "image.tar"
    write(file, ["example.test/x:1"], layer, {}, "aarch64")
    _, settings, content = opened(file)
    assert content.getnames() == ["a", "a/b", "a/b/link", "a/b/program", "a/note", "z"]
    assert {(entry.uid, entry.gid, entry.mtime) for entry in content} == {(0, 0, 0)}
    assert content.getmember("a/b/program").mode == 0o755
    assert settings["architecture"] == "arm64"
