"""When an agent is asked for a decision: its gates, the reasons, and the snapshots it skipped."""

from enum import StrEnum

from pydantic import Field

from arena.messages.base import Message, MessagePart, Utc, is_empty, is_none
from arena.money import WireDecimal


class AskedFor(StrEnum):
    """Why an agent was asked on a snapshot; a plain string on the wire.

    Attributes:
        FIRST: It has not had a turn before.
        DUE: No gate holds it back.
        MOVE: The mid of a product moved by at least `on_move_pct` since its last turn.
        QUIET_MAX: `quiet_max` has passed since its last turn.
        FILL: An order of its account was filled outside its own turns.
        EXIT: Since its last turn an exit of its position fired, or a limit order of it filled or
            ended.
        HALT, RESUME: The agent, or all agents, were halted or resumed.
        FEEDBACK: Its owner sent feedback that it has not seen.
    """

    FIRST = "first"
    DUE = "due"
    MOVE = "move"
    QUIET_MAX = "quiet_max"
    FILL = "fill"
    EXIT = "exit"
    HALT = "halt"
    RESUME = "resume"
    FEEDBACK = "feedback"


class SkippedFor(StrEnum):
    """Why an agent was not asked on a snapshot; a plain string on the wire.

    Attributes:
        CADENCE: It is asked on every n-th snapshot.
        EVERY: Less than `every` has passed since its last turn.
        NO_MOVE: No product moved by `on_move_pct`, and `quiet_max` has not passed.
        CALLS_PER_HOUR_MAX, CALLS_PER_DAY_MAX: It has no model call left.
        DECISIONS_MAX: It has no decision left.
        BUSY: A newer snapshot was there before the agent was ready for this one.
        UNRECORDED: No router ran, or it was killed before it recorded the reason.
    """

    CADENCE = "cadence"
    EVERY = "every"
    NO_MOVE = "no_move"
    CALLS_PER_HOUR_MAX = "calls_per_hour_max"
    CALLS_PER_DAY_MAX = "calls_per_day_max"
    DECISIONS_MAX = "decisions_max"
    BUSY = "busy"
    UNRECORDED = "unrecorded"


MISSED = frozenset({SkippedFor.BUSY, SkippedFor.UNRECORDED})
"""Reasons for which a snapshot counts in `Turn.skipped_snapshots`: no gate held the agent back."""

WAKE_CAUSES = (
    AskedFor.HALT,
    AskedFor.RESUME,
    AskedFor.EXIT,
    AskedFor.FILL,
    AskedFor.FEEDBACK,
)
"""What `wake_on` may name, the most important first."""


class Gates(MessagePart):
    """What holds an agent back from a decision; all times are venue time.

    Attributes:
        every_s: Least seconds between two turns.
        on_move_pct: Percentage by which the mid of a product must move between two turns.
        quiet_max_s: Seconds after the last turn at which the agent is asked without a move.
        calls_per_hour_max, calls_per_day_max: Most model calls, all rounds, in the last hour, day.
        decisions_max: Most turns in all.
        wake_on: Causes for which the agent is asked at the next snapshot: "fill", "exit", "halt",
            "resume", "feedback".
    """

    every_s: float | None = Field(default=None, gt=0, exclude_if=is_none)
    on_move_pct: WireDecimal | None = Field(default=None, gt=0, exclude_if=is_none)
    quiet_max_s: float | None = Field(default=None, gt=0, exclude_if=is_none)
    calls_per_hour_max: int | None = Field(default=None, ge=1, exclude_if=is_none)
    calls_per_day_max: int | None = Field(default=None, ge=1, exclude_if=is_none)
    decisions_max: int | None = Field(default=None, ge=1, exclude_if=is_none)
    wake_on: tuple[str, ...] = Field(default=(), exclude_if=is_empty)


class SkippedSnapshots(Message):
    """Consecutive snapshots on which an agent was not asked, counted by reason.

    In lock-step there is one for every skipped snapshot, because the market waits for it. In real
    time it is written before the next turn, at a clean stop, and after every 60 snapshots.

    Attributes:
        first_offset: Offset in `market.snapshots` of the first of them.
        snapshot_offset: Offset of the last one.
        snapshot_id: Id of the last one; "" if the router did not read it.
        after: Venue time of the newest turn or skipped snapshot before them; None if unknown.
        as_of: Venue time of the newest snapshot that the router had read.
        counts: `SkippedFor` -> snapshots.
    """

    agent: str
    first_offset: int
    snapshot_offset: int
    snapshot_id: str = ""
    after: Utc | None = None
    as_of: Utc
    counts: dict[str, int]
