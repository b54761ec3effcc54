"""What the pages are made of: nothing from elsewhere, nothing inline, colours with contrast."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import get_template
from django.test import Client

from tests import factories
from tests.portal.web.conftest import World, shown

PORTAL = Path(__file__).resolve().parents[3] / "portal"
TEMPLATES = sorted((PORTAL / "templates").rglob("*.html"))
INLINE = re.compile(
    r"""<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:|https?://(?!www\.w3\.org)"""
)
PAIRS = [
    ("ink", "bg"),
    ("ink", "surface"),
    ("ink-2", "sunken"),
    ("muted", "bg"),
    ("muted", "surface"),
    ("muted", "sunken"),
    ("accent", "bg"),
    ("accent", "surface"),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("muted", "accent-soft"),
    ("surface", "bad"),
    ("bad", "surface"),
    *((tone, f"{tone}-soft") for tone in ("good", "busy", "warn", "bad", "idle")),
    *(("ink", f"{tone}-soft") for tone in ("good", "busy", "warn", "bad", "idle")),
]


def test_htmx_is_the_file_that_was_vetted() -> None:
    folder = PORTAL / "static" / "vendor" / "htmx"
    told = re.search(r"sha256\s+([0-9a-f]{64})", (folder / "README.md").read_text())
    assert told is not None
    assert hashlib.sha256((folder / "htmx.min.js").read_bytes()).hexdigest() == told[1]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_template_has_nothing_inline_and_nothing_from_elsewhere(path: Path) -> None:
    assert INLINE.findall(path.read_text()) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_template_compiles(path: Path) -> None:
    get_template(str(path.relative_to(PORTAL / "templates")))


def test_every_static_file_that_a_page_names_is_there() -> None:
    named = {name for path in TEMPLATES for name in re.findall(r"{% static '([^']+)' %}", path.read_text())}
    assert [name for name in named if finders.find(name) is None] == []


def test_every_icon_that_a_page_names_is_in_the_sprite() -> None:
    named = {name for path in TEMPLATES for name in re.findall(r'{% icon "(\w+)" %}', path.read_text())}
    assert named - set(re.findall(r'id="(\w+)"', (PORTAL / "static" / "icons.svg").read_text())) == set()


def tokens(scheme: str) -> dict[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", (PORTAL / "static" / "atoll.css").read_text(), re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found if scheme == "light" else found | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(scheme: str) -> None:
    colours = tokens(scheme)
    poor = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in PAIRS}
    assert {pair: value for pair, value in poor.items() if value < 4.5} == {}
    assert contrast(colours["control-line"], colours["surface"]) >= 3


def test_pages_send_the_strict_policy(world: World) -> None:
    policy = world.client("alice").get("/")["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy


def test_unknown_address_is_a_friendly_page(world: World) -> None:
    response = world.client("alice").get("/no/such/page")
    assert (response.status_code, "Go to my clusters" in shown(response)) == (404, True)
    assert Client().get("/no/such/page").status_code == 404


def test_fault_of_ours_is_a_friendly_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from portal.web.views import clusters

    def broken(_actor: object) -> dict[str, object]:
        msg = "secret of the inside"
        raise RuntimeError(msg)

    monkeypatch.setattr(clusters, "_list", broken)
    client = world.client("alice")
    client.raise_request_exception = False
    response = client.get("/")
    assert (response.status_code, "Something broke on our side" in shown(response)) == (500, True)
    assert b"secret of the inside" not in response.content


def test_names_and_messages_are_escaped(world: World) -> None:
    from tenancy.models import HostCluster

    factories.cluster(world.alice, "team", "first")
    HostCluster.objects.update(reachable="False", message="<script>alert(1)</script>")
    body = world.client("root").get("/hosts").content.decode()
    assert ("<script>alert" in body, "&lt;script&gt;alert" in body) == (False, True)
    assert settings.DEBUG is False
