"""The topics: names, keys, retention.

`arena topics create` creates them from this table. Who reads and writes each is declared in
`arena.process_kinds`. A name that ends in `.` is a family: one topic per chat node or agent.

Partitions: a keyed record goes to `partition_of(key, partitions)`, computed here and never left to
a client's own partitioner, so a key always has the same partition. Never add partitions to a topic
in use.
"""

import zlib
from dataclasses import dataclass, field
from typing import Literal

from arena.errors import UsageError

DAY_MS = 24 * 60 * 60 * 1000
FOREVER_MS = -1
RECORD_BYTES_MAX = 1_000_000
"""Most bytes of one record, headers included; the brokers are configured with the same limit."""

Compression = Literal["zstd"] | None


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic, or a family of topics if `name` ends in a dot.

    Attributes:
        key: What its records are keyed by; decides the partition.
        messages: Names of the message types it holds.
        retention_ms: How long records are kept; `FOREVER_MS` for good.
        compacted: Only the newest record per key is kept.
        compression: What the producers compress it with. Measured on the arena's own records: zstd
            takes a prompt of 8.6 KB to 2.3 KB in 43 us and a 540-byte call to 380 in 16 us (lz4:
            3.5 KB in 87 us, 450 in 7 us). One codec for all but the account log lets a process
            send what it has for several topics in one request, which saves more than the codec
            costs.
        partitions: When it is created; account topics have one per shard.
        flush_every_append: On a single broker an ack then means "on disk".
    """

    name: str
    key: str
    messages: tuple[str, ...]
    retention_ms: int = 7 * DAY_MS
    compacted: bool = False
    compression: Compression = "zstd"
    partitions: int = 1
    flush_every_append: bool = False
    note: str = ""
    config: dict[str, str] = field(default_factory=dict)

    @property
    def is_family(self) -> bool:
        """True if one topic exists per node or agent."""
        return self.name.endswith(".")

    @property
    def retention_text(self) -> str:
        """How long its records are kept, for the table of topics."""
        if self.compacted:
            return "newest per key"
        if self.retention_ms == FOREVER_MS:
            return "forever"
        return f"{self.retention_ms // DAY_MS} d"

    def member(self, name: str) -> "TopicSpec":
        """The topic of one node or agent of this family."""
        return _replace_name(self, self.name + name)

    def broker_config(self) -> dict[str, str]:
        """Topic-level settings for the broker."""
        config = {
            "max.message.bytes": str(RECORD_BYTES_MAX + 10_000),
            "cleanup.policy": "compact" if self.compacted else "delete",
        }
        if not self.compacted:
            config["retention.ms"] = str(self.retention_ms)
        if self.flush_every_append:
            config["flush.messages"] = "1"
        return {**config, **self.config}


def _replace_name(spec: TopicSpec, name: str) -> TopicSpec:
    return TopicSpec(
        **{s: getattr(spec, s) for s in TopicSpec.__slots__ if s != "name"},
        name=name,
    )


TICKERS = TopicSpec(
    name="market.tickers",
    key="product",
    messages=("Ticker", "Product"),
)
CANDLES = TopicSpec(
    name="market.candles",
    key="product",
    messages=("ClosedCandle",),
    retention_ms=FOREVER_MS,
)
SNAPSHOTS = TopicSpec(
    name="market.snapshots",
    key="venue, or several joined by +",
    messages=("MarketSnapshot",),
    retention_ms=30 * DAY_MS,
    note="every agent reads it through a consumer group of its own",
)
CONTEXT = TopicSpec(
    name="market.context",
    key="product, or empty for all",
    messages=("ContextItem",),
    retention_ms=FOREVER_MS,
    note="read to its end before each snapshot; an item is visible from its publication on",
)
PROMPTED = TopicSpec(
    name="ai_prompted.",
    key="agent or asker",
    messages=("ChatRequest",),
    partitions=4,
    note="one per chat node; the nodes of a name share it as one group",
)
INBOX = TopicSpec(
    name="agent.inbox.",
    key="-",
    messages=("ChatReply", "ToolResult"),
    note="one per agent",
)
JUDGE_INBOX = TopicSpec(
    name="judge.inbox",
    key="-",
    messages=("ChatReply",),
    note="replies to the judge, which asks models without a turn",
)
CHAT_INBOX = TopicSpec(
    name="chat.inbox",
    key="-",
    messages=("ChatReply",),
    note="replies to people's chats",
)
TOOL_CALLS = TopicSpec(
    name="tools.calls",
    key="agent",
    messages=("ToolCall",),
    partitions=4,
)
COMMANDS = TopicSpec(
    name="account.commands",
    key="shard of agent",
    messages=("ToolCall", "OpenAccount"),
    retention_ms=30 * DAY_MS,
    flush_every_append=True,
    # The broker's own time on each: no order can say that it was issued long after it was sent.
    config={"message.timestamp.type": "LogAppendTime"},
)
EVENTS = TopicSpec(
    name="account.events",
    key="shard of agent",
    messages=(
        "Epoch",
        "StateDigest",
        "AccountOpened",
        "OrderDecided",
        "RiskLimitsSet",
        "RiskTripped",
        "MarketChecked",
    ),
    retention_ms=FOREVER_MS,
    compression=None,
    flush_every_append=True,
    note="never transactional, never compacted: its offsets have no holes",
)
INTENTS = TopicSpec(
    name="trade.intents",
    key="shard of agent",
    messages=("TradeIntent",),
    retention_ms=90 * DAY_MS,
    note="approved orders on their way to the market, from the folded log",
)
TURNS = TopicSpec(
    name="agent.turns",
    key="agent",
    messages=("TurnStarted", "Turn", "SkippedSnapshots"),
    retention_ms=FOREVER_MS,
    partitions=4,
)
LLM_CALLS = TopicSpec(
    name="llm.calls",
    key="node",
    messages=("LlmCall",),
    retention_ms=90 * DAY_MS,
)
ROSTER = TopicSpec(
    name="arena.roster",
    key="agent/<name>, tool/<name> or rules",
    messages=("AgentSpec", "ToolOffered", "Rules"),
    compacted=True,
)
EVALUATIONS = TopicSpec(
    name="judge.evaluations",
    key="snapshot, agent or chat node",
    messages=(
        "Evaluation",
        "AgentEvaluation",
        "TurnJudgement",
        "JudgeCalibration",
        "PairwiseComparison",
    ),
    retention_ms=FOREVER_MS,
)
PROMPTS = TopicSpec(
    name="prompts",
    key="agent",
    messages=("PromptProposed", "PromptDecided", "TrialStarted", "TrialEnded"),
    retention_ms=FOREVER_MS,
    flush_every_append=True,
)
FEEDBACK = TopicSpec(
    name="agent.feedback",
    key="agent",
    messages=("Feedback",),
    retention_ms=FOREVER_MS,
    note="pending until a turn used it",
)
CONTROL = TopicSpec(
    name="arena.control",
    key="agent/<name>, all, pass-over/<record>, or risk/, adjust/, prefer/ or evaluate/<name>",
    messages=(
        "Halt",
        "Resume",
        "PassOver",
        "RiskRequest",
        "RiskAdjustment",
        "Preferences",
        "EvaluationRequest",
    ),
    compacted=True,
    # A halt that was confirmed outlives a lost power.
    flush_every_append=True,
    config={
        # A record without a value is unreadable, and so a halt; compaction must not take it away.
        "delete.retention.ms": str(2**63 - 1),
        # The broker's own time, as on heartbeats: a resume ends the halt of a topic that lost
        # records only if it came after the loss.
        "message.timestamp.type": "LogAppendTime",
    },
)
SUPERVISION = TopicSpec(
    name="arena.supervision",
    key="host",
    messages=("ProcessCommand",),
    # The broker's own time, as on heartbeats: a command that is read too late is not obeyed.
    config={"message.timestamp.type": "LogAppendTime"},
    note="supervisors start at its end: a command is for those that run",
)
DRIFTS = TopicSpec(
    name="ledger.drift",
    key="owner",
    messages=("Drift",),
    retention_ms=FOREVER_MS,
)
HEARTBEATS = TopicSpec(
    name="arena.heartbeats",
    key="node id",
    messages=("Heartbeat",),
    compacted=True,
    config={
        "segment.ms": "600000",
        "min.cleanable.dirty.ratio": "0.1",
        # The broker's own time on each: what the hosts' clocks are compared with.
        "message.timestamp.type": "LogAppendTime",
    },
)
DEAD_LETTERS = TopicSpec(
    name="dead_letters",
    key="origin topic",
    messages=("DeadLetter",),
    retention_ms=90 * DAY_MS,
)

TOPICS: tuple[TopicSpec, ...] = (
    TICKERS,
    CANDLES,
    SNAPSHOTS,
    CONTEXT,
    PROMPTED,
    INBOX,
    JUDGE_INBOX,
    CHAT_INBOX,
    TOOL_CALLS,
    COMMANDS,
    EVENTS,
    INTENTS,
    TURNS,
    LLM_CALLS,
    ROSTER,
    EVALUATIONS,
    PROMPTS,
    FEEDBACK,
    DRIFTS,
    CONTROL,
    SUPERVISION,
    HEARTBEATS,
    DEAD_LETTERS,
)


def prompted(node: str) -> str:
    """The topic of the requests to a chat node."""
    return PROMPTED.name + node


def inbox(agent: str) -> str:
    """The topic of the replies to an agent."""
    return INBOX.name + agent


ASKER_INBOXES = {"judge": JUDGE_INBOX, "chat": CHAT_INBOX}
"""Asker without a turn -> the topic of the replies to it."""


def inbox_of_asker(asker: str, agent: str) -> str:
    """The topic of the replies to a model's asker: an agent, or one without a turn."""
    spec = ASKER_INBOXES.get(asker)
    return inbox(agent) if spec is None else spec.name


def spec_of(topic: str) -> TopicSpec:
    """The specification of a topic by its name without prefix.

    Raises:
        UsageError: No topic of the arena has this name.
    """
    for spec in TOPICS:
        if topic == spec.name:
            return spec
        if spec.is_family and topic.startswith(spec.name) and topic != spec.name:
            return spec.member(topic[len(spec.name) :])
    known = ", ".join(s.name + ("<name>" if s.is_family else "") for s in TOPICS)
    raise UsageError(f"there is no topic {topic!r}", remedy=f"the topics are {known}")


def fixed_topics() -> tuple[TopicSpec, ...]:
    """Every topic that is not a family."""
    return tuple(s for s in TOPICS if not s.is_family)


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key: CRC-32 of its UTF-8 bytes, modulo the partitions."""
    return zlib.crc32(key.encode()) % partitions
