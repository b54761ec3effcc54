from __future__ import annotations

import pytest

from tests.provisioner.harness import Team


@pytest.fixture
def team():
    """A team whose cluster is wanted and not there yet."""
    return Team()


@pytest.fixture
def ready(team):
    """The same, all built."""
    team.until_settled()
    return team
