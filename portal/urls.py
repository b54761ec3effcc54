"""Where everything is mounted."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("portal.api.urls")),
    path("", include("portal.web.urls")),
]
