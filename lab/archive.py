"""Writes container images as docker-archive files, byte for byte the same each time."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from lab.cache import file_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SEARCH_PATH: Final = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
CREATED: Final = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Layer:
    """What an image holds, by path without a leading slash.

    ``files`` come from this machine (mode 0755), ``texts`` are written as given
    (mode 0644), ``links`` are symbolic, ``folders`` have a mode. Folders above
    any of these are made. All belong to root.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, int] = field(default_factory=dict)


def write(
    target: Path, references: Iterable[str], layer: Layer, config: Mapping[str, Any], machine: str
) -> None:
    """Write an image of one layer to ``target``.

    ``config`` is the image's own (Entrypoint, Cmd, Env, User…), ``machine`` as
    ``os.uname().machine`` says it.
    """
    draft = target.with_name("layer.tar")
    try:
        write_layer(draft, layer)
        layer_id = file_digest(draft)
        settings = _settings(layer_id, config, machine)
        settings_name = f"{hashlib.sha256(settings).hexdigest()}.json"
        listing = [
            {"Config": settings_name, "RepoTags": list(references), "Layers": [f"{layer_id}/layer.tar"]}
        ]
        with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
            _add_bytes(archive, "manifest.json", json.dumps(listing).encode())
            _add_bytes(archive, settings_name, settings)
            _add_file(archive, f"{layer_id}/layer.tar", draft, 0o644)
    finally:
        draft.unlink(missing_ok=True)


def write_layer(target: Path, layer: Layer) -> None:
    """Write a layer alone, parents before what they hold."""
    names = [*layer.files, *layer.texts, *layer.links]
    folders = {
        str(parent): 0o755 for name in [*names, *layer.folders] for parent in PurePosixPath(name).parents
    }
    folders |= layer.folders
    del folders["."]
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted({*folders, *names}):
            if name in folders:
                archive.addfile(_entry(name, folders[name], tarfile.DIRTYPE))
            elif name in layer.links:
                archive.addfile(_entry(name, 0o777, tarfile.SYMTYPE, link=layer.links[name]))
            elif name in layer.texts:
                _add_bytes(archive, name, layer.texts[name].encode())
            else:
                _add_file(archive, name, layer.files[name], 0o755)


def _settings(layer_id: str, config: Mapping[str, Any], machine: str) -> bytes:
    image = {
        "architecture": ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "created": CREATED,
        "config": {"Env": [f"PATH={SEARCH_PATH}"], "WorkingDir": "/", **config},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_id}"]},
        "history": [{"created": CREATED, "created_by": "atoll lab"}],
    }
    return json.dumps(image, sort_keys=True).encode()


def _entry(name: str, mode: int, kind: bytes, size: int = 0, link: str = "") -> tarfile.TarInfo:
    """An entry without a trace of when and by whom it was made."""
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.size, entry.linkname = mode, kind, size, link
    return entry


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    archive.addfile(_entry(name, 0o644, tarfile.REGTYPE, len(content)), io.BytesIO(content))


def _add_file(archive: tarfile.TarFile, name: str, source: Path, mode: int) -> None:
    with source.open("rb") as content:
        archive.addfile(_entry(name, mode, tarfile.REGTYPE, source.stat().st_size), content)
