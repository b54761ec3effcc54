"""System checks for traps that Django itself stays silent about."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def migrations_packages_exist(**_: Any) -> list[CheckMessage]:  # noqa: ANN401 - Django's signature
    """A migrations folder without ``__init__.py`` makes Django skip the app's tables without a word."""
    return [
        Error(
            f"{module} is not a package",
            hint=f"create migrations/{app}/__init__.py",
            id="portal.E001",
        )
        for app, module in settings.MIGRATION_MODULES.items()
        if _origin(module) is None
    ]


def _origin(module: str) -> str | None:
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return spec.origin if spec else None
