"""A person's whole way through the portal, in Debian's chromium, while the world changes under it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.portal.web.chromium import FLAGS, PATH
from tests.portal.web.stage import Stage, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(PATH).exists(), reason="needs Debian's chromium"),
    pytest.mark.timeout(180),
]
SOON = 6_000
"""Milliseconds: three polls and the time a busy machine takes."""
KUBECONFIG = "apiVersion: v1\nkind: Config\n"
SMALL = (
    "/",
    "/clusters/new",
    "/clusters/demo/small",
    "/clusters/demo/small/delete",
    "/clusters/demo/greeted",
    "/clusters/demo/greeted/edit",
    "/add-ons",
    "/add-ons/ingress/versions/2.0.0",
    "/tenants",
    "/tenants/demo",
    "/tenants/demo/service-accounts",
    "/tokens",
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with opened(tmp_path_factory.mktemp("home")) as stage:
        stage.play("people")
        stage.play("host")
        yield stage


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(stage: Stage, browser: Browser) -> Iterator[Page]:
    """Ada, signed in; the page must not say a word to the console (a CSP breach would)."""
    context = browser.new_context(base_url=stage.url)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    sign_in(page, stage)
    yield page
    context.close()
    # The browser itself remarks on forms that come back with faults, htmx on a portal that is lost.
    expected = re.compile("status of 422|net::ERR_FAILED|^htmx:")
    assert [text for text in said if not expected.search(text)] == []


def sign_in(page: Page, stage: Stage, who: str = "ada") -> None:
    page.goto("/sign-in")
    page.get_by_label("User name").fill(who)
    page.get_by_label("Password").fill(stage.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="My clusters")).to_be_visible()


def step(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name="Steps").get_by_role("listitem").filter(has_text=name)


def create(page: Page, name: str) -> None:
    page.goto("/clusters/new")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Small").check()
    page.get_by_role("button", name="Create cluster").click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def test_from_sign_in_to_gone(page: Page, stage: Stage) -> None:
    page.get_by_role("link", name=re.compile("New cluster|Create your first cluster")).click()
    expect(page.get_by_role("heading", name="New cluster")).to_be_visible()
    create(page, "first")
    expect(page.locator(".progress-say")).to_have_text("A worker picks it up within a second.")

    stage.play("reach", "demo", "first", "4")
    expect(step(page, "Network rules")).to_contain_text("done", timeout=SOON)
    expect(step(page, "Control plane release")).to_have_attribute("aria-current", "step")
    expect(page.locator(".progress-say")).to_have_text("Helm is installing release 'cluster'.")
    expect(page.locator("#announce")).to_contain_text("4 of 9 steps done")
    lasting = step(page, "Control plane release").locator("[data-since]")
    before = lasting.inner_text()
    expect(lasting).not_to_have_text(before, timeout=SOON)

    stage.play("ready", "demo", "first")
    expect(page.locator(".progress-say")).to_contain_text("Its API answers, its DNS works", timeout=SOON)
    expect(page.locator("#endpoint")).to_have_text("https://10.180.12.7:443")

    download(page, stage)
    delete(page, stage)


def download(page: Page, stage: Stage) -> None:
    page.get_by_label("Works for").select_option("600")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download kubeconfig").click()
        stage.play("mint", KUBECONFIG)
    assert downloading.value.suggested_filename == "demo-first.yaml"
    assert Path(downloading.value.path()).read_text() == KUBECONFIG
    expect(page.locator("#kubeconfig-told")).to_contain_text("Downloaded demo-first.yaml. It works until")
    expect(page.get_by_text("ada downloaded a kubeconfig")).to_be_visible(timeout=SOON + 5_000)
    # The part was swapped meanwhile: what was chosen and said must have stayed.
    expect(page.get_by_label("Works for")).to_have_value("600")
    expect(page.locator("#kubeconfig-told")).to_contain_text("It works until")


def delete(page: Page, stage: Stage) -> None:
    page.get_by_role("link", name="Delete…").click()
    page.get_by_label("Type first to confirm").fill("first")
    page.get_by_role("button", name="Delete this cluster").click()
    expect(page.get_by_role("heading", name="Deleting first")).to_be_visible()
    stage.play("leave", "demo", "first", "1")
    expect(page.locator(".progress-say")).to_have_text("2 volumes are still there.", timeout=SOON)
    stage.play("gone", "demo", "first")
    expect(page.get_by_role("heading", name="first is gone")).to_be_visible(timeout=SOON)
    page.get_by_role("link", name="Go to my clusters").click()
    expect(page.get_by_role("heading", name="My clusters")).to_be_visible()
    expect(page.get_by_role("link", name="first", exact=True)).to_have_count(0)


def test_live_part_keeps_what_is_open_and_where_the_focus_is(page: Page, stage: Stage) -> None:
    create(page, "open")
    page.locator("#conditions > summary").click()
    page.locator("#delete").focus()
    stage.play("reach", "demo", "open", "2")
    expect(step(page, "Namespace")).to_contain_text("done", timeout=SOON)
    expect(page.locator("#conditions")).to_have_attribute("open", "")
    expect(page.locator("#delete")).to_be_focused()


def test_list_changes_by_itself(page: Page, stage: Stage) -> None:
    stage.play("cluster", "demo", "quiet")
    page.goto("/")
    row = page.get_by_role("row").filter(has_text="quiet")
    expect(row).to_contain_text("Pending")
    stage.play("reach", "demo", "quiet", "5")
    expect(row).to_contain_text("Pod cluster-0 is starting", timeout=SOON)
    stage.play("ready", "demo", "quiet")
    expect(row).to_contain_text("Ready", timeout=SOON)


def test_lost_portal_is_told_and_forgotten_when_it_is_back(page: Page, stage: Stage) -> None:
    stage.play("cluster", "demo", "lost")
    page.goto("/clusters/demo/lost")
    page.route("**/live?*", lambda route: route.abort())
    expect(page.get_by_text("The portal does not answer.")).to_be_visible(timeout=SOON)
    page.unroute("**/live?*")
    expect(page.get_by_text("The portal does not answer.")).to_be_hidden(timeout=SOON)


def test_custom_size_shows_its_fields_and_faults(page: Page) -> None:
    page.goto("/clusters/new")
    expect(page.get_by_label("CPU", exact=True)).to_be_hidden()
    page.get_by_label("Custom").check()
    page.get_by_label("CPU", exact=True).fill("lots")
    page.get_by_label("Name", exact=True).fill("sized")
    page.get_by_role("button", name="Create cluster").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was made yet")
    described = "Cores, such as 4 or 500m 'lots' is not a quantity such as '500m', '4' or '8Gi'."
    expect(page.get_by_label("CPU", exact=True)).to_have_accessible_description(described)
    expect(page.get_by_label("CPU", exact=True)).to_have_value("lots")


def test_whole_form_by_keyboard(page: Page) -> None:
    page.goto("/clusters/new")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type("keys")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="keys", exact=True)).to_be_visible()


def test_pages_fit_a_small_telephone(page: Page, stage: Stage) -> None:
    stage.play("cluster", "demo", "small")
    stage.play("reach", "demo", "small", "5")
    stage.play("add_ons", "demo", "greeted")
    page.set_viewport_size({"width": 360, "height": 740})
    widths = {}
    for address in SMALL:
        page.goto(address)
        widths[address] = page.evaluate("document.documentElement.scrollWidth")
    assert widths == dict.fromkeys(SMALL, 360)


def test_without_scripts(stage: Stage, browser: Browser) -> None:
    context = browser.new_context(base_url=stage.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, stage)
    create(page, "plain")
    stage.play("reach", "demo", "plain", "3")
    page.reload()
    expect(step(page, "Limits")).to_contain_text("done")
    stage.play("ready", "demo", "plain")
    page.reload()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download kubeconfig").click(no_wait_after=True)
        stage.play("mint", KUBECONFIG)
    assert downloading.value.suggested_filename == "demo-plain.yaml"
    context.close()


def test_a_decision_of_an_old_session_waits_for_a_step_up_and_happens_once(
    stage: Stage, browser: Browser
) -> None:
    stage.play("asks")
    context = browser.new_context(base_url=stage.url)
    page = context.new_page()
    sign_in(page, stage, "root")
    page.goto("/gpu/approvals")
    page.get_by_role("main").get_by_role("link", name=re.compile("nvidia-h100")).click()
    asked = page.url
    page.get_by_label("Amount").fill("1")
    page.get_by_label("Reason").fill(REASON)
    stage.play("grow_old")
    page.get_by_role("button", name="Offer the terms above").click()

    expect(page.get_by_role("heading", name="Is it you?")).to_be_visible()
    asking = page.url
    page.get_by_label("Password").fill("a guess")
    page.get_by_role("button", name="It is me").click()
    expect(page.get_by_text("This is not your password")).to_be_visible()
    page.get_by_label("Password").fill(stage.password)
    page.get_by_role("button", name="It is me").click()

    expect(page.get_by_text("Offered. The team accepts or declines it.")).to_be_visible()
    assert page.url == asked
    told = page.get_by_role("definition")
    expect(told.filter(has_text="1 nvidia-h100")).to_be_visible()
    expect(told.filter(has_text="root: ")).to_have_text(f"root: {REASON}")
    page.reload()
    page.goto(asking)  # as somebody does who goes back in the browser
    expect(page.get_by_text("not kept any more")).to_be_visible()
    stage.play("happened", "request.counter", "1")
    context.close()


REASON = 'Fine: see "4711" & <ticket>.\nZoë\'s team needs it sooner.'
"""With all that a form could lose on its way through a page."""
