"""Settings that no start should go on with."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from pydantic import ValidationError

from portal import env
from portal.env import Environment


def test_trusted_proxies_are_addresses_and_ranges():
    found = env.trusted_proxies(Environment(trusted_proxies="10.1.0.0/16, fd00::7,"))
    assert found == ["10.1.0.0/16", "fd00::7"]
    assert env.trusted_proxies(Environment()) == []
    for wrong in ("*", "ingress", "10.1.0.1/16"):
        with pytest.raises(ImproperlyConfigured, match="ATOLL_TRUSTED_PROXIES"):
            env.trusted_proxies(Environment(trusted_proxies=wrong))


def test_the_rate_store_is_a_redis():
    assert "redis" in env.caches(Environment(rate_store="redis://127.0.0.1/1"))["default"]["BACKEND"]
    assert "locmem" in env.caches(Environment())["default"]["BACKEND"]
    with pytest.raises(ValidationError):
        Environment(rate_store="memcached://127.0.0.1")
