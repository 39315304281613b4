"""Versions of prompts, the owner's words, and evaluations of one agent.

Times are venue time (`as_of`) where a rule depends on them; `at` is wall time. Scores are from 0 to
100, with two decimals.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, JsonValue

from arena.messages.base import Message, MessagePart, Utc, is_empty, is_none
from arena.money import WireDecimal

TEXT_BYTES_MAX = 20_000
"""Most bytes of a strategy's text."""
REASON_CHARS_MAX = 1_000
FEEDBACK_CHARS_MAX = 500
WINDOW_S_MAX = 1e9
DIMENSIONS = ("returns", "risk", "quality", "consistency")
"""The dimensions of an evaluation, in the order in which they are shown."""
SHA256 = r"^[0-9a-f]{64}$"

Author = Literal["file", "person", "judge", "optimiser"]
"""Who wrote a version: "file" is the strategy that the agent was started with."""
Template = Literal["", "conservative", "standard", "aggressive"]
PromptAction = Literal["approve", "reject", "confirm", "rollback", "freeze", "unfreeze"]
EvaluatedFor = Literal["first", "cadence", "demand", "feedback"]
Trend = Literal["improving", "stable", "declining", "unknown"]
Grade = Literal["A", "B", "C", "D", "F"]
RiskWish = Literal["low", "medium", "high"]
Style = Literal["conservative", "balanced", "aggressive"]
Experience = Literal["beginner", "intermediate", "advanced"]

# Any: pydantic's `Field` has the type of its field.
VERSION_FIELD: Any = Field(default="", pattern=r"^([0-9a-f]{64})?$", exclude_if=is_empty)
"""Version of a strategy's text, its SHA-256; "" in older records."""


def _check_finite(figures: dict[str, JsonValue]) -> dict[str, JsonValue]:
    json.dumps(figures, allow_nan=False)  # It raises a ValueError.
    return figures


class FinitePart(MessagePart):
    """A part of a message whose figures are finite: JSON has no other ones."""

    model_config = ConfigDict(allow_inf_nan=False)


class Evidence(FinitePart):
    """Figures of an evaluation that a change of a prompt is based on.

    Attributes:
        evaluation_id: The evaluation; "" if the figures come from a trial or a search.
        overall, returns, risk, quality, consistency: Scores; None if unknown.
        return_pct: Return in the evaluation's window, in percent.
        drawdown_pct: Largest drawdown in the window, in percent.
        turns: Turns in the window.
    """

    evaluation_id: str = Field(default="", max_length=64)
    as_of: Utc | None = None
    overall: float | None = None
    returns: float | None = None
    risk: float | None = None
    quality: float | None = None
    consistency: float | None = None
    return_pct: float | None = None
    drawdown_pct: float | None = None
    turns: int = 0


class PromptProposed(Message):
    """A text that a strategy may get, on `prompts`, keyed by the agent.

    `arena.prompt_versions` says when it counts. A text by "file" is in force at once, any other
    once it is approved.

    Attributes:
        version: SHA-256 of `text`, in hex.
        text: The whole text of the strategy, without the rules that all agents share.
        parent: The version that it was made from; "" for the first one.
        author: Who wrote it.
        by: The sender, such as "cli/<host>".
        template: The template that it came from; "" for none.
        evidence: Figures before the change; None if it has none.
        evidence_after: Figures of this text on snapshots that it was not made from; None if it was
            not tried.
        cooldown_s: The proposal does not count in the first so many seconds of venue time after
            the last change of this agent's text.
        expires_s: Seconds of venue time in force after which the parent returns, unless the
            version is confirmed; None for never.
        as_of: Venue time of the newest snapshot that the sender knew; None without one.
    """

    agent: str
    version: str = Field(pattern=SHA256)
    text: str = Field(min_length=1, max_length=TEXT_BYTES_MAX)
    parent: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    author: Author
    by: str = Field(min_length=1, max_length=300)
    reason: str = Field(default="", max_length=REASON_CHARS_MAX)
    template: Template = ""
    evidence: Evidence | None = None
    evidence_after: Evidence | None = Field(default=None, exclude_if=is_none)
    cooldown_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    expires_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    as_of: Utc | None = None
    at: Utc


class PromptDecided(Message):
    """What is done with a version, or with all of an agent's, on `prompts`.

    Attributes:
        version: The version that is approved, rejected, confirmed, or returned to by a rollback;
            "" for "freeze" and "unfreeze".
        action: "approve" puts a proposal into force, "confirm" keeps it beyond its expiry,
            "rollback" puts an earlier version into force, "freeze" refuses every change.
        author: Who decided.
        evidence: Figures after the change, or of the trial; None if there are none.
    """

    agent: str
    version: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    action: PromptAction
    author: Author
    by: str = Field(min_length=1, max_length=300)
    reason: str = Field(default="", max_length=REASON_CHARS_MAX)
    evidence: Evidence | None = None
    as_of: Utc | None = None
    at: Utc


class Feedback(Message):
    """Words of an agent's owner, on `agent.feedback`, keyed by the agent.

    Attributes:
        to: "agent": shown in the agent's prompts until a turn used it. "judge": it forces an
            evaluation.
    """

    feedback_id: str = Field(pattern=r"^[0-9A-Za-z-]{8,64}$")
    agent: str
    to: Literal["agent", "judge"] = "agent"
    text: str = Field(min_length=1, max_length=FEEDBACK_CHARS_MAX)
    by: str = Field(min_length=1, max_length=300)
    at: Utc


