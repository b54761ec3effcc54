"""What was granted, held and used of accelerators, as JSON or CSV."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

from django.http import HttpResponse

from portal.api.base import Resource, operation
from portal.api.serializers.usage import Usage, UsageQuery, UsageReport
from tenancy.errors import FieldError, Invalid
from tenancy.queries import tenants, usage

if TYPE_CHECKING:
    from datetime import date

    from rest_framework.request import Request
    from rest_framework.response import Response

    from tenancy.models import Tenant

CSV: Final = "text/csv"


class UsageResource(Resource):
    """What both reports share."""

    tag = "gpu-usage"

    def report(self, request: Request, tenant: Tenant | None = None) -> Response:
        """Of one tenant, or of all."""
        since, until = self._days()
        items = usage.report(self.actor, since, until, tenant)
        found = {"since": since, "until": until, "items": items}
        wanted = self.query.get("format") or ("csv" if CSV in request.headers.get("Accept", "") else "json")
        if wanted == "csv":
            return _csv(items, since, until)  # type: ignore[return-value] # DRF passes any answer on
        return self.answer(UsageReport, found)

    def _days(self) -> tuple[date, date]:
        since, until = usage.days(self.query.get("from_"), self.query.get("until"))
        if since >= until:
            detail = f"give a day after {since}: until is exclusive"
            raise Invalid(detail, errors=(FieldError("query.until", "out-of-range", detail),))
        return since, until


class TenantUsage(UsageResource):
    """Of a tenant."""

    @operation("getTenantGpuUsage", {200: UsageReport}, query=UsageQuery, text=CSV)
    def get(self, request: Request, tenant: str) -> Response:
        """Reports device-hours of a tenant by class: granted, held by clusters, used by pods.

        With `?format=csv` or `Accept: text/csv`, as CSV.
        """
        return self.report(request, tenants.get(self.actor, tenant))


class PlatformUsage(UsageResource):
    """Of all tenants."""

    @operation("getGpuUsage", {200: UsageReport}, query=UsageQuery, text=CSV)
    def get(self, request: Request) -> Response:
        """Reports device-hours by tenant and class (admins, auditors); as CSV where asked."""
        return self.report(request)


def _csv(items: tuple[usage.Hours, ...], since: date, until: date) -> HttpResponse:
    """One line for each tenant and class, its first one the names of the members."""
    headers = {"Content-Disposition": f'attachment; filename="gpu-usage-{since}-{until}.csv"'}
    answer = HttpResponse(content_type=CSV, headers=headers)
    rows = csv.DictWriter(answer, ["from", "until", *Usage().fields])
    rows.writeheader()
    for row in Usage(items, many=True).data:
        rows.writerow({"from": since, "until": until, **row})
    return answer
