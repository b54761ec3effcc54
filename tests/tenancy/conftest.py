from __future__ import annotations

import pytest


@pytest.fixture
def days(settings, tmp_path):
    """Moves the days of grants forward."""
    path = tmp_path / "ahead"
    settings.ATOLL_REHEARSAL_CLOCK = str(path)
    return lambda n: path.write_text(str(n * 86_400))
