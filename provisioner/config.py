"""What the provisioner takes from Django's settings, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings

HOST_CHART: Final = Path(__file__).resolve().parent.parent / "helm" / "host"
CHART: Final = Path(__file__).resolve().parent.parent / "helm" / "virtual-cluster"


@dataclass(frozen=True)
class Config:
    """Read once for each process."""

    broker_url: str
    helm: str
    """Path or name of the Helm 4 binary."""
    home: Path
    """Where state is kept; private to us."""
    chart: Path


def load() -> Config:
    """From ``django.conf.settings``."""
    return Config(
        broker_url=settings.ATOLL_BROKER_URL,
        helm=settings.ATOLL_HELM,
        home=Path(settings.ATOLL_HOME),
        chart=CHART,
    )
