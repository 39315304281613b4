"""Limits of requests per client, by token buckets in a bounded table. Pure."""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

CLIENTS_MAX = 1_024
"""Clients that are remembered; the one seen longest ago is forgotten first."""
IPV6_NETWORK_BITS = 64
"""One customer has at least so many bits of addresses: they count as one client."""
FAILURES_PER_S, FAILURES_BURST = 0.1, 5.0
"""Wrong tokens of one client: five at once, then six a minute."""
ALL_FAILURES_PER_S, ALL_FAILURES_BURST = 1.0, 60.0
EVERYONE = "everyone"


class RateLimit:
    """A limit per client.

    Args:
        per_s: Requests a second in the long run.
        burst: Requests at once.
    """

    def __init__(self, per_s: float, burst: float) -> None:
        """Start with full buckets."""
        self._per_s = per_s
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str, now_s: float) -> float:
        """Count a request.

        Args:
            client: The client.
            now_s: Monotonic seconds.

        Returns:
            0 if it is within the limit; else the seconds after which it would be.
        """
        left = self._left(client, now_s)
        self._keep(client, max(left - 1, 0) if left >= 1 else left, now_s)
        return 0.0 if left >= 1 else (1 - left) / self._per_s

    def wait_s(self, client: str, now_s: float) -> float:
        """Seconds until a request would be within the limit, without counting one; 0 for now."""
        left = self._left(client, now_s)
        return 0.0 if left >= 1 else (1 - left) / self._per_s

    def _left(self, client: str, now_s: float) -> float:
        left, at_s = self._buckets.get(client, (self._burst, now_s))
        return min(self._burst, left + (now_s - at_s) * self._per_s)

    def _keep(self, client: str, left: float, now_s: float) -> None:
        self._buckets[client] = (left, now_s)
        self._buckets.move_to_end(client)
        if len(self._buckets) > CLIENTS_MAX:
            self._buckets.popitem(last=False)


class Failures:
    """Wrong tokens, per client and of all clients together."""

    def __init__(self) -> None:
        """Start with none."""
        self._clients = RateLimit(FAILURES_PER_S, FAILURES_BURST)
        self._all = RateLimit(ALL_FAILURES_PER_S, ALL_FAILURES_BURST)

    def count(self, client: str, now_s: float) -> None:
        """Count a wrong token."""
        self._clients.take(client, now_s)
        self._all.take(EVERYONE, now_s)

    def wait_s(self, client: str, now_s: float) -> float:
        """Seconds until the client may try a token again; 0 for now."""
        return max(self._clients.wait_s(client, now_s), self._all.wait_s(EVERYONE, now_s))


def client_name(host: str) -> str:
    """The name under which an address is counted.

    Args:
        host: The address; "" if it is unknown.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS))
    return host
