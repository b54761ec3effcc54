"""The mail server's URL: read once, refused with words where it is wrong."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal import mail
from portal.env import Environment


def server(url="", sender="atoll@example.com"):
    return mail.server(Environment(mail_url=url, mail_from=sender))


def test_without_a_url_no_mail_is_sent():
    assert server().backend.endswith("dummy.EmailBackend")


def test_starttls_unless_it_is_this_machine():
    found = server("smtp://atoll:p%40ss@mail.example.com")
    assert (found.host, found.port, found.user, found.password) == ("mail.example.com", 587, "atoll", "p@ss")
    assert (found.starttls, found.tls) == (True, False)
    assert server("smtp://127.0.0.1:2525") == mail.Server("127.0.0.1", 2525)


def test_tls_from_the_start():
    found = server("smtps://mail.example.com")
    assert (found.port, found.starttls, found.tls) == (465, False, True)


@pytest.mark.parametrize("url", ["mail.example.com", "http://mail", "smtp://", "smtp://m:no", "smtp://m/x"])
def test_a_wrong_url_is_told_with_what_to_give(url):
    with pytest.raises(ImproperlyConfigured, match=r"ATOLL_MAIL_URL.*give smtp://user"):
        server(url)


def test_a_sender_without_an_address_is_told():
    with pytest.raises(ImproperlyConfigured, match="ATOLL_MAIL_FROM"):
        server(sender="nobody")
