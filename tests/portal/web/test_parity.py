"""Whatever a page does, the API does: one line for each address of the portal.

A page without a line here fails, and so does a line that names an operation that there is not.
"""

from __future__ import annotations

from typing import Final

from portal.api import schema
from portal.web.urls import urlpatterns

SESSION: Final = "sessions are for browsers: the API knows tokens, made for decisions where one is taken"
PART: Final = "a part of another page, drawn anew"
_CLUSTER: Final = "/tenants/{tenant}/clusters/{name}"
_TEMPLATE: Final = "/cluster-templates/{name}"
_ADD_ON: Final = "/add-ons/{name}/versions/{version}"
_ACCOUNT: Final = "/tenants/{tenant}/service-accounts/{name}"


def _hooks(whose: str, base: str) -> dict[str, tuple[str, ...] | str]:
    one = f"{base}/{{name}}"
    return {
        f"{whose}-webhooks": (f"GET {base}", f"PUT {one}"),
        f"{whose}-webhook": (f"GET {one}", f"PUT {one}", f"GET {one}/deliveries"),
        f"{whose}-webhook-verb": (f"POST {one}/rotate", f"POST {one}/ping", f"DELETE {one}"),
        f"{whose}-webhook-redeliver": (f"POST {one}/deliveries/{{uid}}/redeliver",),
    }


