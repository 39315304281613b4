"""What a Kafka client of the storm itself may fail with while brokers die: it is replaced.

aiokafka does not only raise its own errors then. Without metadata of a topic, a send fails with
AssertionError or TypeError, and the admin client loses the node it asks: AttributeError.
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


def raise_failed(works: Iterable["asyncio.Task[None]"]) -> None:
    """A part of the storm itself that failed ends the storm, with its own error."""
    for work in works:
        if work.done() and not work.cancelled():
            work.result()
