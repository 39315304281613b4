"""The checks by code: what can be said about a turn without a model. Pure.

Each check says of a turn that it passed, that it failed and why, or that it does not apply. Doubt
counts as "does not apply": a check that fails turns without reason would teach the wrong lesson.

    valid      the answer could be used, and the arguments could be read
    figures    the figures that the agent quotes were shown to it
    intent     the orders are those that its words announce
    own_rules  the rules that the strategy's own text states were kept
    size       no order was cut by a limit of risk, or refused for its size
    cost       the move that a buy aims at pays for two fees, slippage and the spread
    refused    a refused call was not sent again, in the same turn or the next
    churn      what was bought up to three turns ago was not sold for little more than its costs
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from arena.agent_health import is_decision
from arena.messages import Cause, Turn
from judge.evaluations.figures import (
    is_shown,
    largest_move_pct,
    price_ranges,
    quoted_figures,
    shown_numbers,
)
from judge.evaluations.intent import says_hold, statements
from judge.evaluations.own_rules import broken_rule, rules_of
from judge.evaluations.turn_view import REJECTED, CallView, TurnView, quotes, view_of

CHECKS = ("valid", "figures", "intent", "own_rules", "size", "cost", "refused", "churn")
WEIGHTS: Mapping[str, int] = {
    "valid": 3,
    "figures": 2,
    "intent": 2,
    "own_rules": 2,
    "size": 1,
    "cost": 1,
    "refused": 1,
    "churn": 1,
}
"""How much each check counts in the quality score."""
PASSED, FAILED, NOT_APPLICABLE = "p", "f", "-"
CHURN_TURNS = 3
REFUSED_MAX = 32
"""Refused calls of a turn that are remembered for the next one."""
REASON_CHARS_MAX = 160

ANSWER_CAUSES = frozenset({Cause.UNUSABLE_ANSWER, Cause.CONTENT_FILTER, ""})
"""Causes of a turn without a decision that say something about the answer; the others are those of
a model that could not be asked."""
UNREADABLE = frozenset(
    {"malformed arguments", "unknown product", "invalid quantity", "bad increment", "bad terms"}
)
"""Rejections of orders that could not be understood."""
TOO_LARGE = frozenset(
    {"risk limit", "below minimum", "insufficient cash", "insufficient position", "nothing held"}
)
"""Rejections of orders for their size."""
PASSING = frozenset(
    {"expired", "control unknown", "halted", "not tradable", "no price", "stale price"}
    | {"beyond collar"}
)
"""Rejections that pass by themselves: the next turn may send the same call again."""
_COST_BPS = re.compile(r"(?:costs about|there and back) (\d+(?:\.\d+)?) bps")
_MOVE = re.compile(
    r"\b(?:expect(?:ed|ing)?(?: a)?(?: move| gain| rise| bounce)?(?: of)?|target(?:ing)?(?: of)?|"
    r"aiming for)\s+(?:about\s+|at least\s+)?\+?(\d+(?:\.\d+)?)\s?(%|percent|bps)",
    re.IGNORECASE,
)
BPS_PER_PCT = 100.0


class RecentBuy(NamedTuple):
    """A buy of one of the last turns. `turn` counts the agent's turns."""

    turn: int
    product_id: str
    quantity: float
    notional: float
    fee: float


@dataclass(slots=True)
class AgentMemory:
    """What the checks of an agent's next turn need from earlier ones.

    Attributes:
        turns: Number of turns so far.
        buys: Buys of the last `CHURN_TURNS` turns, oldest first.
        refused: The calls that were refused in the last turn and may not be sent again.
    """

    turns: int = 0
    buys: list[RecentBuy] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class Checked(NamedTuple):
    """The results of a turn's checks.

    Attributes:
        results: One character for each of `CHECKS`.
        reasons: Failed check -> why.
    """

    results: str
    reasons: dict[str, str]

    def of(self, check: str) -> str:
        """The result of one check."""
        return self.results[CHECKS.index(check)]


Result = str | None
"""Why a check failed; "" if it passed; None if it does not apply."""


