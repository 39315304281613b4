"""Addresses of servers, as they are listened on and as a browser is given them."""

import pytest

from arena.addresses import is_loopback, is_wildcard, url_host


@pytest.mark.parametrize(
    ("host", "loopback", "wildcard", "url"),
    [
        ("127.0.0.1", True, False, "127.0.0.1"),
        ("127.9.9.9", True, False, "127.9.9.9"),
        ("::1", True, False, "[::1]"),
        ("Localhost", True, False, "Localhost"),
        ("0.0.0.0", False, True, "localhost"),
        ("::", False, True, "localhost"),
        ("10.0.0.5", False, False, "10.0.0.5"),
        ("agents.example.org", False, False, "agents.example.org"),
    ],
)
def test_address_is_known(host: str, loopback: bool, wildcard: bool, url: str) -> None:
    """Names other than localhost may be reached from elsewhere; IPv6 has brackets in a URL."""
    assert (loopback, wildcard, url) == (is_loopback(host), is_wildcard(host), url_host(host))
