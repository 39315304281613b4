"""Deletes a topic, and waits until the broker has dropped it."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient

DEADLINE_S = 20.0
UNKNOWN_TOPIC = 3


async def delete_topic(admin: AIOKafkaAdminClient, name: str) -> None:
    """Delete a topic.

    The controller acknowledges a deletion before the broker has carried it out. If the topic is
    created again meanwhile, the broker may carry out both at once, and a fetch that it holds is
    then answered from the new topic as if nothing had happened.

    Args:
        admin: A client.
        name: Name of the topic, with prefix.
    """
    await admin.delete_topics([name])
    async with asyncio.timeout(DEADLINE_S):
        while (await admin.describe_topics([name]))[0]["error_code"] != UNKNOWN_TOPIC:
            await asyncio.sleep(0.01)
