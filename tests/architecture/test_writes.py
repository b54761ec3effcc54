"""Only ``tenancy.actions`` writes rows: one verb, one transaction, one audit row."""

from __future__ import annotations

import ast

from tests.architecture.sources import modules

ALWAYS = {"bulk_create", "bulk_update", "get_or_create", "update_or_create", "save", "asave", "set_password"}
ON_ROWS = {"create", "update", "delete", "acreate", "aupdate", "adelete"}
QUERYSETS = {"objects", "filter", "exclude", "all", "order_by", "select_for_update"}


def writes(tree: ast.AST) -> list[int]:
    """Lines that write rows. A queryset kept in a variable slips by; reviews see to that."""
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    return [call.lineno for call in calls if is_write(call.func)]


def is_write(function: ast.expr) -> bool:
    assert isinstance(function, ast.Attribute)
    if function.attr in ALWAYS:
        return True
    return function.attr in ON_ROWS and bool(QUERYSETS & chain(function.value))


def chain(node: ast.expr) -> set[str]:
    """``X.objects.filter(…).all()`` → its names."""
    names = set()
    while isinstance(node, (ast.Attribute, ast.Call)):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
            node = node.value
        else:
            node = node.func
    return names


def test_only_actions_write():
    found = {
        f"{m.path}:{line}"
        for m in modules("portal", "provisioner", "tenancy", "command")
        if not m.path.startswith("tenancy/actions/")
        for line in writes(m.tree)
    }
    assert found == set()


def test_actions_are_seen_to_write():
    """The test above would be worth nothing if it were blind."""
    assert sum(len(writes(m.tree)) for m in modules("tenancy/actions")) > 20


def test_a_write_is_recognised():
    source = "Tenant.objects.filter(pk=1).update(name='x')\nrow.save()\nname.update(a=1)\n"
    assert writes(ast.parse(source)) == [1, 2]


def names(tree: ast.AST) -> set[str]:
    """Every name and attribute of a module."""
    return {
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in ast.walk(tree)
        if isinstance(n, (ast.Attribute, ast.Name))
    }


def test_transactions_are_units_of_work():
    """Django's own would write no audit rows at its end; see ``tenancy.actions.unit``."""
    found = {
        m.path
        for m in modules("portal", "provisioner", "tenancy")
        for n in ast.walk(m.tree)
        if (isinstance(n, ast.Attribute) and n.attr == "atomic" and ast.unparse(n.value) == "transaction")
        or (isinstance(n, ast.ImportFrom) and n.module == "django.db.transaction")
    }
    assert found == {"tenancy/actions/unit.py"}


def test_the_audit_log_has_one_writer():
    """Whoever else made, changed or removed a row would break the chain, or escape it."""
    writers = {
        m.path
        for m in modules("portal", "provisioner", "tenancy")
        if writes(m.tree) and {"AuditEvent", "AuditHead"} & names(m.tree)
    }
    assert writers == {"tenancy/actions/audit_rows.py"}
