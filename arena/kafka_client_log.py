"""Rewrites the log lines of the Kafka client for people. Pure.

For one unavailable broker the client logs `Unable connect to node with id 1: [Errno 111]`, `Unable
to update metadata from [1]` and more, each many times a second. They become one sentence with a
remedy. Other lines keep their text, without the names of Python classes.
"""

import logging
import re

from arena.visible_text import one_line

CLIENT = "aiokafka"
MESSAGE_CHARS_MAX = 600
AWAY = "the broker does not answer: {why}; retrying; check that it runs: arena broker status"
MOVING = "an append is sent again: the brokers are electing a partition leader"

_CONNECT = re.compile(r"^Unable connect to .*?: (?:\[Errno -?\d+\] )?(?P<why>.*)$", re.DOTALL)
_REPEATED = re.compile(
    r"^(Unable to (update|request) metadata|Unclosed AIOKafka|Topic \S+ is not available during"
    r"|Failed fetch messages from|Heartbeat send request failed|Error sending \w+ to node)"
)
"""Consequences of a failed or lost connection, which is logged already."""
_MOVING = re.compile(r"^Got error produce response .*(NotLeader|LeaderNotAvailable)", re.DOTALL)
_NUMBER = re.compile(r"\[Error -?\d+\] (\w+?)(?:Error)?\b")
_CLASS = re.compile(r"<class '(?:\w+\.)*(\w+?)(?:Error)?'>")
_RAISED = re.compile(r"\b(\w+?)(?:Error|Exception)\((?:(['\"])(.*?)\2)?,?\)")


def client_message(line: str) -> str | None:
    """Rewrite a line of the client; None if another line has the same information.

    Args:
        line: The line without its level.
    """
    if _REPEATED.match(line) or "NodeNotReady" in line:
        return None
    if found := _CONNECT.match(line):
        why = one_line(found["why"], MESSAGE_CHARS_MAX)
        return AWAY.format(why=f"{why[:1].lower()}{why[1:]}" if why else "no answer")
    if _MOVING.match(line):
        return MOVING
    line = _NUMBER.sub(r"\1", line)
    plain = _RAISED.sub(lambda m: m[3] or m[1], _CLASS.sub(r"\1", line))
    return f"kafka client: {one_line(plain, MESSAGE_CHARS_MAX)}"


class ClientLogFilter(logging.Filter):
    """Rewrites lines of the client, and drops those that repeat another line."""

    def filter(self, record: logging.LogRecord) -> bool:
        """True for a line that passes; lines of other libraries pass unchanged."""
        line = record.getMessage()
        is_client = record.name.partition(".")[0] == CLIENT
        if not is_client and not line.startswith("Unclosed AIOKafka"):
            return True
        words = client_message(line)
        if words is None:
            return False
        record.name, record.msg, record.args, record.exc_info = "kafka", words, (), None
        return True
