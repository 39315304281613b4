"""A turn as a judge sees it: what the agent was shown and did, and nothing that tells who it was.

    ## Strategy           the agent's own text, and the costs of a trade
    ## Account            in shares of its value; no cash, no equity, no profit
    ## Market at 09:30    tickers, indicators, news, newest bars
    ## Earlier            closed orders, the owner's words, the agent's last decisions
    ## What the agent did its words, its calls and their results

Names of agent, strategy and model, ids, dates, and money are removed (`redact`). The results
of the turn's own calls are shown, because the agent saw them; nothing else is later than the
snapshot. Pure; the bounds of the parts add up to `TEXT_CHARS_MAX`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from arena.messages import RequestedCall, Turn
from arena.messages.tools import EXIT_TOOL, PORTFOLIO_TOOL, TRADE_TOOL
from arena.visible_text import one_line
from judge.evaluations.llm.account_results import (
    HIDDEN_RESULT,
    SUCCESS_TOOLS,
    account_numbers,
    portfolio_shares,
    success_numbers,
    without_amounts,
)
from judge.evaluations.llm.prompt_parts import (
    ACCOUNT_CHARS_MAX,
    MARKET_CHARS_MAX,
    OTHER_CHARS_MAX,
    STRATEGY_CHARS_MAX,
    PromptParts,
    account_lines,
    bounded,
    decimal_of,
    market_lines,
    other_lines,
    prompt_parts,
)
from judge.evaluations.llm.redact import (
    without_dates_and_ids,
    without_money,
    without_names,
    without_values,
)

ACTIONS_CHARS_MAX = 5_000
WORDS_CHARS_MAX = 2_000
"""Most characters of one message of the agent."""
ARGUMENTS_CHARS_MAX = 400
RESULT_CHARS_MAX = 600
TEXT_CHARS_MAX = 20_000
ORDER_TOOLS = frozenset({TRADE_TOOL, EXIT_TOOL})
JUDGED_OUTCOMES = frozenset({"completed", "max_rounds"})

STRATEGY = "Strategy"
MARKET = "Market"
ACTIONS = "What the agent did"

_HEADING = re.compile(r"^#+\s*", re.M)


@dataclass(frozen=True, slots=True)
class BlindTurn:
    """The text about one turn for a judge.

    Attributes:
        text: At most `TEXT_CHARS_MAX` characters.
    """

    turn_id: str
    text: str


def is_judgeable(turn: Turn) -> bool:
    """True if a turn ended with a decision whose text was recorded."""
    return turn.outcome in JUDGED_OUTCOMES and any(m.role == "assistant" for m in turn.messages)


def blind_turn(turn: Turn) -> BlindTurn:
    """Render a turn for a judge."""
    texts = blind_sections(turn, names_of(turn))
    text = "\n\n".join(f"## {heading}\n{body}" for heading, body in texts.items())
    return BlindTurn(turn.turn_id, text[:TEXT_CHARS_MAX])


def blind_sections(turn: Turn, names: Iterable[str]) -> dict[str, str]:
    """The sections of the text about a turn, by heading.

    Args:
        turn: The turn.
        names: The names to remove.
    """
    parts = prompt_parts(turn)
    earlier = [
        *other_lines(parts, "Since your"),
        *other_lines(parts, "From your owner"),
        *other_lines(parts, "Your last decisions"),
    ]
    done = [without_money(line) for line in action_lines(turn, parts)]
    strategy = _HEADING.sub("", "\n".join([parts.strategy, parts.costs]))
    texts = {
        STRATEGY: bounded([strategy], STRATEGY_CHARS_MAX),
        "Account": bounded(account_lines(parts), ACCOUNT_CHARS_MAX) or "(not in its prompt)",
        f"{MARKET} at {turn.as_of:%H:%M}": bounded(market_lines(parts), MARKET_CHARS_MAX),
        "Earlier": without_money(bounded(earlier, OTHER_CHARS_MAX)) or "(nothing)",
        ACTIONS: bounded(done, ACTIONS_CHARS_MAX),
    }
    amounts = (*parts.amounts, *account_numbers(turn))
    repeated = (*amounts, *success_numbers(turn))
    own_words = ("Earlier", ACTIONS)
    return {
        heading: without_names(
            without_values(
                without_dates_and_ids(body), repeated if heading in own_words else amounts
            ),
            names,
        )
        for heading, body in texts.items()
    }


def names_of(turn: Turn) -> tuple[str, ...]:
    """The names by which a turn could be recognised.

    That of the chat node is one of them only if it is like the model's or no plain word: a node
    that is called "rules" would take this word out of every strategy.
    """
    models = (turn.model, turn.model.rpartition("/")[2], turn.model.partition(":")[0])
    tells = turn.node.casefold() in turn.model.casefold() or not turn.node.isalpha()
    node = turn.node if tells else ""
    return tuple(dict.fromkeys(filter(None, (turn.agent, turn.strategy, node, *models))))


def action_lines(turn: Turn, parts: PromptParts) -> list[str]:
    """The agent's words, calls and results, in order."""
    found: list[str] = []
    tools: dict[str, str] = {}
    for message in turn.messages:
        if message.role == "assistant":
            if words := " ".join(message.content.split())[:WORDS_CHARS_MAX]:
                found.append(f"words: {words}")
            for call in message.tool_calls:
                tools[call.model_call_id] = call.name
                found.append(call_line(call, parts))
        elif message.role == "tool":
            name = tools.get(message.tool_call_id or "", "")
            found.append(f"result: {result_text(name, message.content)}")
    return found or ["words: (none)"]


def call_line(call: RequestedCall, parts: PromptParts) -> str:
    """A call, with the share of the account that an order is."""
    arguments = one_line(call.arguments, ARGUMENTS_CHARS_MAX)
    line = f"call: {one_line(call.name, 64)} {arguments}"
    return f"{line}{order_share(call, parts)}" if call.name in ORDER_TOOLS else line


def order_share(call: RequestedCall, parts: PromptParts) -> str:
    """The share of the account that an order is, in brackets; "" if it is unknown."""
    try:
        arguments = orjson.loads(call.arguments)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(arguments, dict):
        return ""
    quantity = decimal_of(str(arguments.get("quantity", "")))
    share = parts.share(str(arguments.get("product_id", "")), quantity) if quantity else ""
    return f" ({share} of the account)" if share else ""


def result_text(tool: str, content: str) -> str:
    """A result without amounts of money; one about the account's success is hidden."""
    if tool in SUCCESS_TOOLS:
        return HIDDEN_RESULT
    text = portfolio_shares(content) if tool == PORTFOLIO_TOOL else without_amounts(content)
    return one_line(text, RESULT_CHARS_MAX)
