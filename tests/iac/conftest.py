from __future__ import annotations

import pytest

from tests.iac.jobs import signed
from tests.iac.stage import opened


@pytest.fixture(scope="module")
def jobs():
    with signed() as provider:
        yield provider


@pytest.fixture(scope="module")
def atoll(tmp_path_factory, jobs):
    """It knows the CI system; a test is allowed to have one on loopback."""
    known = {"ATOLL_CI_ISSUERS": jobs.issuer, "ATOLL_OIDC_LOOPBACK": "true"}
    with opened(tmp_path_factory.mktemp("home"), **known) as made:
        yield made
