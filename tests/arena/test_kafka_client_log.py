"""Lines of the Kafka client are rewritten, or dropped if another line has the same information."""

import logging

import pytest

from arena.kafka_client_log import AWAY, MOVING, ClientLogFilter, client_message

REFUSED = AWAY.format(why="connection refused")
CASES = [
    ("Unable connect to node with id 1: [Errno 111] Connection refused", REFUSED),
    ('Unable connect to "10.0.0.5:9092": [Errno 111] Connection refused', REFUSED),
    (
        'Unable connect to "kafka:9092": [Errno -2] Name or service not known',
        AWAY.format(why="name or service not known"),
    ),
    ("Unable connect to node with id 1: ", AWAY.format(why="no answer")),
    ("Unable to update metadata from [1]", None),
    ("Unable to request metadata from node with id 1: KafkaConnectionError('closed')", None),
    ("Unclosed AIOKafkaConsumer", None),
    (
        "Got error produce response on topic-partition TopicPartition(topic='x', partition=0), "
        "retrying. Error: <class 'aiokafka.errors.NotLeaderForPartitionError'>",
        MOVING,
    ),
    (
        "Group Coordinator Request failed: GroupCoordinatorNotAvailableError()",
        "kafka client: Group Coordinator Request failed: GroupCoordinatorNotAvailable",
    ),
    (
        "Heartbeat failed: KafkaTimeoutError('no answer in 10 s')",
        "kafka client: Heartbeat failed: no answer in 10 s",
    ),
    (
        "LeaveGroup request failed: [Error 15] GroupCoordinatorNotAvailableError",
        "kafka client: LeaveGroup request failed: GroupCoordinatorNotAvailable",
    ),
    ("Got error produce response: NodeNotReadyError: node is not ready", None),
    ("a\nline\x1b[31m", "kafka client: a line\\u001b[31m"),
]


@pytest.mark.parametrize(("logged", "words"), CASES)
def test_client_line_is_rewritten(logged: str, words: str | None) -> None:
    """One sentence with a remedy for a broker that is away; no class of Python anywhere."""
    assert words == client_message(logged)


@pytest.mark.parametrize(
    ("name", "logged", "passes", "shown"),
    [
        ("aiokafka.conn", "Unable connect to node with id 1: [Errno 111] x", True, "the broker"),
        ("aiokafka", "Unable to update metadata from [1]", False, ""),
        ("asyncio", "Unclosed AIOKafkaConsumer\nconsumer: <object>", False, ""),
        ("websockets", "Unable to update metadata from [1]", True, "Unable to update"),
    ],
)
def test_only_the_clients_lines_are_changed(
    name: str, logged: str, passes: bool, shown: str
) -> None:
    """Lines of other libraries are unchanged."""
    record = logging.LogRecord(name, logging.ERROR, "", 0, logged, (), None)

    assert passes == ClientLogFilter().filter(record)
    assert not passes or record.getMessage().startswith(shown)