def check_turn(turn: Turn, memory: AgentMemory) -> Checked:
    """Check a turn, and remember what the next turn's checks need.

    Args:
        turn: The turn; an aborted one is not to be checked: its process ended.
        memory: What is known of the agent's earlier turns; it is changed.
    """
    view = view_of(turn)
    found: dict[str, Result] = {
        "valid": check_valid(turn, view),
        "figures": check_figures(view),
        "intent": check_intent(view),
        "own_rules": broken_rule(rules_of(view.strategy), view),
        "size": check_size(view),
        "cost": check_cost(view),
        "refused": check_refused(view, memory),
        "churn": check_churn(view, memory),
    }
    _remember(view, memory)
    results = "".join(
        NOT_APPLICABLE if why is None else FAILED if why else PASSED for why in found.values()
    )
    reasons = {name: why[:REASON_CHARS_MAX] for name, why in found.items() if why}
    return Checked(results, reasons)


def check_valid(turn: Turn, view: TurnView) -> Result:
    """Check that the model gave a usable decision with readable calls."""
    if not is_decision(turn):
        if turn.cause not in ANSWER_CAUSES:
            return None
        return f"no usable decision: {turn.error or turn.cause or turn.outcome}"
    if turn.outcome == "max_rounds":
        return "it was still calling tools after its last round"
    for call in view.calls:
        if call.problem:
            return f"{call.name}: {call.problem}"
        if call.arguments is None:
            return f"{call.name}: its arguments are not a JSON object"
        if not call.ok and (call.rejection in UNREADABLE or _is_unknown(call)):
            return f"{call.name}: {call.answer}"
    return ""


def _is_unknown(call: CallView) -> bool:
    return call.answer.startswith("there is no tool ")


def check_figures(view: TurnView) -> Result:
    """Check that quoted figures were shown."""
    quoted = [(figure, tools) for text, tools in view.words for figure in quoted_figures(text)]
    if not quoted:
        return None
    own = [call.raw for call in view.calls]
    known = shown_numbers((view.prompt, *own))
    largest: float | None = None
    by_tools = {tools: shown_numbers((tools,)) for _, tools in quoted}
    undecided = 0
    for figure, tools in quoted:
        if is_shown(figure, known) or is_shown(figure, by_tools[tools]):
            continue
        if figure.moved:
            largest = largest_move_pct(price_ranges(view.prompt)) if largest is None else largest
            if figure.value <= largest + figure.unit:
                undecided += 1
                continue
            return f"no shown prices are {figure.text} apart"
        return f"{figure.text} was not shown to it"
    return None if undecided == len(quoted) else ""


def check_intent(view: TurnView) -> Result:
    """Check the orders against what the words announce."""
    said = statements([text for text, _ in view.words], view.products)
    orders = [(call.side, call.product_id, call) for call in view.orders if call.side]
    applied = False
    for one in said:
        about = [o for o in orders if not one.product_id or o[1] == one.product_id]
        same = [call for side, _, call in about if side == one.side]
        if same:
            if one.past and all(call.rejection for call in same):
                return f'it says "{one.words}", but the order was refused'
            applied = True
        elif about and one.product_id:
            return f'it says "{one.words}", but sent a {about[0][0]} of {one.product_id}'
        elif not about and one.product_id and not one.past and not _has_exit(view, one.product_id):
            return f'it says "{one.words}", but sent no {one.side} of {one.product_id}'
    if not said and says_hold(view.final):
        if view.fills:
            return f"it says that it does nothing, but {view.fills[0].side}s were filled"
        applied = True
    return "" if applied else None


def _has_exit(view: TurnView, product_id: str) -> bool:
    return any(call.is_decided and call.product_id in ("", product_id) for call in view.calls)


def check_size(view: TurnView) -> Result:
    """Check that no order was cut by a limit, or refused for its size."""
    judged = False
    for call in view.orders:
        if call.rejection in TOO_LARGE:
            return call.answer.removeprefix(REJECTED)
        if call.ok and "Risk cut the order from " in call.answer:
            return call.answer[call.answer.index("Risk cut the order from ") :]
        judged = judged or call.ok
    return "" if judged else None


