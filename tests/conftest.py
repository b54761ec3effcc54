from __future__ import annotations

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items):
    """What needs a lab comes first, folder after folder, in one of xdist's workers: a machine carries few labs."""
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.xdist_group("lab"))
    done = yield  # shuffled, and grouped by xdist
    items.sort(key=lambda item: item.path.parent.name if item.get_closest_marker("lab") else "~")
    return done


@pytest.fixture(autouse=True)
def _fast_passwords(settings):
    """PBKDF2 is slow on purpose; tests of passwords do not test that."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _no_collected_files(settings):
    """A checkout serves static files from where they lie; only the image collects them."""
    settings.STATIC_ROOT = None
