from __future__ import annotations

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers the system checks, and what follows a sign-in."""
        from portal import checks  # noqa: F401, PLC0415 - checks register on import, after the apps
        from portal.web import step_up  # noqa: F401, PLC0415 - listens for sign-ins
