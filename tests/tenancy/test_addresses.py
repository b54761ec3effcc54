"""Where webhooks may go: what a URL means, and what it is judged by."""

from __future__ import annotations

import pytest

from tenancy.errors import Invalid
from tenancy.queries import webhooks
from tenancy.queries.lookup import look_up
from tenancy.rules import addresses
from tenancy.rules.addresses import Admitted, Refused
from tests.support.address_corpus import ACCEPTED, INSIDE, REFUSED

PUBLIC = "93.184.215.14"


def names(*texts):
    """A resolver that knows one name."""
    return lambda _: tuple(map(addresses.parse, texts))


@pytest.mark.parametrize("url", REFUSED)
def test_when_saved_it_is_refused_with_its_field_and_a_reason(url):
    with pytest.raises(Invalid) as refused:
        webhooks.vet(url, names(PUBLIC))

    (fault,) = refused.value.errors
    assert (fault.path, fault.code) == ("spec.url", "refused-address")
    assert ":" in fault.detail or "," in fault.detail or "number" in fault.detail


@pytest.mark.parametrize("url", ACCEPTED)
def test_what_is_public_may_be_saved(url):
    webhooks.vet(url, names(PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"))


@pytest.mark.parametrize("inside", INSIDE)
def test_a_name_is_refused_for_any_of_its_addresses(inside):
    with pytest.raises(Invalid, match="leads to"):
        webhooks.vet("https://example.com/", names(PUBLIC, inside))


def test_a_name_without_an_address_yet_may_be_saved():
    webhooks.vet("https://soon.example.com/", names())


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://EXAMPLE.com./x", "example.com", 443),
        ("https://bücher.example:8443", "xn--bcher-kva.example", 8443),
        ("https://0x5db8d70e/", PUBLIC, 443),
        ("https://[2606:2800:21F:CB07:6820:80DA:AF6B:8B2C]/", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", 443),
    ],
)
def test_a_url_means_what_would_be_connected_to(url, host, port):
    found = addresses.read(url, Admitted())
    assert (found.host, found.port) == (host, port)


def test_admins_may_allow_a_range_and_names_within_it():
    allowed = Admitted(addresses.ranges("10.0.0.0/8, fd00::/8"))

    assert addresses.read("https://10.1.2.3/", allowed).port == 443
    assert addresses.read("https://[::ffff:10.1.2.3]/", allowed).port == 443
    assert addresses.read("https://hooks.corp.internal/", allowed).host == "hooks.corp.internal"
    assert addresses.refusal(addresses.parse("fd00::9"), allowed) == ""
    assert addresses.refusal(addresses.parse("64:ff9b::a01:203"), allowed) == ""
    for url in ("https://127.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/"):
        with pytest.raises(Refused):
            addresses.read(url, allowed)


def test_admins_may_allow_plain_http():
    found = addresses.read("http://example.com/x", Admitted(http=True))
    assert (found.scheme, found.port, found.authority) == ("http", 80, "example.com")


def test_ranges_that_cannot_be_read_are_named():
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/33"):
        addresses.ranges("10.0.0.0/33")


def test_the_systems_resolver_is_asked_and_waited_for_no_longer_than_told():
    assert {str(one) for one in look_up("localhost")} <= {"127.0.0.1", "::1"}
    assert look_up("localhost")
    assert look_up("no.such.name.invalid", 2) == ()
