"""The addresses of the API; each is good with and without a slash at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import URLPattern, path

from portal.api.single import Single, ready
from portal.api.views import (
    accelerators,
    add_ons,
    audit,
    clusters,
    events,
    exchange,
    findings,
    gpu,
    gpu_grants,
    gpu_requests,
    gpu_usage,
    health,
    hosts,
    identities,
    kubeconfigs,
    metrics,
    nodes,
    notices,
    offers,
    operations,
    pools,
    reports,
    service_accounts,
    templates,
    tenants,
    tokens,
    users,
    webhooks,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portal.api.base import Resource

_TENANT = "tenants/<str:tenant>"
_HOST = "hosts/<str:host>"
_ACCOUNT = f"{_TENANT}/service-accounts/<str:name>"
_HOOK = "webhooks/<str:name>"
_CLUSTER = f"{_TENANT}/clusters/<str:name>"
_TEMPLATE = "cluster-templates/<str:name>"
_RESOURCES: dict[str, type[Resource]] = {
    "me": tokens.WhoAmI,
    "tokens": tokens.Tokens,
    "tokens/<uuid:uid>": tokens.OneToken,
    "tokens/<uuid:uid>/rotate": tokens.RotateToken,
    "token-exchange": exchange.TokenExchange,
    "users": users.Users,
    "users/<str:username>": users.OneUser,
    "identities": identities.Identities,
    "identities/<uuid:uid>": identities.OneIdentity,
    "users/<str:username>/suspend": users.SuspendUser,
    "users/<str:username>/resume": users.ResumeUser,
    "tenants": tenants.Tenants,
    _TENANT: tenants.OneTenant,
    f"{_TENANT}/members": tenants.Members,
    f"{_TENANT}/members/<str:username>": tenants.OneMember,
    f"{_TENANT}/service-accounts": service_accounts.ServiceAccounts,
    _ACCOUNT: service_accounts.OneServiceAccount,
    f"{_ACCOUNT}/tokens": service_accounts.AccountTokens,
    f"{_ACCOUNT}/tokens/<uuid:uid>": service_accounts.OneAccountToken,
    f"{_ACCOUNT}/tokens/<uuid:uid>/rotate": service_accounts.RotateAccountToken,
    f"{_TENANT}/offers": offers.TenantOffers,
    f"{_TENANT}/pools": pools.TenantPools,
    f"{_TENANT}/audit": audit.TenantAudit,
    f"{_TENANT}/events": events.TenantEvents,
    f"{_TENANT}/accelerator-limits": accelerators.Limits,
    f"{_TENANT}/accelerator-limits/<str:name>": accelerators.OneLimit,
    f"{_TENANT}/gpu-requests": gpu_requests.TenantRequests,
    f"{_TENANT}/gpu-grants": gpu_grants.TenantGrants,
    f"{_TENANT}/gpu-usage": gpu_usage.TenantUsage,
    f"{_TENANT}/clusters": clusters.Clusters,
    _CLUSTER: clusters.OneCluster,
    f"{_CLUSTER}/pause": clusters.ClusterPause,
    f"{_CLUSTER}/resume": clusters.ClusterResume,
    f"{_CLUSTER}/retry": clusters.ClusterRetry,
    f"{_CLUSTER}/kubeconfig": kubeconfigs.Kubeconfigs,
    f"{_CLUSTER}/kubeconfigs/<uuid:uid>": kubeconfigs.OneKubeconfig,
    f"{_CLUSTER}/quarantine": clusters.ClusterQuarantine,
    f"{_CLUSTER}/reports": reports.Reports,
    f"{_CLUSTER}/reports/<uuid:uid>": reports.OneReport,
    f"{_CLUSTER}/reports/<uuid:uid>/download": reports.ReportDownload,
    "attestation/keys": reports.AttestationKeys,
    f"{_CLUSTER}/findings": findings.ClusterFindings,
    "findings": findings.PlatformFindings,
    "operations": operations.Operations,
    "operations/<uuid:uid>": operations.OneOperation,
    "hosts": hosts.Hosts,
    "hosts/<str:name>": hosts.OneHost,
    "hosts/<str:name>/gpu-exposure": gpu.HostGpuExposure,
    "gpu-exposure": gpu.GpuExposures,
    f"{_HOST}/pools": pools.Pools,
    f"{_HOST}/pools/<str:name>": pools.OnePool,
    f"{_HOST}/nodes": nodes.Nodes,
    f"{_HOST}/nodes/<str:name>": nodes.OneNode,
    f"{_HOST}/nodes/<str:name>/move": nodes.MoveNode,
    f"{_HOST}/nodes/<str:name>/moves": nodes.NodeMoves,
    "audit": audit.PlatformAudit,
    "audit/head": audit.AuditHead,
    "audit/export": audit.AuditExport,
    "accelerator-classes": accelerators.AcceleratorClasses,
    "accelerator-classes/<str:name>": accelerators.OneAcceleratorClass,
    "hosts/<str:name>/accelerators": accelerators.OneHostAccelerators,
    "gpu-requests": gpu_requests.Requests,
    "gpu-requests/<uuid:uid>": gpu_requests.OneRequest,
    "gpu-requests/<uuid:uid>/what-if": gpu_requests.RequestWhatIf,
    "gpu-requests/<uuid:uid>/approve": gpu_requests.Approve,
    "gpu-requests/<uuid:uid>/counter": gpu_requests.Counter,
    "gpu-requests/<uuid:uid>/deny": gpu_requests.Deny,
    "gpu-requests/<uuid:uid>/accept": gpu_requests.Accept,
    "gpu-requests/<uuid:uid>/decline": gpu_requests.Decline,
    "gpu-requests/<uuid:uid>/withdraw": gpu_requests.Withdraw,
    "gpu-grants": gpu_grants.Grants,
    "gpu-grants/<uuid:uid>": gpu_grants.OneGrant,
    "gpu-grants/<uuid:uid>/extend": gpu_grants.Extend,
    "gpu-grants/<uuid:uid>/return": gpu_grants.Return,
    "gpu-grants/<uuid:uid>/receipt": gpu_grants.Receipt,
    "gpu-usage": gpu_usage.PlatformUsage,
    "add-ons": add_ons.AddOns,
    "add-ons/<str:name>/versions": add_ons.AddOnVersions,
    "add-ons/<str:name>/versions/<str:version>": add_ons.OneAddOn,
    "cluster-templates": templates.Templates,
    _TEMPLATE: templates.OneTemplate,
    f"{_TEMPLATE}/versions": templates.Versions,
    f"{_TEMPLATE}/versions/<str:version>": templates.OneVersion,
    f"{_TEMPLATE}/versions/<str:version>/impact": templates.VersionImpact,
    f"{_TENANT}/webhooks": webhooks.TenantWebhooks,
    f"{_TENANT}/{_HOOK}": webhooks.OneTenantWebhook,
    f"{_TENANT}/{_HOOK}/rotate": webhooks.TenantWebhookSecret,
    f"{_TENANT}/{_HOOK}/ping": webhooks.TenantWebhookPing,
    f"{_TENANT}/{_HOOK}/deliveries": webhooks.TenantWebhookDeliveries,
    f"{_TENANT}/{_HOOK}/deliveries/<uuid:uid>": webhooks.OneTenantWebhookDelivery,
    f"{_TENANT}/{_HOOK}/deliveries/<uuid:uid>/redeliver": webhooks.TenantWebhookRedelivery,
    "webhooks": webhooks.PlatformWebhooks,
    _HOOK: webhooks.OnePlatformWebhook,
    f"{_HOOK}/rotate": webhooks.PlatformWebhookSecret,
    f"{_HOOK}/ping": webhooks.PlatformWebhookPing,
    f"{_HOOK}/deliveries": webhooks.PlatformWebhookDeliveries,
    f"{_HOOK}/deliveries/<uuid:uid>": webhooks.OnePlatformWebhookDelivery,
    f"{_HOOK}/deliveries/<uuid:uid>/redeliver": webhooks.PlatformWebhookRedelivery,
    "notices": notices.Notices,
    "notices/read": notices.ReadNotices,
    "openapi.json": health.OpenApi,
}


def _addresses() -> Iterator[tuple[str, type[Resource]]]:
    """Those above, and of each single object whether it is ready."""
    for route, view in _RESOURCES.items():
        yield route, view
        if issubclass(view, Single):
            yield f"{route}/ready", ready(view)


def _both(route: str, view: type[Resource]) -> Iterator[URLPattern]:
    """Two routes, not a redirect, which would lose the body of a PUT."""
    handler = view.as_view()
    yield path(route, handler)
    yield path(f"{route}/", handler)


urlpatterns = [
    *_both("livez", health.Livez),
    *_both("readyz", health.Readyz),
    *_both("metrics", metrics.Metrics),
    *(found for route, view in _addresses() for found in _both(f"api/v1/{route}", view)),
    path("api", health.Nowhere.as_view()),
    path("api/<path:rest>", health.Nowhere.as_view()),
    path("api/", health.Nowhere.as_view()),
]
