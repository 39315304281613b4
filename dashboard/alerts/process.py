"""The process `arena alerts`: it reads the topics and sends messages to receivers."""

from dataclasses import dataclass

from arena.node import Node
from dashboard.alerts.conditions import Limits
from dashboard.alerts.receivers import Receiver
from dashboard.alerts.service import AlertService


@dataclass(frozen=True, slots=True)
class AlertOptions:
    """Options of `arena alerts`.

    Attributes:
        receivers: The receivers; () to print alerts only.
        limits: When a condition is an alert.
        per_minute: Most messages in a minute.
        title: Name of the arena in messages.
        as_json: Print each alert as a JSON document on one line.
    """

    receivers: tuple[Receiver, ...]
    limits: Limits
    per_minute: int = 10
    title: str = "arena"
    as_json: bool = False


async def serve(node: Node, options: AlertOptions) -> None:
    """Report alerts until cancelled."""
    service = AlertService(
        node,
        receivers=options.receivers,
        limits=options.limits,
        per_minute=options.per_minute,
        title=options.title,
        as_json=options.as_json,
    )
    await service.run()
