"""No example of docs/iac that nobody has run, unless the page says so and why."""

from __future__ import annotations

import ast
import re

from tests.architecture.sources import REPOSITORY, tracked

FOLDER = "docs/iac/"
PAGE = REPOSITORY / FOLDER / "README.md"
NOT_RUN = "not run here: "


def _rows() -> dict[str, str]:
    """File or folder (with a slash at its end) → where it is executed, from the table of the page."""
    rows = re.findall(r"^\| `([^`]+)` \|.*\| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a file has two rows"
    return dict(rows)


def _row_of(file: str, rows: dict[str, str]) -> list[str]:
    return [row for row in rows if file == row or (row.endswith("/") and file.startswith(row))]


def test_every_example_has_one_row_and_every_row_an_example():
    rows = _rows()
    files = [name.removeprefix(FOLDER) for name in tracked() if name.startswith(FOLDER)]
    found = {file: _row_of(file, rows) for file in files if file != "README.md"}
    assert {file: of for file, of in found.items() if len(of) != 1} == {}
    assert set(rows) == {of[0] for of in found.values()}


def test_what_is_executed_is_executed_by_a_test_that_exists():
    for row, where in _rows().items():
        if where.startswith(NOT_RUN):
            assert len(where) > len(NOT_RUN) + 10, f"{row}: say why"
            continue
        tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", where)
        assert tests, f"{row}: name a test, or say '{NOT_RUN}' and why"
        for path, name in tests:
            tree = ast.parse((REPOSITORY / path).read_text())
            assert name in {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}, (path, name)
