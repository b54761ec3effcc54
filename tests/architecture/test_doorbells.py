"""Tasks carry ids by name and are short: a bell, not a place for decisions."""

from __future__ import annotations

import ast

from tests.architecture.sources import modules

LONGEST = 10


def tasks() -> list[ast.FunctionDef]:
    functions = [
        n for m in modules("provisioner") for n in ast.walk(m.tree) if isinstance(n, ast.FunctionDef)
    ]
    return [f for f in functions if any("app.task" in ast.unparse(d) for d in f.decorator_list)]


def test_there_are_tasks():
    assert {"reconcile", "canary"} <= {task.name for task in tasks()}


def test_tasks_take_their_arguments_by_name():
    assert [t.name for t in tasks() if t.args.args or t.args.posonlyargs or t.args.vararg] == []


def test_tasks_accept_arguments_of_a_younger_relay():
    assert [t.name for t in tasks() if t.args.kwarg is None] == []


def test_tasks_are_short():
    assert [t.name for t in tasks() if t.body[-1].end_lineno - t.lineno + 1 > LONGEST] == []
