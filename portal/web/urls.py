"""Addresses of the pages."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from portal.web.views import (
    access,
    audit,
    clusters,
    findings,
    hosts,
    pools,
    quarantine,
    reports,
    session,
    tenants,
    tokens,
    users,
)

urlpatterns = [
    path("", clusters.home, name="home"),
    path("live", clusters.home_live, name="home-live"),
    path("sign-in", session.SignIn.as_view(), name="sign-in"),
    path("sign-out", LogoutView.as_view(), name="sign-out"),
    path("clusters/new", clusters.create, name="cluster-new"),
    path("clusters/<str:tenant>/<str:name>", clusters.show, name="cluster"),
    path("clusters/<str:tenant>/<str:name>/live", clusters.live, name="cluster-live"),
    path("clusters/<str:tenant>/<str:name>/kubeconfig", access.download, name="cluster-kubeconfig"),
    path("clusters/<str:tenant>/<str:name>/retry", clusters.retry, name="cluster-retry"),
    path("clusters/<str:tenant>/<str:name>/delete", clusters.delete, name="cluster-delete"),
    path("clusters/<str:tenant>/<str:name>/quarantine", quarantine.begin, name="cluster-quarantine"),
    path("clusters/<str:tenant>/<str:name>/quarantine/lift", quarantine.lift, name="cluster-quarantine-lift"),
    path("clusters/<str:tenant>/<str:name>/reports", reports.ask, name="cluster-report-new"),
    path("clusters/<str:tenant>/<str:name>/reports/<uuid:uid>", reports.download, name="cluster-report"),
    path("tenants", tenants.index, name="tenants"),
    path("tenants/new", tenants.create, name="tenant-new"),
    path("tenants/<str:tenant>", tenants.show, name="tenant"),
    path("tenants/<str:tenant>/members", tenants.put_member, name="member-put"),
    path("tenants/<str:tenant>/members/remove", tenants.remove_member, name="member-remove"),
    path("tokens", tokens.index, name="tokens"),
    path("tokens/<uuid:uid>/revoke", tokens.revoke, name="token-revoke"),
    path("users", users.index, name="users"),
    path("hosts", hosts.index, name="hosts"),
    path("hosts/gpu-exposure", hosts.gpu_exposure, name="hosts-gpu"),
    path("hosts/<str:host>/pools", pools.index, name="pools"),
    path("hosts/<str:host>/pools/live", pools.live, name="pools-live"),
    path("hosts/<str:host>/pools/<str:name>/remove", pools.remove, name="pool-remove"),
    path("hosts/<str:host>/nodes/<str:node>/move", pools.move, name="node-move"),
    path("tenants/<str:tenant>/audit", audit.of_tenant, name="tenant-audit"),
    path("audit", audit.index, name="audit"),
    path("audit/export", audit.export, name="audit-export"),
    path("findings", findings.index, name="findings"),
]
