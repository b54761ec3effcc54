"""Writes the tables of docs/roles.md from the code: ``.venv/bin/python docs/roles.py``.

``tests/architecture/test_documents.py`` holds the page to it.
"""

# ruff: noqa: INP001 - a script beside the page it writes, no package
from __future__ import annotations

import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

import django

PAGE: Final = Path(__file__).resolve().with_suffix(".md")
sys.path.insert(0, str(PAGE.parent.parent))
sys.path.append(str(PAGE.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from _pages import between, table  # noqa: E402 - needs the path above

from portal.api import schema  # noqa: E402 - needs the path above
from tenancy.enums import Permission, PlatformRole, Role  # noqa: E402 - needs the path above
from tenancy.policy import PLATFORM_ROLES, ROLES, SCOPES, WRITES  # noqa: E402 - needs the path above
from tenancy.token_enums import Scope  # noqa: E402 - needs the path above

BEGIN: Final = "<!-- from here on written by docs/roles.py -->"
END: Final = "<!-- to here -->"


def written(page: str) -> str:
    """The page with its tables as the code has them."""
    return between(page, BEGIN, END, (_roles(), _scopes()))


def _roles() -> str:
    """Who may do what: in their tenant by role, everywhere by platform role."""
    platform = [PlatformRole.AUDITOR, PlatformRole.ADMIN]
    head = [
        "permission",
        *(role.value for role in Role),
        *(role.value for role in platform),
        "owner, suspended",
    ]
    rows = (
        [
            f"`{permission}`",
            *(_mark(permission in ROLES[role]) for role in Role),
            *(_mark(permission in PLATFORM_ROLES[role]) for role in platform),
            _mark(permission in ROLES[Role.OWNER] - WRITES - {Permission.CLUSTER_ACCESS}),
        ]
        for permission in Permission
    )
    return table(head, rows)


def _scopes() -> str:
    """What each scope is for."""
    found: dict[str, list[str]] = defaultdict(list)
    for path, item in schema.document()["paths"].items():
        for method, operation in item.items():
            for scope in operation["security"][0].get("token", ()):
                found[scope].append(f"{method.upper()} {_shown(path)}")
    rows = (
        [
            f"`{scope}`",
            ", ".join(f"`{permission}`" for permission in sorted(SCOPES[scope])),
            "<br>".join(f"`{one}`" for one in found[scope]),
        ]
        for scope in Scope
    )
    return table(["scope", "permits", "operations under `/api/v1`"], rows)


def _shown(path: str) -> str:
    within = path.removeprefix("/api/v1")
    return within if within != path else f"{path} (at the root)"


def _mark(yes: bool) -> str:  # noqa: FBT001 - what is told
    return "yes" if yes else ""


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
