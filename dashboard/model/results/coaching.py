"""What a coach sees of an agent: its evaluations, the versions of its prompt, its owner. Pure."""

from arena.messages.base import Utc
from arena.money import WireDecimal
from dashboard.model.results.base import Result


class FailedCheck(Result):
    """A check by code that turns failed.

    Attributes:
        failed: Turns that failed it.
        checked: Turns that it applied to.
        words: The same in words.
        turns: Ids of the newest turns that failed it.
    """

    check: str
    failed: int
    checked: int
    words: str
    turns: tuple[str, ...]


class ModelOpinion(Result):
    """What a language model said about a sample of the turns.

    Attributes:
        scripted: True if built-in rules answered, not an LLM.
        calibrated: False if it is not measured how reliable the model is.
        turns: Judged turns.
        failed: Turns that it did not answer usably.
        credit: Share of the answers that count for the agent, 0 to 1.
        corrected: The same corrected by the calibration; None if uncalibrated.
        words: All of it in words, with what limits it.
    """

    node: str
    model: str
    scripted: bool
    calibrated: bool
    turns: int
    failed: int
    credit: float | None
    corrected: float | None
    words: str


class EvaluationResult(Result):
    """An evaluation of one agent; the contest's verdict does not use it.

    Attributes:
        overall: 0 to 100; None without any score.
        dimensions: Returns, risk, quality and consistency -> score, None if it has none.
        trend_change: Points of difference to the evaluations before; None without any.
        corrected: Interval of the quality score after calibration; None if uncalibrated.
        failed: The checks that turns failed, most failures first.
        judged: What a model said; None if none was asked.
        notes: What limits the figures, besides `judged`.
    """

    evaluation_id: str
    as_of: Utc
    cause: str
    turns: int
    version: str
    overall: float | None
    grade: str | None
    dimensions: dict[str, float | None]
    trend: str
    trend_change: float | None
    corrected: tuple[float, float] | None
    failed: tuple[FailedCheck, ...]
    judged: ModelOpinion | None
    notes: tuple[str, ...]


class EvidenceResult(Result):
    """Figures of an evaluation around a change of a prompt; None if unknown."""

    overall: float | None
    quality: float | None
    return_pct: float | None
    drawdown_pct: float | None
    turns: int


class PromptVersionResult(Result):
    """A version of an agent's prompt.

    Attributes:
        state: "pending", "in force", "rejected", "expired" or "replaced".
        author: Who wrote it: file, person, judge or optimiser.
        by: The sender.
        since: Market time when it was put into force last; None if it never was.
        expires_at: Market time at which its parent returns; None for never.
        decided_by, decided_for: Who decided about it last, and why.
        text: The text; None unless it is in force or pending, or if prompts are hidden.
        diff: What changed from its parent, as lines that begin with "+", "-", "@" or a blank; ()
            without a parent, or if prompts are hidden.
        added, removed: Lines that were added and removed; None if they are not known.
        before, after: Figures before it, and of the last decision about it.
    """

    version: str
    parent: str
    state: str
    author: str
    by: str
    reason: str
    template: str
    since: Utc | None
    expires_at: Utc | None
    confirmed: bool
    decided_by: str
    decided_for: str
    text: str | None
    diff: tuple[str, ...]
    added: int | None
    removed: int | None
    before: EvidenceResult | None
    after: EvidenceResult | None


class DifferenceResult(Result):
    """A difference between two arms of a trial, with its interval."""

    estimate: float
    low: float
    high: float


class ShadowResult(Result):
    """A shadow agent of a trial that runs.

    Attributes:
        arm: "champion", "challenger" or "copy".
        decisions: Turns with a decision, of the newest records.
        return_pct: Change of its equity since its account was opened; None without an account.
        calls: Model calls. cost_usd: Their cost; None if no price is known.
    """

    agent: str
    arm: str
    decisions: int
    return_pct: WireDecimal | None
    calls: int
    cost_usd: WireDecimal | None


class TrialResult(Result):
    """A trial of a text against the one in force.

    Attributes:
        market: "live" for shadow agents, "replay" for a lock-step contest.
        state: "running" or "ended".
        verdict: "promote", "keep" or "undecided"; None while it runs.
        snapshots: Length that was asked for; None for a lock-step contest.
        played: Snapshots of a running trial so far, or periods that were compared.
        quality, return_pct: Challenger less champion, in points and in percent; None if not
            compared. noise_quality, noise_return_pct: The same of the copy.
        detectable_pct: Difference of returns that 4 of 5 such trials would have found.
        words: How far it is, or what it found and why, in words.
        by: Who began it; of a lock-step contest, who sent the result.
        shadows: Its shadow agents while it runs.
    """

    trial_id: str
    market: str
    state: str
    verdict: str | None
    champion: str
    challenger: str
    snapshots: int | None
    played: int
    repeats: int
    quality: DifferenceResult | None
    noise_quality: DifferenceResult | None
    return_pct: DifferenceResult | None
    noise_return_pct: DifferenceResult | None
    detectable_pct: float | None
    words: str
    run: str
    by: str
    started_at: Utc | None
    ended_at: Utc | None
    shadows: tuple[ShadowResult, ...]


class PromptMark(Result):
    """A version came into force.

    Attributes:
        at: Market time; it counts from the next snapshot on.
        author: Who caused it: file, person, judge or optimiser.
    """

    at: Utc
    version: str
    author: str
    reason: str


class PendingFeedback(Result):
    """Words of an agent's owner that no turn or evaluation has used.

    Attributes:
        to: "agent" or "judge".
        text: The words; "" if prompts are hidden.
    """

    feedback_id: str
    to: str
    text: str
    by: str
    at: Utc


class PreferencesResult(Result):
    """What an agent's owner prefers; None for no preference."""

    risk: str | None
    style: str | None
    experience: str | None
    by: str
    at: Utc


class AgentCoaching(Result):
    """What a coach sees of one agent.

    Attributes:
        frozen: Why its prompt cannot be changed; "" if it can.
        in_force: The version in force; "" before the first text.
        evaluations: The newest evaluations, the newest first.
        prompts: The newest versions, the newest first, without the pending one.
        waiting: The pending proposal; None without one.
        waiting_trial: The trial of the pending proposal that runs, or its newest result, in words;
            "" without one.
        trials: The newest trials of its texts, the newest first.
        feedback: Pending feedback, oldest first.
        preferences: None if the owner stated none.
        hidden: True if texts, diffs and words are left out because prompts are hidden.
    """

    agent: str
    frozen: str
    in_force: str
    evaluations: tuple[EvaluationResult, ...]
    prompts: tuple[PromptVersionResult, ...]
    waiting: PromptVersionResult | None
    feedback: tuple[PendingFeedback, ...]
    preferences: PreferencesResult | None
    waiting_trial: str
    trials: tuple[TrialResult, ...]
    hidden: bool = False