def check_cost(view: TurnView) -> Result:
    """Check that the named move of a buy pays for both ways."""
    stated = both_ways_bps(view.prompt)
    if not stated:
        return None
    both_ways_pct = float(stated) / BPS_PER_PCT
    known = quotes(view.prompt) if any(call.side == "buy" for call in view.orders) else {}
    applied = False
    for call in view.orders:
        if call.side != "buy" or (move := _named_move(call)) is None:
            continue
        bid, ask = known.get(call.product_id, (1.0, 1.0))
        cost = both_ways_pct + 100 * (ask / bid - 1)
        applied = True
        if move < cost:
            return f"a buy of {call.product_id} aims at {move:g} %, its costs are {cost:.2f} %"
    return "" if applied else None


def both_ways_bps(prompt: str) -> str:
    """What buying and selling again costs, in basis points, as a prompt states it; "" if not."""
    stated = _COST_BPS.search(prompt)
    return "" if stated is None else stated.group(1)


def _named_move(call: CallView) -> float | None:
    """The move that a buy aims at, in percent: its take-profit, else what its text says."""
    try:
        target = float(call.text("take_profit_pct").removesuffix("%") or "nan")
    except ValueError:
        target = float("nan")
    if target == target and target > 0:  # NaN differs from itself.
        return target
    moves = _MOVE.findall(call.said)
    if not moves:
        return None
    return min(float(n) / (BPS_PER_PCT if unit.lower() == "bps" else 1.0) for n, unit in moves)


def check_refused(view: TurnView, memory: AgentMemory) -> Result:
    """Check that no refused call was sent again."""
    before, refused, applied = set(memory.refused), set[str](), bool(memory.refused)
    for call in view.calls:
        same = _identity(call)
        if same in refused or same in before:
            which = "in the same turn" if same in refused else "of the turn before"
            return f"it sent a refused call {which} again: {call.name} {call.raw[:80]}"
        if not call.ok:
            refused.add(same)
            applied = True
    return "" if applied and view.calls else None


def _identity(call: CallView) -> str:
    """What makes two calls the same: the name, and the arguments in any order."""
    if call.arguments is None:
        return f"{call.name} {call.raw}"
    return f"{call.name} {sorted((k, str(v)) for k, v in call.arguments.items())}"


def check_churn(view: TurnView, memory: AgentMemory) -> Result:
    """Check that a product was not bought and sold within a few turns for its costs alone."""
    sells = [fill for fill in view.fills if fill.side == "sell"]
    if not sells:
        return None
    recent = [*memory.buys, *_buys(view, memory.turns)]
    for sell in sells:
        bought = [buy for buy in recent if buy.product_id == sell.product_id]
        quantity = sum(buy.quantity for buy in bought)
        if not bought or quantity <= 0 or sell.quantity <= 0:
            continue
        both = min(quantity, sell.quantity)
        paid = sum(buy.notional for buy in bought) * both / quantity
        got = sell.notional * both / sell.quantity
        fees = sum(b.fee for b in bought) * both / quantity + sell.fee * both / sell.quantity
        if fees > abs(got - paid) / 2:
            return (
                f"bought and sold {sell.product_id} within {CHURN_TURNS} turns:"
                f" {got - paid:+.2f} by the price, {fees:.2f} of fees"
            )
    return ""


def _buys(view: TurnView, turn: int) -> list[RecentBuy]:
    return [
        RecentBuy(turn, fill.product_id, fill.quantity, fill.notional, fill.fee)
        for fill in view.fills
        if fill.side == "buy"
    ]


def _remember(view: TurnView, memory: AgentMemory) -> None:
    memory.buys += _buys(view, memory.turns)
    memory.turns += 1
    memory.buys = [one for one in memory.buys if one.turn > memory.turns - 1 - CHURN_TURNS]
    memory.refused = [
        _identity(call) for call in view.calls if not call.ok and call.rejection not in PASSING
    ][:REFUSED_MAX]