PAGES: Final[dict[str, tuple[str, ...] | str]] = {
    "home": ("GET /tenants", "GET /tenants/{tenant}/clusters"),
    "home-live": PART,
    "sign-in": SESSION,
    "sign-in-oidc": SESSION,
    "sign-in-oidc-callback": SESSION,
    "step-up": SESSION,
    "sign-out": SESSION,
    "cluster-new": ("POST /tenants/{tenant}/clusters", "GET /tenants/{tenant}/offers"),
    "cluster-quota": (f"PUT {_CLUSTER}",),  # with dry_run
    "cluster": (f"GET {_CLUSTER}", f"GET {_CLUSTER}/findings", f"GET {_CLUSTER}/reports"),
    "cluster-live": PART,
    "cluster-edit": (f"PUT {_CLUSTER}",),
    "cluster-plan": (f"PUT {_CLUSTER}",),  # with dry_run
    "cluster-kubeconfig": (f"POST {_CLUSTER}/kubeconfig",),
    "cluster-retry": (f"POST {_CLUSTER}/retry",),
    "cluster-pause": (f"POST {_CLUSTER}/pause",),
    "cluster-resume": (f"POST {_CLUSTER}/resume",),
    "cluster-delete": (f"DELETE {_CLUSTER}",),
    "cluster-quarantine": (f"POST {_CLUSTER}/quarantine",),
    "cluster-quarantine-lift": (f"DELETE {_CLUSTER}/quarantine",),
    "cluster-report-new": (f"POST {_CLUSTER}/reports",),
    "cluster-report": (f"GET {_CLUSTER}/reports/{{uid}}/download",),
    "gpu": (
        "POST /tenants/{tenant}/gpu-requests",
        "GET /gpu-requests",
        "GET /gpu-grants",
        "GET /accelerator-classes",
    ),
    "gpu-fit": "an estimate beside a form; a cluster's plan (dry_run) and the request's own answer tell the same",
    "gpu-limit": (
        "PUT /tenants/{tenant}/accelerator-limits/{name}",
        "DELETE /tenants/{tenant}/accelerator-limits/{name}",
    ),
    "gpu-usage": ("GET /gpu-usage", "GET /tenants/{tenant}/gpu-usage"),
    "gpu-approvals": ("GET /gpu-requests",),
    "gpu-approvals-live": PART,
    "gpu-catalogue": ("GET /accelerator-classes", "PUT /accelerator-classes/{name}"),
    "gpu-class-remove": ("DELETE /accelerator-classes/{name}",),
    "gpu-request": ("GET /gpu-requests/{uid}",),
    "gpu-request-live": PART,
    "gpu-what-if": ("GET /gpu-requests/{uid}/what-if",),
    "gpu-request-verb": tuple(
        f"POST /gpu-requests/{{uid}}/{verb}"
        for verb in ("approve", "counter", "deny", "accept", "decline", "withdraw")
    ),
    "gpu-grant": ("GET /gpu-grants/{uid}", "POST /gpu-grants/{uid}/extend"),
    "gpu-grant-return": ("POST /gpu-grants/{uid}/return",),
    "gpu-grant-receipt": ("GET /gpu-grants/{uid}/receipt",),
    "inbox": ("GET /notices",),
    "inbox-read": ("POST /notices/read",),
    "inbox-follow": ("POST /notices/read",),
    "templates": ("GET /cluster-templates", f"PUT {_TEMPLATE}"),
    "template": (f"GET {_TEMPLATE}", f"PUT {_TEMPLATE}", f"GET {_TEMPLATE}/versions"),
    "template-remove": (f"DELETE {_TEMPLATE}",),
    "template-publish": (f"PUT {_TEMPLATE}/versions/{{version}}",),
    "template-version": (
        f"GET {_TEMPLATE}/versions/{{version}}",
        f"PUT {_TEMPLATE}/versions/{{version}}",
        f"GET {_TEMPLATE}/versions/{{version}}/impact",
    ),
    "add-ons": ("GET /add-ons",),
    "add-on": (f"GET {_ADD_ON}", "GET /add-ons/{name}/versions"),
    "add-on-publish": (f"PUT {_ADD_ON}",),
    "add-on-remove": (f"DELETE {_ADD_ON}",),
    "tenants": ("GET /tenants",),
    "tenant-new": ("PUT /tenants/{tenant}",),
    "tenant": ("GET /tenants/{tenant}", "GET /tenants/{tenant}/members"),
    "member-put": ("PUT /tenants/{tenant}/members/{username}",),
    "member-remove": ("DELETE /tenants/{tenant}/members/{username}",),
    "service-accounts": ("GET /tenants/{tenant}/service-accounts", f"PUT {_ACCOUNT}"),
    "service-account": (f"GET {_ACCOUNT}", f"PUT {_ACCOUNT}", f"POST {_ACCOUNT}/tokens"),
    "service-account-remove": (f"DELETE {_ACCOUNT}",),
    "service-account-trust": (f"PUT {_ACCOUNT}",),
    "service-account-rotate": (f"POST {_ACCOUNT}/tokens/{{uid}}/rotate",),
    "service-account-revoke": (f"DELETE {_ACCOUNT}/tokens/{{uid}}",),
    "tokens": ("GET /tokens", "POST /tokens"),
    "token-rotate": ("POST /tokens/{uid}/rotate",),
    "token-revoke": ("DELETE /tokens/{uid}",),
    "users": ("GET /users", "POST /users"),
    "user-suspend": ("POST /users/{username}/suspend",),
    "user-resume": ("POST /users/{username}/resume",),
    "identities": ("GET /identities", "POST /identities"),
    "identity-remove": ("DELETE /identities/{uid}",),
    "hosts": ("GET /hosts",),
    "hosts-gpu": ("GET /gpu-exposure",),
    "pools": ("GET /hosts/{host}/pools", "PUT /hosts/{host}/pools/{name}", "GET /hosts/{host}/nodes"),
    "pools-live": PART,
    "pool-remove": ("DELETE /hosts/{host}/pools/{name}",),
    "node-move": ("POST /hosts/{host}/nodes/{name}/move",),
    "tenant-audit": ("GET /tenants/{tenant}/audit",),
    "audit": ("GET /audit", "GET /audit/head"),
    "audit-export": ("GET /audit/export",),
    "findings": ("GET /findings",),
    **_hooks("tenant", "/tenants/{tenant}/webhooks"),
    **_hooks("platform", "/webhooks"),
}
"""Name of an address → the operations that do the same, or why there is none."""


def test_every_page_has_its_line():
    assert {pattern.name for pattern in urlpatterns} == set(PAGES)


def test_every_operation_that_is_named_is_there():
    there = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, item in schema.document()["paths"].items()
        for method in item
    }
    named = {operation for line in PAGES.values() if isinstance(line, tuple) for operation in line}

    assert named - there == set()
