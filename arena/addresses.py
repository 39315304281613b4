"""Addresses of servers: whether other machines reach them, and how a URL has them. Pure."""

from ipaddress import ip_address

HOST_NAME = r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$"
"""A host name or IPv4 address, without a scheme or port."""


def is_loopback(host: str) -> bool:
    """True for a loopback address, or the name localhost."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_wildcard(host: str) -> bool:
    """True for the address that means every address of this machine."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def url_host(host: str) -> str:
    """The host of a URL for a browser on this machine: "localhost", "[::1]"."""
    if is_wildcard(host):
        return "localhost"
    return f"[{host}]" if ":" in host else host
