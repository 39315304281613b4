"""Operation of the arena: heartbeats, the kill switch, process commands, and dead letters."""

from typing import Literal

from pydantic import Field, JsonValue

from arena.messages.base import Message, Utc

REASON_CHARS_MAX = 200
"""Longest reason of a `ProcessCommand`."""
BY_CHARS_MAX = 300
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"
"""A run or a process: "chat-node-" or "router-", and a name of at most 64 characters."""


class Heartbeat(Message):
    """A sign of life of a process, with its state.

    Attributes:
        node: "<kind>/<name>/<host>/<pid>", the key.
        kind: The command, such as "router".
        status: "starting", "running", "standby" or "stopping".
        interval_s: Seconds until the next heartbeat; None from older processes.
        counters: Counts that only grow, such as "turns" or "llm_errors".
        gauges: Current values: "lag", "feed_age_ms", ...
        details: Short texts for people, such as the model's name.
    """

    node: str
    kind: str
    name: str
    host: str
    pid: int
    status: Literal["starting", "running", "standby", "stopping"] = "running"
    started_at: Utc
    at: Utc
    interval_s: float | None = None
    counters: dict[str, int] = Field(default_factory=dict)
    gauges: dict[str, float] = Field(default_factory=dict)
    details: dict[str, JsonValue] = Field(default_factory=dict)


class Halt(Message):
    """No new order is taken until a `Resume` of the same scope; the newest of a scope counts.

    Attributes:
        agent: The halted agent; None for all agents. The key is "agent/<name>" or "all".
        reason: Reason for people; agents read it in the refusal.
        by: The sender, such as "cli/<host>".
    """

    agent: str | None = None
    reason: str = ""
    by: str
    at: Utc


class Resume(Message):
    """Orders of a scope are taken again, unless another halt covers them."""

    agent: str | None = None
    reason: str = ""
    by: str
    at: Utc


class PassOver(Message):
    """An operator's instruction to skip a record of `account.events` that stops the fold.

    The key is "pass-over/account.events/<partition>/<offset>". It applies to exactly these bytes. A
    record that counted cannot be skipped, because the next event's `prev` would not match.

    Attributes:
        sha256: SHA-256 of the record's value, in hex; of no bytes if it has no value.
        error: Why the fold stops at it.
        by: The sender, such as "cli/<host>".
    """

    topic: str
    partition: int
    offset: int
    sha256: str
    error: str
    by: str
    at: Utc


class ProcessCommand(Message):
    """An instruction to one supervisor to start, stop or restart one of its processes.

    It names a process and an action only: the command line and the environment are always those
    that the supervisor has planned. The key is the host.

    Attributes:
        command_id: Unique id; a supervisor carries out each id once.
        host: The host of the supervisor.
        run: The run of the supervisor: the name of its folder.
        process: The name of the process in that run, such as "chat-node-rules".
        action: What to do; a restart is a stop and then a start.
        reason: Reason for people.
        by: The sender, such as "cli/<host>".
        issued_at: By the sender's clock; the age of a command is measured by the broker's.
    """

    command_id: str = Field(pattern=r"^[0-9A-Za-z-]{8,64}$")
    host: str = Field(pattern=r"^[!-.0-~]{1,255}$")
    run: str = Field(pattern=NAME)
    process: str = Field(pattern=NAME)
    action: Literal["start", "stop", "restart"]
    reason: str = Field(default="", max_length=REASON_CHARS_MAX)
    by: str = Field(min_length=1, max_length=BY_CHARS_MAX)
    issued_at: Utc


class DeadLetter(Message):
    """A record that is not an arena message, with its position.

    Attributes:
        key_base64: The key, in base64.
        value_base64: The unchanged value, in base64.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key_base64: str | None = None
    value_base64: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    error: str
    reader: str
    at: Utc
