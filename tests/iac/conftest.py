from __future__ import annotations

import pytest

from tests.iac.stage import opened


@pytest.fixture(scope="module")
def atoll(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("home")) as made:
        yield made
