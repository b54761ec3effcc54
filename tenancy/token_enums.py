"""The vocabulary of what a token may be limited to; as closed as ``tenancy.enums``."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """What a token may be used for: a resource of the API and a verb; ``policy.SCOPES`` says what it permits.

    Every operation needs exactly one. The verbs are independent of each other: who may write
    may not therefore list.
    """

    ACCELERATORS_READ = "accelerators:read"
    ACCELERATORS_WRITE = "accelerators:write"
    AUDIT_READ = "audit:read"
    CLUSTERS_QUARANTINE = "clusters:quarantine"
    CLUSTERS_READ = "clusters:read"
    CLUSTERS_WRITE = "clusters:write"
    EVENTS_READ = "events:read"
    FINDINGS_READ = "findings:read"
    GPU_GRANTS_READ = "gpu-grants:read"
    GPU_GRANTS_WRITE = "gpu-grants:write"
    GPU_REQUESTS_APPROVE = "gpu-requests:approve"
    GPU_REQUESTS_READ = "gpu-requests:read"
    GPU_REQUESTS_WRITE = "gpu-requests:write"
    GPU_USAGE_READ = "gpu-usage:read"
    HOSTS_READ = "hosts:read"
    HOSTS_WRITE = "hosts:write"
    IDENTITIES_READ = "identities:read"
    IDENTITIES_WRITE = "identities:write"
    KUBECONFIGS_CREATE = "kubeconfigs:create"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    METRICS_READ = "metrics:read"
    NOTICES_READ = "notices:read"
    NOTICES_WRITE = "notices:write"
    OPERATIONS_READ = "operations:read"
    REPORTS_READ = "reports:read"
    REPORTS_WRITE = "reports:write"
    SERVICE_ACCOUNTS_READ = "service-accounts:read"
    SERVICE_ACCOUNTS_WRITE = "service-accounts:write"
    TEMPLATES_READ = "templates:read"
    TEMPLATES_WRITE = "templates:write"
    TENANTS_READ = "tenants:read"
    TENANTS_WRITE = "tenants:write"
    TOKENS_READ = "tokens:read"
    TOKENS_ROTATE = "tokens:rotate"
    TOKENS_WRITE = "tokens:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
