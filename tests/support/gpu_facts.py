"""What a run of random lives keeps of its own beside Atoll's tables: hosts, pods, who agreed to what.

Nothing here asks a rule of Atoll; it counts.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from tenancy.grant_enums import RequestState
from tenancy.models import Allocation, AuditEvent, Grant, GrantRequest
from tenancy.queries import calendar

NODES = {"gpus-1": ("gpus", 3), "gpus-2": ("gpus", 1), "more-1": ("more", 3), "more-2": ("more", 3)}
"""Nodes, their pools and devices."""
SIZES = {"gpus": 4, "more": 6}
"""Pools and their devices."""
_S = RequestState
OPEN = {_S.REQUESTED.value, _S.ENDORSED.value, _S.COUNTERED.value}
OPEN_DAYS = 30
_ANY = "open"
_CLUSTERS = {
    ("", "requested"),
    ("", "approved"),
    (_ANY, "withdrawn"),
    (_ANY, "requested"),
    (_ANY, "approved"),
}
MAY: dict[str, set[tuple[str, str]]] = {
    "submit": {("", "requested"), ("", "approved")},
    "approve": {("requested", "approved"), ("requested", "endorsed"), ("endorsed", "approved")},
    "counter": {(_ANY, "countered")},
    "accept": {("countered", "approved"), ("countered", "endorsed")},
    "decline": {("countered", "declined")},
    "deny": {(_ANY, "denied")},
    "withdraw": {(_ANY, "withdrawn")},
    "tick": {(_ANY, "lapsed")},
    "clusters": _CLUSTERS,
    "": set(),
}
"""What may become of a request by what somebody does: from state and to state; all else is a fault."""


def requests():
    rows = GrantRequest.objects.order_by("requested_at").values(
        "uid", "tenant__name", "state", "amount", "starts_on", "ends_on", "requested_at", "requested_by", "asked_by",
        "endorsed_by", "decided_by", "grant_id", "extends_id",
    )  # fmt: skip
    return {row["uid"]: row for row in rows}


def grants():
    rows = Grant.objects.order_by("created_at").values(
        "uid",
        "tenant__name",
        "pool__name",
        "amount",
        "starts_on",
        "ends_on",
        "activated_at",
        "ended_at",
        "closed_at",
    )
    return {row["uid"]: row for row in rows}


def allocations():
    rows = Allocation.objects.filter(released_at=None)
    return {
        name: (tenant, pool, target, held)
        for name, tenant, pool, target, held in rows.values_list(
            "cluster__name", "tenant__name", "pool__name", "target", "held"
        )
    }


def counts(grant, day):
    """Whether it counts on a day: what is over counts until it is closed, and nobody knows when that is."""
    today = calendar.today()
    over = grant["ended_at"] is not None or grant["ends_on"] <= today
    return grant["closed_at"] is None and grant["starts_on"] <= day and (over or day < grant["ends_on"])


def most(found, since, until):
    """The largest sum of a day."""
    days = [since + timedelta(days=n) for n in range((until - since).days)]
    return max((sum(g["amount"] for g in found if counts(g, day)) for day in days), default=0)


def promised(found):
    """What must be there: what is out now and, on any later day, all that is granted for it and not late by then."""
    today = calendar.today()
    sound = [g for g in found if g["ended_at"] is None and today < g["ends_on"]]
    out = sum(g["amount"] for g in found if g["activated_at"] and not g["closed_at"])
    return max(out, most(sound, today, max((g["ends_on"] for g in sound), default=today)))


class Facts:
    """As of the last step."""

    def __init__(self):
        self.lost: set[str] = set()
        """Nodes that are not ready, or cordoned."""
        self.quota: Counter[str] = Counter()
        """Cluster → what its host admits."""
        self.pods: Counter[str] = Counter()
        """Cluster → devices that its pods hold."""
        self.agreed: dict = {}
        """Request → the admins who agreed to its terms as they stand."""
        self.limits: dict[str, int] = {}
        self.auto = self.two = 0
        self.frozen: set[str] = set()
        self.suspended: set[str] = set()
        self.look()

    def size(self, pool):
        """Devices of a pool that can be granted now."""
        return sum(n for name, (where, n) in NODES.items() if where == pool and name not in self.lost)

    def left(self, pool, tenant, since, until):
        """What can be promised there to a tenant for these days."""
        there = [g for g in self.grants.values() if g["pool__name"] == pool]
        mine = [g for g in self.grants.values() if g["tenant__name"] == tenant]
        limit = self.limits.get(tenant)
        left = [self.size(pool) - most(there, since, until)]
        left += [limit - most(mine, since, until)] if limit is not None else []
        return max(0, min(left)) if promised(there) <= self.size(pool) else 0

    def look(self):
        self.requests, self.grants, self.allocations = requests(), grants(), allocations()
        self.audited = self._audited()

    def _audited(self):
        return Counter(
            AuditEvent.objects.filter(action__startswith="request.").values_list("target", flat=True)
        )

    def compare(self, verb, by, *, refused):
        """What a step has changed against what it may change."""
        old, held, before, audited = self.requests, self.grants, self.allocations, self.audited
        self.look()
        if refused:
            assert (self.requests, self.grants, self.allocations) == (old, held, before)
        for uid, now in self.requests.items():
            if old.get(uid) != now:
                was = old.get(uid) or {"state": "", "asked_by": [], "grant_id": None}
                assert self.audited[f"request/{uid}"] > audited[f"request/{uid}"], (
                    "a change that nobody wrote down"
                )
                self._moved(verb, by, uid, was, now, held)
        assert set(old) <= set(self.requests), "a request was lost"
        self._grants_moved(verb, held, old)
        for name, (tenant, _, target, _held) in self.allocations.items():
            if tenant in self.frozen:
                assert target <= before.get(name, ("", "", 0, 0))[2], (
                    "given while devices are held beyond the ledger"
                )

    def _moved(self, verb, by, uid, was, now, held):
        states = (was["state"], now["state"])
        assert was["state"] in {"", *OPEN}, f"what was {was['state']} has changed"
        assert {states, (_ANY if was["state"] else "", now["state"])} & MAY[verb], f"{verb} made {states}"
        agreed = self.agreed.setdefault(uid, set())
        if verb in {"approve", "counter", "deny"}:
            assert by not in {was.get("requested_by"), *was["asked_by"]}, f"{by} decided what they asked for"
        if verb == "approve":
            assert by not in agreed, f"{by} agreed twice"
            agreed.add(by)
        elif verb == "counter":
            self.agreed[uid] = {by}
        elif verb == "accept":
            assert by not in agreed, "who made an offer took it"
            assert by in now["asked_by"]
        elif verb == "clusters" and was["state"]:
            self.agreed[uid] = set()
        if verb in {"approve", "accept"}:
            kept = ("amount", "starts_on", "ends_on")
            assert [was[k] for k in kept] == [now[k] for k in kept], "not the terms that were agreed to"
        if now["state"] == "approved":
            self._approved(now, self.agreed[uid], held)

    def _approved(self, now, agreed, held):
        today, tenant, grant = calendar.today(), now["tenant__name"], self.grants[now["grant_id"]]
        since = max(held[now["extends_id"]]["ends_on"] if now["extends_id"] else now["starts_on"], today)
        mine = [g for g in self.grants.values() if g["tenant__name"] == tenant]
        if now["decided_by"] == "policy":
            assert most(mine, since, now["ends_on"]) <= self.auto, "more than the policy lets pass"
        else:
            assert len(agreed) >= (2 if 0 < self.two <= now["amount"] else 1), "too few admins agreed"
        assert tenant not in self.suspended
        assert today < now["ends_on"], "its days are over"
        assert today < now["requested_at"].date() + timedelta(days=OPEN_DAYS), "nobody decided it in time"
        assert (grant["amount"], grant["ends_on"], grant["tenant__name"]) == (
            now["amount"],
            now["ends_on"],
            tenant,
        )
        there = [g for g in self.grants.values() if g["pool__name"] == grant["pool__name"]]
        assert most(there, since, now["ends_on"]) <= self.size(grant["pool__name"]), "more than there is"
        before = [g for g in held.values() if g["pool__name"] == grant["pool__name"]]
        assert promised(before) <= self.size(grant["pool__name"]), "given where devices are missing"
        if tenant in self.limits:
            assert most(mine, since, now["ends_on"]) <= self.limits[tenant], "more than the tenant may have"

    def _grants_moved(self, verb, held, old):
        for uid, now in self.grants.items():
            was = held.get(uid)
            if was is None:
                assert [
                    r for r in self.requests.values() if r["grant_id"] == uid and r["state"] == "approved"
                ]
                continue
            fixed = ("tenant__name", "pool__name", "amount", "starts_on")
            assert [was[k] for k in fixed] == [now[k] for k in fixed], "a grant is not what was granted"
            if was["ends_on"] != now["ends_on"]:
                ways = [
                    r for key, r in self.requests.items()
                    if r["extends_id"] == uid and r["state"] == "approved" and old.get(key) != r
                ]  # fmt: skip
                assert len(ways) == 1, "nobody agreed to more days"
                assert was["ended_at"] is None
                assert calendar.today() < was["ends_on"]
            if was["ended_at"] is None and now["ended_at"] is not None:
                assert verb == "return" or now["ends_on"] <= calendar.today(), "ended before its day"
            if was["closed_at"] is None and now["closed_at"] is not None:
                self._closed(now)

    def _closed(self, grant):
        """Nothing counts any more that a pod still has."""
        here = (grant["tenant__name"], grant["pool__name"])
        left = sum(
            g["amount"]
            for g in self.grants.values()
            if (g["tenant__name"], g["pool__name"]) == here and g["activated_at"] and not g["closed_at"]
        )
        pods = sum(
            self.pods[name] for name, (tenant, pool, *_) in self.allocations.items() if (tenant, pool) == here
        )
        assert pods <= left, "closed before its devices were back"

    def _in_force(self):
        return (g for g in self.grants.values() if g["activated_at"] and not g["ended_at"])

    def hosts_are_within_the_ledger(self):
        for name in {*self.quota, *self.pods}:
            held = self.allocations.get(name, ("", "", 0, 0))[3]
            assert max(self.quota[name], self.pods[name]) <= held, f"{name} has what does not count"
        for pool, size in SIZES.items():
            mine = [name for name, row in self.allocations.items() if row[1] == pool]
            assert sum(self.pods[name] for name in mine) <= size, "one device for two pods"

    def nobody_waits_for_what_is_there(self, asked):
        """``asked``: cluster → tenant, pool and devices that its spec asks for."""
        for name, (tenant, pool, wish) in asked.items():
            _, _, target, held = self.allocations.get(name, ("", "", 0, 0))
            if tenant in self.frozen or target >= wish:
                continue
            mine = [row for row in self.allocations.values() if row[:2] == (tenant, pool)]
            gives = sum(
                g["amount"]
                for g in self._in_force()
                if (g["tenant__name"], g["pool__name"]) == (tenant, pool)
            )
            lacks = max(0, wish - max(held, target))
            fits = (
                sum(row[3] for row in mine) + lacks <= gives
                and sum(row[2] for row in mine) + wish - target <= gives
            )
            assert not fits, f"{name} waits for what its team has"

    def the_clock_was_followed(self, before):
        """After it ticked: what is over is ending, what is back is closed, what can begin has begun.

        ``before``: the grants by then. What only one that just began covers is closed at the next tick.
        """
        today = calendar.today()
        out: Counter[str] = Counter()
        held: Counter[tuple[str, str]] = Counter()
        for g in self.grants.values():
            out[g["pool__name"]] += g["amount"] if g["activated_at"] and not g["closed_at"] else 0
        for tenant, pool, _, count in self.allocations.values():
            held[(tenant, pool)] += count
        for g in self.grants.values():
            pool, account = g["pool__name"], (g["tenant__name"], g["pool__name"])
            assert g["ended_at"] or today < g["ends_on"], "a grant outlived its last day"
            left = sum(
                o["amount"]
                for o in self._in_force()
                if (o["tenant__name"], o["pool__name"]) == account and before[o["uid"]]["activated_at"]
            )
            assert g["closed_at"] or not g["ended_at"] or held[account] > left, "back, and not closed"
            waits = not g["activated_at"] and not g["ended_at"] and g["starts_on"] <= today
            assert not waits or out[pool] + g["amount"] > self.size(pool), (
                "its day has come, its devices are free"
            )
        for r in self.requests.values():
            over = today >= min(r["ends_on"], r["requested_at"].date() + timedelta(days=OPEN_DAYS))
            assert r["state"] not in OPEN or not over, "nobody decided it in time, and it is open"
