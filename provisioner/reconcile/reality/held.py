"""What a host shows of the devices of its clusters, past their syncers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioner.ports import PODS, Refused
from provisioner.reconcile.pods import ended
from provisioner.reconcile.reclaim import holders
from tenancy.rules import quantities

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from uuid import UUID

    from provisioner.ports import Kube, Object
    from tenancy.rules.reality import Account


@dataclass(frozen=True)
class Held:
    """What the host shows of one cluster."""

    account: Account
    quota: Object | None
    pods: tuple[Object, ...]
    """Those that ask for extended resources and have not run to their end."""

    def used(self) -> dict[str, dict[str, int]]:
        """Class → node → devices."""
        found: dict[str, dict[str, int]] = {}
        for share in self.account.shares:
            nodes: Counter[str] = Counter()
            for holder in holders.holders(self.pods, share, self.account.shares):
                if holder.node:
                    nodes[holder.node] += holder.devices
            found[share.key] = dict(nodes)
        return found


def look(
    kube: Kube,
    accounts: Iterable[Account],
    quotas: Mapping[str, Object],
    present: Iterable[str],
    amiss: Collection[str] = (),
) -> tuple[Held, ...]:
    """Reads the pods of every namespace that holds devices, or may, or in which something was ``amiss``.

    ``present`` are the namespaces that stand.
    """
    there = set(present)
    found = []
    for account in accounts:
        quota = quotas.get(account.namespace)
        wanted = account.shares or account.namespace in amiss or _may_hold(account, quota)
        if account.namespace not in there or not wanted:
            continue
        try:
            pods = kube.find(PODS, account.namespace)
        except Refused:  # on its way out, and our rights in it before it
            continue
        found.append(Held(account, quota, tuple(p for p in pods if not ended(p) and holders.asked(p))))
    return tuple(found)


def used(seen: Iterable[Held]) -> dict[UUID, dict[str, dict[str, int]]]:
    """Cluster → class → node → devices."""
    return {held.account.uid: held.used() for held in seen}


def resource_of(key: str) -> str:
    """The extended resource that a quota's key is about; empty for other keys."""
    name = key.removeprefix("requests.")
    foreign = name == key or "/" not in name or name.startswith("deviceclass.resource.kubernetes.io/")
    return "" if foreign else name


def _may_hold(account: Account, quota: Object | None) -> bool:
    """Whether its quota lets it have devices, counts some, or is missing."""
    if quota is None:
        return account.built
    status = quota.get("status", {})
    amounts = [*status.get("hard", {}).items(), *status.get("used", {}).items()]
    return any(resource_of(key) and quantities.parse(amount) > 0 for key, amount in amounts)
