from __future__ import annotations

import pytest
from django.db import connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.support import one_lab

# A machine that is busy with other tests is slow; that is no fault of the code.
hypothesis_settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("shared")
STACK = ("tests/e2e/",)
DATABASE = frozenset({"db", "transactional_db"})
HOSTS = (*one_lab.SHARING, "tests/lab/")


class FewLabs(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """The whole stack goes to one worker, all else that needs a lab to another, the rest file by file.

    A machine carries few labs. The marks of ``--dist loadgroup`` do not reach the
    scheduler under pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(STACK):
            return "stack"
        return "hosts" if nodeid.startswith(HOSTS) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return FewLabs(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config, items):
    """What needs a lab comes first, the longest before, and of that first what shares one.

    PostgreSQL is for what touches a database: all else was the same on SQLite.
    """
    done = yield  # shuffled
    items.sort(key=_turn)
    if connection.vendor == "postgresql":
        elsewhere = [item for item in items if not _touches_database(item)]
        items[:] = [item for item in items if _touches_database(item)]
        config.hook.pytest_deselected(items=elsewhere)
    return done


def _touches_database(item):
    return item.get_closest_marker("django_db") is not None or not DATABASE.isdisjoint(item.fixturenames)


def _turn(item):
    if item.nodeid.startswith(STACK):
        return (0, "")
    if not item.nodeid.startswith(HOSTS):
        return (3, "")
    return (1 if item.nodeid.startswith(one_lab.SHARING) else 2, item.path.parent.name)


@pytest.fixture(scope="session")
def lab_home(tmp_path_factory):
    """The home folder of a lab that other tests use, too: leave nothing on it."""
    yield one_lab.home(lambda: tmp_path_factory.mktemp("lab") / "home")
    one_lab.down()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem):
    """After all fixtures of the last test that shares the lab."""
    done = yield
    if nextitem is None or not nextitem.nodeid.startswith(one_lab.SHARING):
        one_lab.down()
    return done


@pytest.fixture(autouse=True)
def _own_heads(settings, tmp_path):
    """Signed heads of one test's database would contradict the next one's."""
    settings.ATOLL_AUDIT_HEADS = tmp_path / "audit"


@pytest.fixture(autouse=True)
def _fast_passwords(settings):
    """PBKDF2 is slow on purpose; tests of passwords do not test that."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
