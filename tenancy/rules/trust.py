"""Trust policies: which jobs of a CI system may act as a service account, by the claims of their signed tokens."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tenancy.errors import FieldError, Invalid
from tenancy.rules import durations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LIFETIME: Final = 900
LIFETIME_MIN: Final = 60
LIFETIME_MAX: Final = 3600
"""Seconds that a token lives which a job got for its own."""
POLICIES_MAX: Final = 20
CLAIMS_MAX: Final = 20
TEXT_MAX: Final = 255


@dataclass(frozen=True)
class TrustPolicy:
    """Jobs of this issuer whose tokens are meant for ``audience`` and carry all these claims."""

    issuer: str
    claims: Mapping[str, str]
    """Claim → pattern: exact, with ``*`` for anything but ``/`` and ``:``, and ``**`` for anything."""
    audience: str = ""
    """Empty for Atoll's public address."""
    lifetime: int = LIFETIME


def faults(written: Sequence[TrustPolicy], issuers: Sequence[str], path: str) -> Iterator[FieldError]:
    """What is wrong with policies that somebody wrote; ``issuers`` are those that are allowed here."""
    if len(written) > POLICIES_MAX:
        yield FieldError(path, "too-many", f"give at most {POLICIES_MAX} policies")
    for index, policy in enumerate(written[:POLICIES_MAX]):
        yield from _faults(policy, issuers, f"{path}[{index}]")


def read(found: object, path: str) -> list[TrustPolicy]:
    """Policies as somebody wrote them down; raises ``Invalid`` that names each fault of their form."""
    if not isinstance(found, list):
        raise Invalid("give a list: begin each policy with “- issuer:”")
    errors = tuple(fault for index, one in enumerate(found) for fault in _misformed(one, f"{path}[{index}]"))
    if errors:
        raise Invalid("some policies cannot be read", errors=errors)
    return [
        TrustPolicy(**{**one, "lifetime": durations.seconds(one.get("lifetime", f"{LIFETIME}s"))})
        for one in found
    ]


def written(policies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same the other way round, without what is left to Atoll."""
    told = [{**one, "lifetime": f"{one['lifetime']}s"} for one in policies]
    return [
        {key: one[key] for key in ("issuer", "audience", "claims", "lifetime") if one[key]} for one in told
    ]


def refusal(policy: TrustPolicy, claims: Mapping[str, Any], audience: str) -> str:
    """Why a policy does not admit a token with these claims, which were verified; empty when it does."""
    wanted = policy.audience or audience
    if wanted not in _listed(claims.get("aud")):
        return f"aud is not {wanted!r}"
    for name, pattern in policy.claims.items():
        said = _text(claims.get(name))
        if said is None:
            return f"claim {name!r} is missing, or is no plain text"
        if not matches(pattern, said):
            return f"claim {name!r} is {said[:80]!r}, not {pattern!r}"
    return ""


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text fits; capitals count.

    A regular expression would take for ever over a pattern such as ``a*a*a*a*b``; this walks
    once along the text for each part.
    """
    ends = {0}
    for part in re.split(r"(\*\*|\*)", pattern):
        if part in {"*", "**"}:
            ends = set(_onward(text, ends, walls="/:" if part == "*" else ""))
        else:
            ends = {end + len(part) for end in ends if text.startswith(part, end)}
    return len(text) in ends


def _onward(text: str, starts: set[int], *, walls: str) -> Iterator[int]:
    """Every place that can be reached from one of the starts without stepping over a wall."""
    walking = False
    for place in range(len(text) + 1):
        walking = walking or place in starts
        if walking:
            yield place
        if place < len(text) and text[place] in walls:
            walking = False


def _faults(policy: TrustPolicy, issuers: Sequence[str], path: str) -> Iterator[FieldError]:
    if policy.issuer not in issuers:
        known = ", ".join(issuers) or "none: ask an admin to set ATOLL_CI_ISSUERS"
        yield FieldError(
            f"{path}.issuer", "not-allowed", f"{policy.issuer!r} is no issuer here; allowed are {known}"
        )
    if not LIFETIME_MIN <= policy.lifetime <= LIFETIME_MAX:
        yield FieldError(f"{path}.lifetime", "out-of-range", "give between 1m and 1h")
    if not policy.claims or len(policy.claims) > CLAIMS_MAX:
        yield FieldError(
            f"{path}.claims", "required", f"name 1 to {CLAIMS_MAX} claims that only your jobs have"
        )
    elif all(pattern.startswith("*") for pattern in policy.claims.values()):
        detail = "these fit everybody's jobs: begin at least one with what is yours, for example repository: acme/*"
        yield FieldError(f"{path}.claims", "too-wide", detail)
    for name, pattern in policy.claims.items():
        if not _fits(name) or not _fits(pattern) or "***" in pattern or pattern.count("*") > 8:  # noqa: PLR2004
            detail = (
                f"give 1 to {TEXT_MAX} printable characters, with at most 8 `*`, none of them three in a row"
            )
            yield FieldError(f"{path}.claims.{name[:40]}", "malformed", detail)


def _misformed(one: object, path: str) -> Iterator[FieldError]:
    if not isinstance(one, dict):
        yield FieldError(path, "malformed", "give issuer and claims")
        return
    for key in sorted({"issuer", "claims"} - set(one)):
        yield FieldError(f"{path}.{key}", "required", "it must be there")
    for key, value in one.items():
        if key not in {"issuer", "claims", "audience", "lifetime"}:
            yield FieldError(
                f"{path}.{key}", "unknown", "leave it out: issuer, claims, audience, lifetime are known"
            )
        elif key == "claims":
            yield from _claim_faults(value, f"{path}.claims")
        elif not isinstance(value, str):
            yield FieldError(f"{path}.{key}", "malformed", "give text")
        elif key == "lifetime" and not re.fullmatch(durations.PATTERN, value):
            yield FieldError(f"{path}.{key}", "malformed", "give a number with its unit, for example 15m")


def _claim_faults(value: object, path: str) -> Iterator[FieldError]:
    if not isinstance(value, dict):
        yield FieldError(path, "malformed", "give names and patterns, for example repository: acme/shop")
        return
    for name, pattern in value.items():
        if not isinstance(name, str) or not isinstance(pattern, str):
            yield FieldError(f"{path}.{name}", "malformed", "give text: put it in quotes")


def _fits(text: str) -> bool:
    return 0 < len(text) <= TEXT_MAX and text.isprintable()


def _listed(value: object) -> list[str]:
    return (
        [value]
        if isinstance(value, str)
        else [v for v in value if isinstance(v, str)]
        if isinstance(value, list)
        else []
    )


def _text(value: object) -> str | None:
    if isinstance(value, bool | int):
        return json.dumps(value)
    return value if isinstance(value, str) else None
