"""Writes the tables of docs/sandboxes.md from the code: ``.venv/bin/python docs/sandboxes.py``.

``tests/architecture/test_documents.py`` holds the page to them.
"""

# ruff: noqa: INP001 - a script beside the page it writes, no package
from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

PAGE: Final = Path(__file__).resolve().with_suffix(".md")
sys.path.insert(0, str(PAGE.parent.parent))
sys.path.append(str(PAGE.parent))

from _pages import between, table  # noqa: E402 - needs the path above

from tenancy.enums import IsolationModel, Sandbox, Trust  # noqa: E402 - needs the path above
from tenancy.rules import isolation_table  # noqa: E402 - needs the path above
from tenancy.rules.profiles import PROFILES  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tenancy.rules.profiles import Profile

BEGIN: Final = "<!-- from here on written by docs/sandboxes.py -->"
END: Final = "<!-- to here -->"


def written(page: str) -> str:
    """The page with its tables as the code has them."""
    return between(page, BEGIN, END, tables())


def tables() -> Iterator[str]:
    """What each profile is, what it needs, what it cannot do, and who may have it."""
    rows = PROFILES.values()
    yield table(("profile", "what a pod gets", "seen from inside by the probe"), map(_what, rows))
    yield table(("profile", "the host must have", "if it has not"), map(_needs, rows))
    yield table(("profile", "accelerators"), map(_devices, rows))
    yield table(("tenant", "model", *(f"`{s.value}`" for s in PROFILES)), _cells())


def _what(row: Profile) -> tuple[str, ...]:
    return (f"`{row.sandbox.value}`", row.promise, row.proof)


def _needs(row: Profile) -> tuple[str, ...]:
    needs = [
        f"Kubernetes {_dotted(row.kubernetes)} or newer" if any(row.kubernetes) else "",
        f"a RuntimeClass with handler {_code(row.handlers)}" if row.handlers else "",
        f"nodes with kubelet {_dotted(row.kubelet)} or newer" if any(row.kubelet) else "",
        f"kernel {_dotted(row.kernel)} or newer" if any(row.kernel) else "",
        f"container runtime {row.runtime}" if row.runtime else "",
        "user namespaces reported for the default handler (`node.status.runtimeHandlers`)"
        if row.user_namespaces
        else "",
        *(f"node label `{key}={value}`" for key, value in row.labels.items()),
    ]
    found = "; ".join(need for need in needs if need)
    return (
        f"`{row.sandbox.value}`",
        found or "nothing",
        f"an admin would {row.install}" if row.install else "",
    )


def _devices(row: Profile) -> tuple[str, ...]:
    rules = row.accelerators
    if rules.usable == ("*",):
        return (f"`{row.sandbox.value}`", "all that the host has")
    words = [f"{_code(rules.usable)} only: {rules.why_only}"]
    if rules.handlers:
        words.append(f"with a RuntimeClass of handler {_code(rules.handlers)}")
    if rules.drivers is not None:
        words.append(f"NVIDIA drivers {', '.join(sorted(rules.drivers, key=_numbers))}")
    return (f"`{row.sandbox.value}`", "; ".join(words))


def _cells() -> Iterator[tuple[str, ...]]:
    for trust in Trust:
        for model in IsolationModel:
            verdicts = (_verdict(trust, model, sandbox) for sandbox in PROFILES)
            yield (trust.value, f"`{model.value}`", *verdicts)


def _verdict(trust: Trust, model: IsolationModel, sandbox: Sandbox) -> str:
    return "no" if isolation_table.refusal(trust, model, sandbox) else "yes"


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
