"""The backend; Django looks for a module of this name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.db.backends.sqlite3 import base

if TYPE_CHECKING:
    import sqlite3


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's; each connection asks anew whether the folder takes writes."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        """As Django's."""
        told = {**conn_params, "database": readable(str(conn_params["database"]))}
        made: sqlite3.Connection = super().get_new_connection(told)
        return made


def readable(database: str) -> str:
    """As SQLite opens the file; reading, too, makes files beside it, unless they are there or it is told not to.

    ``immutable`` would pass over what only the file beside it holds, so it is for when there is none.
    """
    path = Path(database)
    if not path.is_file() or os.access(path.parent, os.W_OK):
        return database
    beside = path.with_name(f"{path.name}-wal")
    whole = not beside.exists() or beside.stat().st_size == 0
    return f"file:{quote(database)}?mode=ro{'&immutable=1' if whole else ''}"
