"""Every word is used, explained and has its place."""

from __future__ import annotations

import ast
from itertools import pairwise

from django.apps import apps

from portal.api.errors import STATUS
from tenancy import errors, policy
from tenancy.enums import Permission, Reason
from tests.architecture.sources import modules


def reasons_used() -> set[str]:
    trees = [m.tree for m in modules("portal", "provisioner", "tenancy") if m.path != "tenancy/enums.py"]
    return {
        node.attr
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"
    }


def explained(class_name: str) -> set[str]:
    """Members of an enumeration that are followed by a docstring."""
    (enums,) = (m.tree for m in modules("tenancy") if m.path == "tenancy/enums.py")
    (body,) = (n.body for n in enums.body if isinstance(n, ast.ClassDef) and n.name == class_name)
    pairs = pairwise(body)
    return {
        member.targets[0].id
        for member, after in pairs
        if isinstance(member, ast.Assign)
        and isinstance(member.targets[0], ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }


def kinds(base: type[errors.DomainError]) -> set[type[errors.DomainError]]:
    return {base}.union(*(kinds(one) for one in base.__subclasses__()))


def test_every_reason_is_used():
    assert {r.name for r in Reason} - reasons_used() == set()


def test_every_reason_is_explained():
    assert {r.name for r in Reason} - explained("Reason") == set()


def test_every_domain_error_has_an_http_status():
    raised = kinds(errors.DomainError) - {errors.DomainError}
    assert {kind.code for kind in raised} == set(STATUS)


def test_every_domain_error_has_a_code_of_its_own():
    codes = [kind.code for kind in kinds(errors.DomainError)]
    assert len(codes) == len(set(codes))


def test_every_permission_is_given_to_some_role():
    given = set().union(*policy.ROLES.values(), *policy.PLATFORM_ROLES.values())
    assert set(Permission) - given == set()


def test_every_model_says_what_it_is():
    silent = [m.__name__ for m in apps.get_app_config("tenancy").get_models() if "__str__" not in vars(m)]
    assert silent == []
