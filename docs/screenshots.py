"""Makes docs/images/*.png from a real portal with example data: ``.venv/bin/python docs/screenshots.py``.

Needs Debian's chromium. ``--all FOLDER`` takes every page instead, light and dark, wide and narrow.
"""

# ruff: noqa: INP001 - a script beside the pictures it makes, no package
from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from playwright.sync_api import sync_playwright

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from tests.portal.web.chromium import FLAGS, PATH  # noqa: E402 - needs the path above
from tests.portal.web.stage import Stage, opened  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
IMAGES = REPOSITORY / "docs" / "images"
WIDE, NARROW = 1200, 360
PAGES = {
    "list": "/",
    "ready": "/clusters/demo/first",
    "progress": "/clusters/demo/review-214",
    "failed": "/clusters/shop/load-test",
    "deleting": "/clusters/demo/old",
    "gone": "/clusters/demo/past",
    "new": "/clusters/new",
    "delete": "/clusters/demo/first/delete",
    "tenants": "/tenants",
    "tenant": "/tenants/demo",
    "gpu": "/gpu?tenant=demo",
    "gpu-waiting": "/clusters/demo/training",
    "inbox": "/inbox",
    "service-accounts": "/tenants/demo/service-accounts",
    "tokens": "/tokens",
    "not-found": "/clusters/demo/nothing",
}
ADMIN_PAGES = {
    "hosts": "/hosts",
    "users": "/users",
    "tenant-new": "/tenants/new",
    "gpu-approvals": "/gpu/approvals",
    "gpu-catalogue": "/gpu/catalogue",
}
BAD_FORM = {"name": "My Cluster", "cpu": "lots", "memory": "8Gi", "storage": "20Gi", "pods": "2"}


def main() -> None:
    """Sets the stage and takes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page in every look, into FOLDER")
    everything = parser.parse_args().all
    with tempfile.TemporaryDirectory() as home, opened(Path(home)) as stage, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, args=list(FLAGS))
        play(stage)
        if everything:
            take_all(browser, stage, everything)
        else:
            for scheme in SCHEMES:
                pages = {"list": "/", "cluster": PAGES["progress"]}
                take(browser, stage, "ada", pages, IMAGES, scheme, WIDE, whole=False)
        browser.close()


def play(stage: Stage) -> None:
    """Two teams with clusters in every state."""
    for scene in ("people", "more_people", "host"):
        stage.play(scene)
    for tenant, name in (
        ("demo", "first"),
        ("demo", "past"),
        ("demo", "old"),
        ("shop", "staging"),
        ("shop", "load-test"),
        ("demo", "review-214"),
    ):
        stage.play("cluster", tenant, name)
    for tenant, name in (("demo", "first"), ("demo", "past"), ("demo", "old"), ("shop", "staging")):
        stage.play("reach", tenant, name, "5")
        stage.play("ready", tenant, name)
    stage.play("delete", "demo", "past")
    stage.play("gone", "demo", "past")
    stage.play("delete", "demo", "old")
    stage.play("leave", "demo", "old", "1")
    stage.play(
        "stall", "shop", "load-test", "Helm refused the chart: values do not match the schema at '/sync'"
    )
    stage.play("gpus")
    for count in range(6):
        stage.play("reach", "demo", "review-214", str(count))
        time.sleep(0.6)  # so that steps have lengths to show


def take_all(browser: Browser, stage: Stage, folder: Path) -> None:
    """Every page, light and dark, wide and narrow."""
    for scheme in SCHEMES:
        for width in (WIDE, NARROW):
            take(browser, stage, "ada", PAGES, folder, scheme, width)
            take(browser, stage, "root", ADMIN_PAGES, folder, scheme, width)
            take(browser, stage, "stan", {"stranger": "/"}, folder, scheme, width)


def take(
    browser: Browser,
    stage: Stage,
    user: str,
    pages: dict[str, str],
    folder: Path,
    scheme: Scheme,
    width: int,
    *,
    whole: bool = True,
) -> None:
    """One picture of each page as this user sees it."""
    folder.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(
        base_url=stage.url,
        color_scheme=scheme,
        viewport={"width": width, "height": 840},
        device_scale_factor=1.5,
    )
    page = context.new_page()
    page.on("console", lambda message: print(f"{page.url}: {message.text}"))  # noqa: T201 - for who looks on
    if len(pages) > 2:  # noqa: PLR2004 - the whole tour
        page.goto("/sign-in")
        page.screenshot(path=folder / f"sign-in-{scheme}-{width}.png", full_page=True)
    sign_in(page, user, stage.password)
    if "new" in pages:
        faults(page)
        page.screenshot(path=folder / f"faults-{scheme}-{width}.png", full_page=True)
    for name, path in pages.items():
        page.goto(path)
        suffix = f"-{width}" if whole else ""
        page.screenshot(path=folder / f"{name}-{scheme}{suffix}.png", full_page=whole)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            print(f"{name} is wider than {width}")  # noqa: T201 - for who looks on
    context.close()


def faults(page: Page) -> None:
    """A form sent with faults."""
    page.goto("/clusters/new")
    page.get_by_label("Custom").check()
    for field, text in BAD_FORM.items():
        page.locator(f"[name={field}]").fill(text)
    page.get_by_role("button", name="Create cluster").click()
    page.get_by_role("alert").wait_for()


def sign_in(page: Page, user: str, password: str) -> None:
    """Through the front door."""
    page.goto("/sign-in")
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


if __name__ == "__main__":
    main()
