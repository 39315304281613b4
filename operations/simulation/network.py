"""How long messages take between a simulated process and the brokers."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Network:
    """The network of one run; all times in seconds, all shares from 0 to 1.

    Attributes:
        latency_s: Usual latency of a message, one way: half of all take less.
        slow_share: Share of the messages that take up to `slow_s` instead.
        slow_s: See `slow_share`.
        retry_share: Share of the appends whose ack is lost; the client sends the record again after
            up to `retry_s`, and the broker recognizes it and acks it.
        retry_s: See `retry_share`.
        pause_share: Share of the sends that give way to other tasks before they take the record.
        rest_share: Share of the reads that return only a part of what is there.
        heartbeat_s: Longest time until a member of a group notices a rebalance.
        session_s: Time after which a silent member of a group is removed.
    """

    latency_s: float = 0.0
    slow_share: float = 0.0
    slow_s: float = 0.0
    retry_share: float = 0.0
    retry_s: float = 0.0
    pause_share: float = 0.0
    rest_share: float = 0.0
    heartbeat_s: float = 0.02
    session_s: float = 10.0


QUIET = Network()
"""Without any delay."""


def drawn_network(random: Random) -> Network:
    """Draw the network of a run: some are quick, some slow, some lose acks."""
    return Network(
        latency_s=random.choice((0.0, 0.001, 0.001, 0.005, 0.02)),
        slow_share=random.choice((0.0, 0.01, 0.05)),
        slow_s=random.choice((0.05, 0.3, 1.5)),
        retry_share=random.choice((0.0, 0.0, 0.01, 0.05)),
        retry_s=random.choice((0.2, 2.0, 7.0)),
        pause_share=random.choice((0.0, 0.1, 0.5)),
        rest_share=random.choice((0.0, 0.1, 0.5)),
        heartbeat_s=random.choice((0.5, 2.0)),
        session_s=10.0,
    )


class Draws:
    """Draws the delays of a network.

    Args:
        network: The network.
        random: The source of the draws.
    """

    def __init__(self, network: Network, random: Random) -> None:
        """Take the network and the source."""
        self.network = network
        self.random = random
        self._draw = random.random

    def latency(self) -> float:
        """One way; seconds."""
        network = self.network
        if network.slow_share and self._draw() < network.slow_share:
            return self._draw() * network.slow_s
        return network.latency_s * (0.5 + self._draw()) if network.latency_s else 0.0

    def retry(self) -> float:
        """How much later an ack comes because it was lost; mostly 0 s."""
        network = self.network
        if network.retry_share and self._draw() < network.retry_share:
            return self._draw() * network.retry_s
        return 0.0

    def pauses(self) -> bool:
        """True if a send gives way to other tasks first."""
        share = self.network.pause_share
        return bool(share) and self._draw() < share

    def part(self, count: int) -> int:
        """How many of `count` records a read returns, at least one."""
        share = self.network.rest_share
        if count > 1 and share and self._draw() < share:
            return 1 + int(self._draw() * count)
        return count

    def notice(self) -> float:
        """Until a member of a group notices a rebalance; seconds."""
        return self._draw() * self.network.heartbeat_s

    def share(self) -> float:
        """A number from 0 to 1."""
        return self._draw()
