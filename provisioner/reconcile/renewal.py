"""Certificates of a tenant's API: made for a year, made anew by vCluster when it starts in their last 90 days.

vCluster would restart itself for that by editing its StatefulSet, which no tenant
identity may do here; so the platform does it, in good time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509

from provisioner.ports import STATEFUL_SETS
from provisioner.reconcile import labels
from tenancy.rules.names import RELEASE

if TYPE_CHECKING:
    from datetime import datetime

    from provisioner.ports import Object
    from provisioner.reconcile.scope import Scope

IN_GOOD_TIME: Final = timedelta(days=60)
"""Before the end; less than vCluster's 90 days, or the restart would renew nothing."""


def restart_when_due(scope: Scope, certificate: bytes) -> None:
    """Restarts the control plane once per certificate that ends soon; the same mark again changes nothing."""
    serial = ending(certificate, scope.now())
    if serial:
        scope.apply(STATEFUL_SETS, _restarted(scope, serial))


def ending(certificate: bytes, now: datetime) -> str:
    """The serial number of a certificate that ends soon, else empty; so for what is no certificate."""
    try:
        seen = x509.load_pem_x509_certificate(certificate)
    except ValueError:
        return ""
    return format(seen.serial_number, "x") if seen.not_valid_after_utc - now < IN_GOOD_TIME else ""


def _restarted(scope: Scope, serial: str) -> Object:
    """Its pods are made anew when their template changes."""
    template = {"metadata": {"annotations": {labels.RENEWED: serial}}}
    where = {"name": RELEASE, "namespace": scope.desired.namespace}
    return {
        "apiVersion": STATEFUL_SETS.api,
        "kind": STATEFUL_SETS.name,
        "metadata": where,
        "spec": {"template": template},
    }
