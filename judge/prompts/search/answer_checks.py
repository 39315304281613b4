"""Scores one answer to a recorded prompt by the checks of `judge.evaluations.checks`. Pure.

Calls are not carried out: market orders are filled on paper (`paper_fills`) if the account is
known. `churn`, which needs the price of a later sell, does not apply; a trial checks it. The rules
of the text in force are checked for every text, so no text scores better by having fewer or easier
rules.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from math import isnan

from arena.agent_health import is_decision
from arena.messages import Cause, ChatMessage, ChatReply, Round, Turn, TurnOutcome
from judge.evaluations.checks import (
    ANSWER_CAUSES,
    CHECKS,
    FAILED,
    NOT_APPLICABLE,
    PASSED,
    REASON_CHARS_MAX,
    Result,
    both_ways_bps,
    check_cost,
    check_figures,
    check_intent,
    check_refused,
    check_size,
    check_valid,
)
from judge.evaluations.own_rules import broken_rule, rules_of
from judge.evaluations.turn_view import TurnView, view_of
from judge.prompts.search.paper_fills import FilledAnswer, fill_calls
from judge.prompts.search.recorded import RecordedPrompt
from judge.prompts.trial_arms import points_of
from judge.strategy_text import RULES_BEGIN


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """What the checks say about an answer.

    Attributes:
        points: The weighted share of the applicable checks that it passed, 0 to 100; None if no
            check applied, as when the model could not be asked.
        orders: Buys and sells that it asked for.
        reasons: Failed check -> why.
        words: What the model said.
        error: Why the model gave no answer; "" if it did.
    """

    points: float | None
    orders: int = 0
    reasons: dict[str, str] = field(default_factory=dict)
    words: str = ""
    error: str = ""

    @property
    def share(self) -> float:
        """The points from 0 to 1; 0 without any."""
        return 0.0 if self.points is None else self.points / 100.0


def score_answer(prompt: RecordedPrompt, text: str, parent: str, reply: ChatReply) -> AnswerScore:
    """Score an answer.

    Args:
        prompt: The recorded prompt.
        text: The strategy's text that was shown.
        parent: The text in force, whose rules are checked, too.
        reply: The model's answer.
    """
    turn, filled = _answered(prompt, text, reply)
    view = view_of(turn)
    if not is_decision(turn) and turn.cause not in ANSWER_CAUSES:
        return AnswerScore(None, error=reply.error or reply.cause or reply.outcome)
    found: dict[str, Result] = {
        "valid": check_valid(turn, view),
        "figures": check_figures(view),
        "intent": check_intent(view),
        "own_rules": _broken_rule(text, parent, view),
        "size": check_size(view) if filled.is_known else None,
        "cost": check_cost(view),
        "refused": check_refused(view, prompt.memory),
        "churn": None,
    }
    results = "".join(
        NOT_APPLICABLE if (why := found[name]) is None else FAILED if why else PASSED
        for name in CHECKS
    )
    points = points_of(results)
    return AnswerScore(
        points=None if isnan(points) else points,
        orders=sum(call.ok and call.side in ("buy", "sell") for call in view.orders),
        reasons={name: why[:REASON_CHARS_MAX] for name, why in found.items() if why},
        words=reply.text,
    )


def _broken_rule(text: str, parent: str, view: TurnView) -> Result:
    """A new rule gives no credit if it is kept, because any text could add one."""
    own, of_parent = (broken_rule(rules_of(one), view) for one in (text, parent))
    return of_parent or own or of_parent


def _answered(prompt: RecordedPrompt, text: str, reply: ChatReply) -> tuple[Turn, FilledAnswer]:
    """The turn that ends with this answer, and the results that its calls would have.

    Results of earlier look-ups are shown as texts, because the words before them are not part of
    this answer.
    """
    shown = [
        ChatMessage(role="user", content=message.content)
        for message in prompt.shown
        if message.role in ("user", "tool")
    ]
    system = ChatMessage(role="system", content=text + RULES_BEGIN + prompt.rules)
    both_ways = both_ways_bps(system.content)
    filled = fill_calls(
        reply.tool_calls,
        frozenset(tool.name for tool in prompt.offered.tools),
        "\n".join(message.content for message in shown),
        prompt.account,
        Decimal(both_ways) / 2 if both_ways else None,
    )
    answer = ChatMessage(role="assistant", content=reply.text, tool_calls=reply.tool_calls)
    results = [
        ChatMessage(role="tool", content=result.text, tool_call_id=call.model_call_id)
        for call, result in zip(reply.tool_calls, filled.results, strict=True)
    ]
    ended = Round(
        call_id=reply.call_id,
        outcome=reply.outcome,
        tools_ok=tuple(result.ok for result in filled.results),
    )
    outcome, cause = _outcome(reply)
    turn = prompt.turn.model_copy(
        update={
            "messages": (system, *shown, answer, *results),
            "rounds": (ended,),
            "outcome": outcome,
            "cause": cause,
            "error": reply.error or reply.unreadable,
            # Words beside calls are not the end of a turn: its results would follow.
            "final_text": "" if reply.tool_calls else reply.text,
            "portfolio": filled.portfolio,
        }
    )
    return turn, filled


def _outcome(reply: ChatReply) -> tuple[TurnOutcome, str]:
    """The outcome and cause of a turn with this answer alone."""
    if reply.outcome != "ok":
        return ("expired" if reply.outcome == "expired" else "failed"), reply.cause
    if reply.unreadable or not (reply.tool_calls or reply.text.strip()):
        return "failed", Cause.UNUSABLE_ANSWER
    return "completed", ""
