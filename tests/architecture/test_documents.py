"""Pages that are written from the code say what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

from django.apps import apps

from portal.env import Environment

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_tables_of_sandboxes_are_those_of_the_code():
    page = (DOCS / "sandboxes.md").read_text()
    assert runpy.run_path(str(DOCS / "sandboxes.py"))["written"](page) == page, "run docs/sandboxes.py"


def test_the_tables_of_states_are_those_of_the_code():
    page = (DOCS / "states.md").read_text()
    assert runpy.run_path(str(DOCS / "states.py"))["written"](page) == page, "run docs/states.py"


def test_the_tables_of_roles_are_those_of_the_code():
    page = (DOCS / "roles.md").read_text()
    assert runpy.run_path(str(DOCS / "roles.py"))["written"](page) == page, "run docs/roles.py"


def test_the_types_of_events_are_those_of_the_code():
    page = (DOCS / "events.md").read_text()
    assert runpy.run_path(str(DOCS / "events.py"))["written"](page) == page, "run docs/events.py"


def test_the_metrics_are_those_of_the_code():
    page = (DOCS / "metrics.md").read_text()
    assert runpy.run_path(str(DOCS / "metrics.py"))["written"](page) == page, "run docs/metrics.py"


def test_the_commands_are_those_of_the_code_and_of_the_openapi_document():
    page = (DOCS / "cli.md").read_text()
    assert runpy.run_path(str(DOCS / "cli.py"))["written"](page) == page, "run docs/cli.py"


def test_of_every_table_it_is_said_how_long_its_rows_are_kept():
    page = (DOCS / "retention.md").read_text()
    tables = {model.__name__ for model in apps.get_app_config("tenancy").get_models()}
    assert {name for name in tables if f"`{name}`" not in page} == set()


def test_every_setting_is_told_of():
    pages = "".join(page.read_text() for page in DOCS.glob("*.md"))
    names = {f"ATOLL_{name.upper()}" for name in Environment.model_fields}
    assert {name for name in names if f"`{name}`" not in pages} == set()


def test_every_decision_has_a_number_of_its_own():
    numbers = sorted(int(page.name[:4]) for page in (DOCS / "adr").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
