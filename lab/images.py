"""The lab's container images, made from its own programs: no registry is asked.

They bear the names that charts and vCluster itself use, so that a real
installation differs only in where its images come from. There is a shell
(Debian's static busybox) wherever the original has one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lab import build
from lab.archive import Layer, write
from lab.cache import cache_root, digest, elapsed, kept_digest, locked, placing
from lab.errors import LabError
from lab.targets import OLDER_KUBERNETES_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.cache import Report

VCLUSTER_IMAGE: Final = "ghcr.io/loft-sh/vcluster-oss:0.36.1"
"""A tenant's control plane: the syncer, which starts the programs of KUBERNETES_IMAGE."""

KUBERNETES_IMAGE: Final = "ghcr.io/loft-sh/kubernetes:v1.36.0"
"""What a tenant's init container copies from: the tag vCluster 0.36.1 maps 1.36 to.

In the lab the programs inside are 1.36.3, under the tag v1.36.3 as well.
"""

KUBERNETES_IMAGE_PATCHED: Final = "ghcr.io/loft-sh/kubernetes:v1.36.3"
"""The same image under the version its programs report."""

COREDNS_IMAGE: Final = "docker.io/coredns/coredns:1.14.2"
"""A tenant's DNS, as vCluster 0.36.1 names it for Kubernetes 1.36. In the lab, CoreDNS 1.14.7."""

COREDNS_IMAGE_OLDER: Final = "docker.io/coredns/coredns:1.14.1"
"""The same image as vCluster names it for Kubernetes 1.35."""

BUSYBOX_IMAGE: Final = "docker.io/library/busybox:1.36.1"
"""What people try things with, and what helper pods run. In the lab, Debian's busybox."""

OLDER_KUBERNETES_IMAGE: Final = "ghcr.io/loft-sh/kubernetes:v1.35.0"
"""A control plane one minor version back, for trying upgrades; in the lab, 1.35.4.

Not loaded into a lab unasked: see ``older_kubernetes``.
"""

PAUSE_IMAGE: Final = "registry.k8s.io/pause:3.10"
"""What holds a pod's namespaces; containerd's sandbox image."""

BUSYBOX: Final = "busybox"
PROGRAM_TIMEOUT: Final = 10.0

_TEXTS: Final = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
    "etc/group": "root:x:0:\nnobody:x:65534:\n",
    # Without it the C library asks name services that a static program cannot load.
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_FOLDERS: Final = {"tmp": 0o1777, "root": 0o700, "home": 0o755, "etc": 0o755, "var/run": 0o755}


class ImageError(LabError):
    """An image could not be made; the text names what is missing."""


@dataclass(frozen=True, slots=True)
class Image:
    """How an image is made.

    ``programs`` maps a path in the image to a program of the lab's bin folder,
    ``links`` a path to where it points, ``config`` is the image's own. With
    ``with_busybox`` it also has busybox, its applets and the usual users.
    """

    config: Mapping[str, Any]
    programs: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    with_busybox: bool = False
    aliases: tuple[str, ...] = ()


# Links, not copies: ``cp -r`` keeps them, and the three components are one file.
_COMPONENTS: Final = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


def _control_plane(program: str, alias: str) -> Image:
    return Image(
        {"Cmd": ["sh"]},
        {"kubernetes/kubernetes": program, "kubernetes/kine": "kine"},
        {f"kubernetes/{name}": "kubernetes" for name in _COMPONENTS},
        with_busybox=True,
        aliases=(alias,),
    )


IMAGES: Final[dict[str, Image]] = {
    PAUSE_IMAGE: Image({"Entrypoint": ["/pause"], "User": "65535:65535"}, {"pause": "pause"}),
    BUSYBOX_IMAGE: Image({"Cmd": ["sh"]}, with_busybox=True),
    COREDNS_IMAGE: Image(
        {"Entrypoint": ["/coredns"]}, {"coredns": "coredns"}, aliases=(COREDNS_IMAGE_OLDER,)
    ),
    VCLUSTER_IMAGE: Image(
        {"Entrypoint": ["/vcluster", "start"]}, {"vcluster": "vcluster"}, with_busybox=True
    ),
    KUBERNETES_IMAGE: _control_plane("kubernetes", KUBERNETES_IMAGE_PATCHED),
}


def ensure(bin_dir: Path, report: Report) -> list[Path]:
    """The images as docker-archive files, in the order of IMAGES, made where missing.

    ``bin_dir`` is what ``lab.build.ensure`` gave. Raises ImageError if a program
    or busybox is missing.
    """
    done: list[Path] = []
    for reference, image in IMAGES.items():
        report(f"making the image {reference}", len(done), len(IMAGES))
        done.append(_made(reference, image, bin_dir, report))
    return done


def older_kubernetes(report: Report) -> Path:
    """OLDER_KUBERNETES_IMAGE as a docker-archive file, its programs compiled where missing.

    The first time takes about as long as all the lab's programs together do.
    Raises BuildError or ImageError.
    """
    programs = build.ensure(["kubernetes-1.35", "kine"], report)
    image = _control_plane("kubernetes-1.35", f"ghcr.io/loft-sh/kubernetes:{OLDER_KUBERNETES_VERSION}")
    return _made(OLDER_KUBERNETES_IMAGE, image, programs, report)


def _made(reference: str, image: Image, bin_dir: Path, report: Report) -> Path:
    layer = contents(image, bin_dir)
    machine = os.uname().machine
    name = reference.rpartition("/")[2].replace(":", "-")
    folder = cache_root() / "images" / f"{name}-{_key(reference, image, layer, machine)}"
    file = folder / f"{name}.tar"
    with locked(
        folder.name, lambda waited: report(f"{reference}: another is making it, {elapsed(waited)}", 0, 0)
    ):
        if not file.is_file():
            with placing(folder) as draft:
                write(draft / file.name, (reference, *image.aliases), layer, image.config, machine)
    return file


def _key(reference: str, image: Image, layer: Layer, machine: str) -> str:
    programs = [f"{path}={kept_digest(source)}" for path, source in sorted(layer.files.items())]
    rest = [repr(part) for part in (asdict(image), layer.links, layer.texts, layer.folders)]
    return digest([reference, machine, *programs, *rest])


def contents(image: Image, bin_dir: Path) -> Layer:
    """The layer of an image. Raises ImageError if something it is made of is missing."""
    files = {path: bin_dir / program for path, program in image.programs.items()}
    for source in files.values():
        if not source.is_file():
            message = f"{source} is missing: compile it first (python -m lab.build {source.name})"
            raise ImageError(message)
    if not image.with_busybox:
        return Layer(files, links=image.links)
    busybox = _busybox()
    applets = {f"bin/{applet}": BUSYBOX for applet in _applets(busybox) if applet != BUSYBOX}
    return Layer({**files, f"bin/{BUSYBOX}": busybox}, _TEXTS, {**image.links, **applets}, _FOLDERS)


def _busybox() -> Path:
    found = shutil.which(BUSYBOX, path="/bin:/usr/bin")
    if found is None:
        message = "busybox is missing; install it: apt-get install -y busybox-static"
        raise ImageError(message)
    return Path(found)


def _applets(busybox: Path) -> list[str]:
    try:
        ran = subprocess.run(
            [busybox, "--list"], capture_output=True, text=True, timeout=PROGRAM_TIMEOUT, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        message = f"{busybox} --list: {error}"
        raise ImageError(message) from error
    return sorted(ran.stdout.split())
