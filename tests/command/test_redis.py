from __future__ import annotations

import redis as client

from command import redis, service


def test_it_answers_on_its_socket_and_keeps_its_data(home, environment):
    first = service.start(redis.service(home), home, environment)
    try:
        redis.wait(home)
        assert home.redis_socket.stat().st_mode & 0o777 == 0o700
        with client.Redis(unix_socket_path=str(home.redis_socket)) as connection:
            connection.set("kept", "yes")
            assert connection.config_get("port") == {"port": "0"}
    finally:
        service.stop(first, home)
    assert not redis.answers(home)
    second = service.start(redis.service(home), home, environment)
    try:
        redis.wait(home)
        with client.Redis(unix_socket_path=str(home.redis_socket)) as connection:
            assert connection.get("kept") == b"yes"
    finally:
        service.stop(second, home)
