"""Errors of the storm's own Kafka clients while brokers are down; such a client is replaced.

aiokafka raises other errors, too. Without metadata of a topic, a send fails with AssertionError or
TypeError; an admin client that loses its node fails with AttributeError.
"""

import asyncio
from collections.abc import Iterable

from aiokafka.errors import KafkaError

CLIENT_ERRORS = (
    KafkaError,
    TimeoutError,
    OSError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def raise_failed(tasks: Iterable["asyncio.Task[None]"]) -> None:
    """Raise the error of a task that failed, which ends the storm."""
    for task in tasks:
        if task.done() and not task.cancelled():
            task.result()
