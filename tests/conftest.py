from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

LABS = ("tests/contract/", "tests/e2e/", "tests/isolation/", "tests/lab/")


class OneLab(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """All that needs a lab goes to one worker, the rest file by file to whoever is free.

    A machine carries few labs. The marks of ``--dist loadgroup`` do not reach the
    scheduler under pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "lab" if nodeid.startswith(LABS) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return OneLab(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items):
    """Folder after folder where there is a lab: each has its own, and takes it down before the next."""
    done = yield  # shuffled
    items.sort(key=lambda item: item.path.parent.name if item.nodeid.startswith(LABS) else "~")
    return done


@pytest.fixture(autouse=True)
def _fast_passwords(settings):
    """PBKDF2 is slow on purpose; tests of passwords do not test that."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
