"""Who may do what: one line for each operation of the API, one status for each identity.

``tests/portal/api/test_access.py`` takes the operations from the OpenAPI document: a
new one without a line here fails. Every request is a good one, so a refusal is about
who asks. ``2`` stands for any success.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.support.manifests import MANIFEST

IDENTITIES: Final = (
    "owner",
    "member",
    "viewer",
    "outsider",
    "admin",
    "auditor",
    "nobody",
    "suspended",
    "reader",
)
"""``suspended`` owns a suspended tenant, ``reader`` is the owner with a read-only token."""


@dataclass(frozen=True)
class Line:
    """A request, and what each identity is told; order as in ``IDENTITIES``."""

    request: str
    statuses: tuple[int, ...]
    body: Any = None


_EVERYBODY: Final = (2, 2, 2, 2, 2, 2, 401, 2, 2)
_OPEN: Final = (2,) * 9
_MINE: Final = (2, 404, 404, 404, 404, 404, 401, 2, 2)
"""Things that belong to the person alone."""
_LOOK: Final = (2, 2, 2, 404, 2, 2, 401, 2, 2)
_WRITE: Final = (2, 2, 403, 404, 2, 403, 401, 403, 403)
_OWNERS: Final = (2, 403, 403, 404, 2, 403, 401, 403, 403)
_CREDENTIALS: Final = (2, 403, 403, 404, 2, 2, 401, 2, 2)
_PLATFORM: Final = (403, 403, 403, 403, 2, 403, 401, 403, 403)
_PLATFORM_LOOK: Final = (403, 403, 403, 403, 2, 2, 401, 403, 403)
_ADMINS: Final = (403, 403, 403, 404, 2, 403, 401, 403, 403)
_HOSTS: Final = (404, 404, 404, 404, 2, 2, 401, 404, 404)
"""What is told of hosts and their nodes."""
_ON_HOSTS: Final = (404, 404, 404, 404, 2, 403, 401, 404, 403)
_SPEC: Final[dict[str, Any]] = {"spec": {}}
LATER: Final = (datetime.now(UTC).date() + timedelta(days=90)).isoformat()
"""A day after the end of every grant of the tests."""
_ACCOUNT: Final = "/api/v1/tenants/team/service-accounts/ci"
_LIMIT: Final = "/api/v1/tenants/team/accelerator-limits/spare"
_ADD_ON: Final = "/api/v1/add-ons/motd/versions/1.0.0"
_VERSION: Final = "/api/v1/cluster-templates/web/versions/1.0.0"
"""Of a template that only the team may use."""
_CLUSTER: Final = "/api/v1/tenants/team/clusters/first"


def _hooks(look: tuple[int, ...], manage: tuple[int, ...]) -> list[tuple[str, str, tuple[int, ...], Any]]:
    """What can be asked of webhooks, the same for a tenant's and the platform's."""
    one = "/{name}"
    return [
        ("GET", "", look, None),
        ("GET", one, look, None),
        ("PUT", one, manage, {"spec": {"url": "https://93.184.215.14/hook"}}),
        ("DELETE", one, manage, None),
        ("POST", f"{one}/rotate", manage, None),
        ("POST", f"{one}/ping", manage, None),
        ("GET", f"{one}/deliveries", look, None),
        ("GET", f"{one}/deliveries/{{uid}}", look, None),
        ("POST", f"{one}/deliveries/{{uid}}/redeliver", manage, None),
    ]


MATRIX: Final[dict[str, Line]] = {
    "GET /livez": Line("/livez", _OPEN),
    "GET /readyz": Line("/readyz", _OPEN),
    "GET /metrics": Line("/metrics", _PLATFORM_LOOK),
    "GET /api/v1/openapi.json": Line("/api/v1/openapi.json", _OPEN),
    "GET /api/v1/me": Line("/api/v1/me", _EVERYBODY),
    "GET /api/v1/tokens": Line("/api/v1/tokens", _EVERYBODY),
    "POST /api/v1/tokens": Line(
        "/api/v1/tokens", (2, 2, 2, 2, 2, 2, 401, 2, 403), {"metadata": {"name": "new"}}
    ),
    "GET /api/v1/tokens/{uid}": Line("/api/v1/tokens/{token}", _MINE),
    "DELETE /api/v1/tokens/{uid}": Line("/api/v1/tokens/{token}", (2, 404, 404, 404, 404, 404, 401, 2, 403)),
    "POST /api/v1/tokens/{uid}/rotate": Line(
        "/api/v1/tokens/{token}/rotate", (2, 404, 404, 404, 404, 404, 401, 2, 403), {}
    ),
    "GET /api/v1/tenants/{tenant}/service-accounts": Line("/api/v1/tenants/team/service-accounts", _LOOK),
    "GET /api/v1/tenants/{tenant}/service-accounts/{name}": Line(_ACCOUNT, _LOOK),
    "PUT /api/v1/tenants/{tenant}/service-accounts/{name}": Line(
        _ACCOUNT, _OWNERS, {"spec": {"role": "viewer"}}
    ),
    "DELETE /api/v1/tenants/{tenant}/service-accounts/{name}": Line(_ACCOUNT, _OWNERS),
    "GET /api/v1/tenants/{tenant}/service-accounts/{name}/tokens": Line(f"{_ACCOUNT}/tokens", _CREDENTIALS),
    "POST /api/v1/tenants/{tenant}/service-accounts/{name}/tokens": Line(
        f"{_ACCOUNT}/tokens", _OWNERS, {"metadata": {"name": "new"}}
    ),
    "GET /api/v1/tenants/{tenant}/service-accounts/{name}/tokens/{uid}": Line(
        f"{_ACCOUNT}/tokens/{{account_token}}", _CREDENTIALS
    ),
    "DELETE /api/v1/tenants/{tenant}/service-accounts/{name}/tokens/{uid}": Line(
        f"{_ACCOUNT}/tokens/{{account_token}}", _OWNERS
    ),
    "POST /api/v1/tenants/{tenant}/service-accounts/{name}/tokens/{uid}/rotate": Line(
        f"{_ACCOUNT}/tokens/{{account_token}}/rotate", _OWNERS, {}
    ),
    "POST /api/v1/token-exchange": Line(
        "/api/v1/token-exchange",
        (400,) * 9,  # nobody is known here, and no CI system is allowed
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": "e30.e30.e30",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "service_account": "team/ci",
        },
    ),
    "GET /api/v1/users": Line("/api/v1/users", _PLATFORM_LOOK),
    "POST /api/v1/users": Line("/api/v1/users", _PLATFORM, {"metadata": {"name": "zoe"}}),
    "GET /api/v1/users/{username}": Line("/api/v1/users/vera", _PLATFORM_LOOK),
    "GET /api/v1/identities": Line("/api/v1/identities", _PLATFORM_LOOK),
    "POST /api/v1/identities": Line(
        "/api/v1/identities",
        _PLATFORM,
        {"spec": {"username": "vera", "issuer": "https://id.example", "subject": "s-1"}},
    ),
    "GET /api/v1/identities/{uid}": Line("/api/v1/identities/{identity}", _PLATFORM_LOOK),
    "DELETE /api/v1/identities/{uid}": Line("/api/v1/identities/{identity}", _PLATFORM),
    "POST /api/v1/users/{username}/suspend": Line("/api/v1/users/vera/suspend", _PLATFORM),
    "POST /api/v1/users/{username}/resume": Line("/api/v1/users/vera/resume", _PLATFORM),
    "GET /api/v1/tenants": Line("/api/v1/tenants", _EVERYBODY),
    "GET /api/v1/tenants/{tenant}": Line("/api/v1/tenants/team", _LOOK),
    "PUT /api/v1/tenants/{tenant}": Line("/api/v1/tenants/team", _PLATFORM, _SPEC),
    "DELETE /api/v1/tenants/{tenant}": Line(
        "/api/v1/tenants/team", (403, 403, 403, 404, 409, 403, 401, 403, 403)
    ),
    "GET /api/v1/tenants/{tenant}/offers": Line("/api/v1/tenants/team/offers", _LOOK),
    "GET /api/v1/tenants/{tenant}/audit": Line(
        "/api/v1/tenants/team/audit", (2, 403, 403, 404, 2, 2, 401, 2, 2)
    ),
    "GET /api/v1/tenants/{tenant}/events": Line("/api/v1/tenants/team/events", _LOOK),
    **{
        f"{operation} /api/v1/tenants/{{tenant}}/webhooks{path}": Line(
            f"/api/v1/tenants/team/webhooks{path.format(name='hook', uid='{delivery}')}", statuses, body
        )
        for operation, path, statuses, body in _hooks((2, 403, 403, 404, 2, 2, 401, 2, 2), _OWNERS)
    },
    **{
        f"{operation} /api/v1/webhooks{path}": Line(
            f"/api/v1/webhooks{path.format(name='siem', uid='{message}')}", statuses, body
        )
        for operation, path, statuses, body in _hooks(_PLATFORM_LOOK, _PLATFORM)
    },
    "GET /api/v1/tenants/{tenant}/members": Line("/api/v1/tenants/team/members", _LOOK),
    "GET /api/v1/tenants/{tenant}/members/{username}": Line("/api/v1/tenants/team/members/vera", _LOOK),
    "PUT /api/v1/tenants/{tenant}/members/{username}": Line(
        "/api/v1/tenants/team/members/vera", _OWNERS, {"spec": {"role": "member"}}
    ),
    "DELETE /api/v1/tenants/{tenant}/members/{username}": Line("/api/v1/tenants/team/members/vera", _OWNERS),
    "GET /api/v1/tenants/{tenant}/clusters": Line("/api/v1/tenants/team/clusters", _LOOK),
    "POST /api/v1/tenants/{tenant}/clusters": Line(
        "/api/v1/tenants/team/clusters", _WRITE, {"metadata": {"name": "second"}, **_SPEC}
    ),
    "GET /api/v1/tenants/{tenant}/clusters/{name}": Line(_CLUSTER, _LOOK),
    "PUT /api/v1/tenants/{tenant}/clusters/{name}": Line(
        _CLUSTER, _WRITE, {"spec": {"resources": {"cpu": 2}}}
    ),
    "DELETE /api/v1/tenants/{tenant}/clusters/{name}": Line(_CLUSTER, _WRITE),
    "POST /api/v1/tenants/{tenant}/clusters/{name}/pause": Line(f"{_CLUSTER}/pause", _WRITE, {}),
    "POST /api/v1/tenants/{tenant}/clusters/{name}/resume": Line(f"{_CLUSTER}/resume", _WRITE),
    "POST /api/v1/tenants/{tenant}/clusters/{name}/retry": Line(f"{_CLUSTER}/retry", _WRITE),
    "POST /api/v1/tenants/{tenant}/clusters/{name}/kubeconfig": Line(
        f"{_CLUSTER}/kubeconfig", (2, 2, 2, 404, 2, 403, 401, 403, 2), {}
    ),
    "GET /api/v1/tenants/{tenant}/clusters/{name}/kubeconfigs/{uid}": Line(
        f"{_CLUSTER}/kubeconfigs/{{kubeconfig}}", (2, 404, 404, 404, 404, 404, 401, 403, 404)
    ),
    "POST /api/v1/tenants/{tenant}/clusters/{name}/quarantine": Line(
        f"{_CLUSTER}/quarantine", _ADMINS, {"reason": "an inquiry"}
    ),
    "DELETE /api/v1/tenants/{tenant}/clusters/{name}/quarantine": Line(f"{_CLUSTER}/quarantine", _ADMINS),
    "GET /api/v1/tenants/{tenant}/clusters/{name}/reports": Line(f"{_CLUSTER}/reports", _LOOK),
    "POST /api/v1/tenants/{tenant}/clusters/{name}/reports": Line(f"{_CLUSTER}/reports", _WRITE),
    "GET /api/v1/tenants/{tenant}/clusters/{name}/reports/{uid}": Line(
        f"{_CLUSTER}/reports/{{report}}", _LOOK
    ),
    "GET /api/v1/tenants/{tenant}/clusters/{name}/reports/{uid}/download": Line(
        f"{_CLUSTER}/reports/{{report}}/download", _LOOK
    ),
    "GET /api/v1/attestation/keys": Line("/api/v1/attestation/keys", _OPEN),
    "GET /api/v1/tenants/{tenant}/clusters/{name}/findings": Line(f"{_CLUSTER}/findings", _LOOK),
    "GET /api/v1/findings": Line("/api/v1/findings", (403, 403, 403, 403, 2, 2, 401, 403, 403)),
    "GET /api/v1/operations": Line("/api/v1/operations", _EVERYBODY),
    "GET /api/v1/operations/{uid}": Line("/api/v1/operations/{operation}", _LOOK),
    "GET /api/v1/hosts": Line("/api/v1/hosts", _EVERYBODY),
    "GET /api/v1/hosts/{name}": Line("/api/v1/hosts/lab", _HOSTS),
    "PUT /api/v1/hosts/{name}": Line("/api/v1/hosts/lab", _PLATFORM, {"spec": {"kubeconfig": "in-cluster"}}),
    "DELETE /api/v1/hosts/{name}": Line("/api/v1/hosts/lab", (403, 403, 403, 403, 409, 403, 401, 403, 403)),
    "GET /api/v1/hosts/{name}/gpu-exposure": Line(
        "/api/v1/hosts/lab/gpu-exposure", (404, 404, 404, 404, 2, 2, 401, 404, 404)
    ),
    "GET /api/v1/gpu-exposure": Line("/api/v1/gpu-exposure", _EVERYBODY),
    "GET /api/v1/tenants/{tenant}/pools": Line("/api/v1/tenants/team/pools", _LOOK),
    "GET /api/v1/hosts/{host}/pools": Line("/api/v1/hosts/lab/pools", _HOSTS),
    "GET /api/v1/hosts/{host}/pools/{name}": Line("/api/v1/hosts/lab/pools/gold", _HOSTS),
    "PUT /api/v1/hosts/{host}/pools/{name}": Line(
        "/api/v1/hosts/lab/pools/gold", _ON_HOSTS, {"spec": {"kind": "dedicated", "tenant": "team"}}
    ),
    "DELETE /api/v1/hosts/{host}/pools/{name}": Line(
        "/api/v1/hosts/lab/pools/gold", (404, 404, 404, 404, 2, 403, 401, 404, 403)
    ),
    "GET /api/v1/hosts/{host}/nodes": Line("/api/v1/hosts/lab/nodes", _HOSTS),
    "GET /api/v1/hosts/{host}/nodes/{name}": Line("/api/v1/hosts/lab/nodes/blue", _HOSTS),
    "POST /api/v1/hosts/{host}/nodes/{name}/move": Line(
        "/api/v1/hosts/lab/nodes/blue/move", _PLATFORM, {"pool": "gold"}
    ),
    "GET /api/v1/hosts/{host}/nodes/{name}/moves": Line("/api/v1/hosts/lab/nodes/blue/moves", _HOSTS),
    "GET /api/v1/audit": Line("/api/v1/audit", _PLATFORM_LOOK),
    "GET /api/v1/audit/head": Line("/api/v1/audit/head", _PLATFORM_LOOK),
    "GET /api/v1/audit/export": Line("/api/v1/audit/export", _PLATFORM_LOOK),
    "GET /api/v1/accelerator-classes": Line("/api/v1/accelerator-classes", _EVERYBODY),
    "GET /api/v1/accelerator-classes/{name}": Line("/api/v1/accelerator-classes/spare", _EVERYBODY),
    "PUT /api/v1/accelerator-classes/{name}": Line(
        "/api/v1/accelerator-classes/spare", _PLATFORM, {"spec": {"resource": "amd.com/gpu"}}
    ),
    "DELETE /api/v1/accelerator-classes/{name}": Line("/api/v1/accelerator-classes/spare", _PLATFORM),
    "GET /api/v1/hosts/{name}/accelerators": Line("/api/v1/hosts/lab/accelerators", _HOSTS),
    "GET /api/v1/tenants/{tenant}/accelerator-limits": Line("/api/v1/tenants/team/accelerator-limits", _LOOK),
    "GET /api/v1/tenants/{tenant}/accelerator-limits/{name}": Line(_LIMIT, _LOOK),
    "PUT /api/v1/tenants/{tenant}/accelerator-limits/{name}": Line(_LIMIT, _ADMINS, {"spec": {"amount": 2}}),
    "DELETE /api/v1/tenants/{tenant}/accelerator-limits/{name}": Line(_LIMIT, _ADMINS),
    "GET /api/v1/tenants/{tenant}/gpu-requests": Line("/api/v1/tenants/team/gpu-requests", _LOOK),
    "POST /api/v1/tenants/{tenant}/gpu-requests": Line(
        "/api/v1/tenants/team/gpu-requests",
        _WRITE,
        {"spec": {"class": "gpu", "amount": 1, "justification": "training"}},
    ),
    "GET /api/v1/gpu-requests": Line("/api/v1/gpu-requests", _EVERYBODY),
    "GET /api/v1/gpu-requests/{uid}": Line("/api/v1/gpu-requests/{request}", _LOOK),
    "GET /api/v1/gpu-requests/{uid}/what-if": Line("/api/v1/gpu-requests/{request}/what-if", _ADMINS),
    "POST /api/v1/gpu-requests/{uid}/approve": Line(
        "/api/v1/gpu-requests/{request}/approve", _ADMINS, {"reason": "fine"}
    ),
    "POST /api/v1/gpu-requests/{uid}/counter": Line(
        "/api/v1/gpu-requests/{request}/counter", _ADMINS, {"amount": 1, "reason": "one will do"}
    ),
    "POST /api/v1/gpu-requests/{uid}/deny": Line(
        "/api/v1/gpu-requests/{request}/deny", _ADMINS, {"reason": "no"}
    ),
    "POST /api/v1/gpu-requests/{uid}/accept": Line(  # the admin made this offer: somebody else takes it
        "/api/v1/gpu-requests/{offer}/accept", (2, 2, 403, 404, 403, 403, 401, 403, 403)
    ),
    "POST /api/v1/gpu-requests/{uid}/decline": Line("/api/v1/gpu-requests/{offer}/decline", _WRITE),
    "POST /api/v1/gpu-requests/{uid}/withdraw": Line("/api/v1/gpu-requests/{request}/withdraw", _WRITE),
    "GET /api/v1/tenants/{tenant}/gpu-grants": Line("/api/v1/tenants/team/gpu-grants", _LOOK),
    "GET /api/v1/gpu-grants": Line("/api/v1/gpu-grants", _EVERYBODY),
    "GET /api/v1/gpu-grants/{uid}": Line("/api/v1/gpu-grants/{grant}", _LOOK),
    "POST /api/v1/gpu-grants/{uid}/extend": Line(
        "/api/v1/gpu-grants/{grant}/extend", _WRITE, {"until": LATER, "justification": "not done yet"}
    ),
    "POST /api/v1/gpu-grants/{uid}/return": Line("/api/v1/gpu-grants/{grant}/return", _WRITE, {}),
    "GET /api/v1/gpu-grants/{uid}/receipt": Line("/api/v1/gpu-grants/{closed}/receipt", _LOOK),
    "GET /api/v1/tenants/{tenant}/gpu-usage": Line("/api/v1/tenants/team/gpu-usage", _LOOK),
    "GET /api/v1/gpu-usage": Line("/api/v1/gpu-usage", (403, 403, 403, 403, 2, 2, 401, 403, 403)),
    "GET /api/v1/add-ons": Line("/api/v1/add-ons", _EVERYBODY),
    "GET /api/v1/add-ons/{name}/versions": Line("/api/v1/add-ons/motd/versions", _EVERYBODY),
    "GET /api/v1/add-ons/{name}/versions/{version}": Line(_ADD_ON, _EVERYBODY),
    "PUT /api/v1/add-ons/{name}/versions/{version}": Line(
        _ADD_ON, _PLATFORM, {"spec": {"manifests": MANIFEST}}
    ),
    "DELETE /api/v1/add-ons/{name}/versions/{version}": Line(_ADD_ON, _PLATFORM),
    "GET /api/v1/cluster-templates": Line("/api/v1/cluster-templates", _EVERYBODY),
    "GET /api/v1/cluster-templates/{name}": Line("/api/v1/cluster-templates/web", _LOOK),
    "PUT /api/v1/cluster-templates/{name}": Line(
        "/api/v1/cluster-templates/web", _PLATFORM, {"spec": {"tenants": ["team"], "deprecated": True}}
    ),
    "DELETE /api/v1/cluster-templates/{name}": Line("/api/v1/cluster-templates/web", _PLATFORM),
    "GET /api/v1/cluster-templates/{name}/versions": Line("/api/v1/cluster-templates/web/versions", _LOOK),
    "GET /api/v1/cluster-templates/{name}/versions/{version}": Line(_VERSION, _LOOK),
    "PUT /api/v1/cluster-templates/{name}/versions/{version}": Line(
        _VERSION, _PLATFORM, {"spec": {"cluster": {}, "state": "deprecated"}}
    ),
    "DELETE /api/v1/cluster-templates/{name}/versions/{version}": Line(_VERSION, _PLATFORM),
    "GET /api/v1/cluster-templates/{name}/versions/{version}/impact": Line(f"{_VERSION}/impact", _LOOK),
    "GET /api/v1/notices": Line("/api/v1/notices", _EVERYBODY),
    "POST /api/v1/notices/read": Line("/api/v1/notices/read", (2, 2, 2, 2, 2, 2, 401, 2, 403), {}),
}

_WAITED_FOR: Final[dict[str, int]] = {
    "/api/v1/gpu-requests/{uid}": 503,  # nobody has decided it
    "/api/v1/tenants/{tenant}/webhooks/{name}/deliveries/{uid}": 409,  # it was given up
    "/api/v1/webhooks/{name}/deliveries/{uid}": 409,
}
"""What ``…/ready`` says where it is not 200."""
COLLECTED_ONCE: Final = "/api/v1/tenants/{tenant}/clusters/{name}/kubeconfigs/{uid}"


def _ready() -> dict[str, Line]:
    """Who may read an object may wait for it."""
    single = {name: line for name, line in MATRIX.items() if name.startswith("GET ") and name.endswith("}")}
    return {
        f"{name}/ready": Line(
            f"{line.request}/ready", tuple(_WAITED_FOR.get(path, 2) if s == 2 else s for s in line.statuses)
        )
        for name, line in single.items()
        if (path := name.removeprefix("GET ")) != COLLECTED_ONCE
    }


MATRIX.update(_ready())
