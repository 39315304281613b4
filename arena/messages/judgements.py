"""What a language model says as judge: about turns, planted faults, and pairs of turns."""

from pydantic import Field

from arena.messages.base import Message, MessagePart, Utc, is_empty
from arena.money import WireDecimal


class JudgedAnswer(MessagePart):
    """The answer to one question about a turn.

    Attributes:
        yes: None if the model did not answer it.
        quote: The words of the turn that it quoted.
        found: True if the turn has these words; an answer without is given no credit.
    """

    question: str
    yes: bool | None = None
    quote: str = Field(default="", max_length=400)
    found: bool = False


class TurnJudgement(Message):
    """A language model's answers about one turn, on `judge.evaluations`.

    Attributes:
        judgement_id: Derived from turn, rubric, node and `repeat`.
        planted: Name of the fault that a calibration planted in it; "twin" for its unchanged
            twin; "" for a judgement that counts.
        repeat: 0, or 1 for the second judgement of a turn, which measures agreement.
        call_id: The call in `llm.calls`.
        failure: Why `answers` is empty; "" if it is not.
        credit: Share of the answers that count for the agent; None without answers.
    """

    judgement_id: str
    agent: str
    turn_id: str
    snapshot_id: str
    as_of: Utc
    rubric: str
    node: str
    model: str = ""
    scripted: bool = False
    planted: str = Field(default="", max_length=64, exclude_if=is_empty)
    repeat: int = 0
    call_id: str
    answers: tuple[JudgedAnswer, ...] = ()
    failure: str = Field(default="", max_length=500)
    credit: float | None = None
    cost_usd: WireDecimal | None = None
    at: Utc


class QuestionRates(MessagePart):
    """How reliably a model answers one question, from planted faults and their twins.

    Attributes:
        true_positive: Share of the planted faults that it found, with its interval.
        false_positive: Share of the twins in which it saw the fault, with its interval.
        planted, twins: How many of each it answered.
    """

    question: str
    planted: int
    twins: int
    true_positive: float | None = None
    true_positive_low: float | None = None
    true_positive_high: float | None = None
    false_positive: float | None = None
    false_positive_low: float | None = None
    false_positive_high: float | None = None


class JudgeCalibration(Message):
    """How reliable a judging model is, on `judge.evaluations`.

    Attributes:
        faults: Name of a planted fault -> rates of the question that should find it.
        rates: All planted faults together, per question.
        retest_turns: Turns that were judged twice.
        retest_agreement: Share of their answers that agree; None without any.
        confidence: Of every interval.
    """

    calibration_id: str
    rubric: str
    node: str
    model: str = ""
    scripted: bool = False
    turns: int
    rates: tuple[QuestionRates, ...]
    faults: dict[str, QuestionRates] = Field(default_factory=dict)
    retest_turns: int = 0
    retest_agreement: float | None = None
    confidence: float = 0.90
    calls: int = 0
    failed: int = 0
    cost_usd: WireDecimal | None = None
    at: Utc


class PairwiseComparison(Message):
    """Which of two agents decided better, by a language model, on `judge.evaluations`.

    Each pair of decisions on one snapshot was asked about in both orders.

    Attributes:
        comparison_id: Derived from the calls.
        versions_a, versions_b: Versions of their texts in the compared turns, oldest first.
        pairs: Compared pairs.
        pairs_seen: Snapshots on which both agents decided, of which the pairs are a sample.
        a_better, b_better: Pairs in which both orders call this agent's decision better.
        ties: Pairs that were called equal, or on which the orders disagree.
        first_place: Ties in which both orders prefer the answer that is shown first.
        failed: Pairs without two usable answers.
        share_b: Share of `b_better` of the pairs with a winner, 0 to 1, and the bounds of its
            interval; None without a winner.
    """

    comparison_id: str
    agent_a: str
    agent_b: str
    versions_a: tuple[str, ...] = ()
    versions_b: tuple[str, ...] = ()
    node: str
    model: str = ""
    scripted: bool = False
    pairs: int
    pairs_seen: int
    a_better: int
    b_better: int
    ties: int
    first_place: int = 0
    failed: int = 0
    share_b: tuple[float, float, float] | None = None
    confidence: float = 0.90
    cost_usd: WireDecimal | None = None
    at: Utc
