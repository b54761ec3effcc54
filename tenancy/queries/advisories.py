"""The advisory list in force: the one that comes with Atoll, and an admin's own beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

from django.conf import settings

from tenancy.rules.advisories import Advisories, parse

SHIPPED: Final = Path(__file__).resolve().parent.parent / "data" / "gpu_advisories.json"


def load() -> Advisories:
    """Read afresh, so that a new entry counts at once; an admin's list that cannot be read is a ``fault``.

    An admin's entry replaces the shipped one of the same CVE.
    """
    reviewed, entries = parse(json.loads(SHIPPED.read_text()))
    shipped = Advisories(reviewed, entries)
    given = settings.ATOLL_GPU_ADVISORIES
    if not given:
        return shipped
    try:
        later, own = parse(json.loads(Path(given).read_text()))
    except (OSError, ValueError) as error:
        fault = f"ATOLL_GPU_ADVISORIES: {given} cannot be read ({error}): correct the file"
        return replace(shipped, fault=fault)
    replaced = {entry.cve for entry in own}
    kept = tuple(entry for entry in entries if entry.cve not in replaced)
    return Advisories(max(reviewed, later), (*kept, *own))