class Preferences(Message):
    """What an agent's owner prefers, on `arena.control` under "prefer/<agent>"; the newest counts.

    Attributes:
        risk, style, experience: None for no preference.
    """

    agent: str
    risk: RiskWish | None = None
    style: Style | None = None
    experience: Experience | None = None
    by: str = Field(min_length=1, max_length=300)
    at: Utc


class OwnerWords(MessagePart):
    """The owner's words that a turn's prompt showed.

    Attributes:
        risk, style, experience: The preferences; None for none.
        feedback: Ids of the feedback, oldest first; their texts are in `agent.feedback`.
    """

    risk: RiskWish | None = Field(default=None, exclude_if=is_none)
    style: Style | None = Field(default=None, exclude_if=is_none)
    experience: Experience | None = Field(default=None, exclude_if=is_none)
    feedback: tuple[str, ...] = Field(default=(), max_length=20, exclude_if=is_empty)


class EvaluationRequest(Message):
    """Asks the judge to evaluate an agent, on `arena.control` under "evaluate/<agent>".

    Attributes:
        request_id: Unique id; the evaluation names it in `asked_by`.
    """

    request_id: str = Field(pattern=r"^[0-9A-Za-z-]{8,64}$")
    agent: str
    by: str = Field(min_length=1, max_length=300)
    at: Utc


class Dimension(FinitePart):
    """One dimension of an evaluation.

    Attributes:
        score: 0 to 100; None if there is nothing to score.
        weight: Its share of the overall score.
        inputs: The figures that the formula was given, by name.
        note: Why the score is None, or what limits it.
    """

    score: float | None = None
    weight: float
    inputs: Annotated[dict[str, JsonValue], AfterValidator(_check_finite)] = Field(
        default_factory=dict
    )
    note: str = ""


class CheckCount(MessagePart):
    """How often turns passed one check of `judge.evaluations.code_checks`."""

    passed: int = 0
    failed: int = 0
    not_applicable: int = 0


class Judged(FinitePart):
    """What a language model said about a sample of the turns.

    Attributes:
        node, model: The chat node and model that answered.
        scripted: True if built-in rules answered, not an LLM.
        rubric: Version of the questions.
        turns: Judged turns.
        failed: Turns that the model did not answer usably.
        credit: Share of the answers that count for the agent, 0 to 1, with its interval.
        corrected: The same corrected by the calibration, with its interval; None if uncalibrated.
        calibration_id: The calibration; "" without one.
        note: What limits these figures, such as "uncalibrated".
    """

    node: str
    model: str = ""
    scripted: bool = False
    rubric: str
    turns: int
    failed: int = 0
    credit: float | None = None
    credit_low: float | None = None
    credit_high: float | None = None
    corrected: float | None = None
    corrected_low: float | None = None
    corrected_high: float | None = None
    calibration_id: str = ""
    note: str = ""


class AgentEvaluation(Message, FinitePart):
    """A coach's view of one agent, on `judge.evaluations`; the contest's verdict does not use it.

    Attributes:
        evaluation_id: Derived from the agent, the snapshot and the cause: two judges that agree on
            these agree on the rest.
        cause: Why it was made.
        asked_by: The request or feedback that asked for it; "" on cadence.
        window_s: Venue seconds that it looks back, at most the age of the account.
        version: Version of the strategy's text in the newest turn; "" if unknown.
        version_turns: Turns with a decision under this version since it came into force last.
        version_orders: How many of them sent an order.
        version_quality: The quality score of these turns alone; None without any check.
        overall: Weighted mean of the dimensions that have a score; None without any.
        dimensions: "returns", "risk", "quality" and "consistency".
        trend: Against the mean of `trend_from`; "unknown" without earlier evaluations.
        trend_change: Points of difference to that mean.
        trend_from: Ids of the earlier evaluations that were compared.
        checks: Check -> counts over the turns of the window.
        failed_turns: Check -> ids of the newest turns that failed it.
        judged: What a language model said; None if none was asked.
        quality_interval: Interval of the quality score after correction; None if uncalibrated.
        next_at: Venue time from which the next evaluation on cadence is due.
        notes: What limits the figures, one sentence each.
    """

    evaluation_id: str
    agent: str
    snapshot_id: str
    as_of: Utc
    cause: EvaluatedFor
    asked_by: str = Field(default="", exclude_if=is_empty)
    window_s: float = Field(ge=0, le=WINDOW_S_MAX)
    turns: int
    version: str = VERSION_FIELD
    version_turns: int = 0
    version_orders: int = 0
    version_quality: float | None = None
    overall: float | None = None
    grade: Grade | None = None
    dimensions: dict[str, Dimension]
    trend: Trend = "unknown"
    trend_change: float | None = None
    trend_from: tuple[str, ...] = ()
    checks: dict[str, CheckCount] = Field(default_factory=dict)
    failed_turns: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    judged: Judged | None = None
    quality_interval: tuple[float, float] | None = None
    return_pct: float | None = None
    drawdown_pct: float | None = None
    equity: WireDecimal | None = None
    next_at: Utc | None = None
    notes: tuple[str, ...] = ()
