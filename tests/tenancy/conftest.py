from __future__ import annotations

import pytest

from tests import factories as make


@pytest.fixture
def bob():
    return make.actor("bob")


@pytest.fixture
def team(bob):
    """A team that may ask for the four devices of a shared pool."""
    make.accelerator()
    make.gpu_pool(4)
    return make.tenant("team", member=bob)


@pytest.fixture
def days(settings, tmp_path):
    """Moves the days of grants forward."""
    path = tmp_path / "ahead"
    settings.ATOLL_REHEARSAL_CLOCK = str(path)
    return lambda n: path.write_text(str(n * 86_400))
