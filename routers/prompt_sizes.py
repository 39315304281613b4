"""The bounds of prompts of each size: "full", "compact" and "tiny". Pure.

`full` shows the whole snapshot. `compact` fits a server with a context of 4,096 tokens, `tiny` one
of 2,048: prompt, tools, two rounds of calls and the answer. Tokens cannot be counted without the
model's own tokenizer, so the bounds are in characters, with the ratios stated here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from arena.messages import PromptSize, ToolSchema
from routers.conversation_limits import REPLY_BYTES_MAX, RESULT_BYTES_MAX

CHARS_PER_TOKEN_NUMBERS = 2.2
"""For the user message, mostly prices. Tokenizers that split every digit need more tokens."""
CHARS_PER_TOKEN_WORDS = 3.5
"""For the system message and the tool schemas, mostly English."""

STRATEGY_CUT = "(the strategy's prompt is cut here: {size} prompt)"

_SENTENCE_END = re.compile(r"(?<=[.!?])\s")


@dataclass(frozen=True, slots=True)
class PromptForm:
    """The bounds of a prompt of one size, and of the conversation after it.

    Attributes:
        tokens_max: Tokens of system message, user message and the shipped tools, by the ratios
            above; 0 if only `routers.prompt.PROMPT_CHARS_MAX` limits them.
        strategy_chars_max: Length of the strategy's prompt; 0 for no limit.
        market_chars_max: Length of heading, tickers and candles.
        account_chars_max: Length of the account.
        memory_chars_max: Length of the last decisions.
        positions_max: How many positions are shown.
        orders_max: How many open orders are shown.
        closings_max: How many of the newest closed orders are shown.
        memory_lines_max: How many of the newest decisions are shown.
        memory_line_chars_max: Length of one decision.
        result_bytes_max: Size of one tool result.
        call_text_bytes_max: Size of the text in a reply with tool calls.
        context_chars_max: Length of the news and facts; a part of `market_chars_max`.
        context_items_max: How many of the newest items are shown.
        context_item_chars_max: Length of one item.
        tool_sentence_chars_max: Length of the first sentence of a tool's description, which alone
            is shown; 0 shows the whole description.
        indicators_chars_max: Length of the indicators.
        indicator_columns_min, indicator_columns_max: How many values of a set are shown; products
            are left out rather than values below the least.
        feedback_max: How many pieces of feedback by the owner are shown at once, the oldest first.
        feedback_chars_max: Length of one of them.
    """

    size: PromptSize
    tokens_max: int
    strategy_chars_max: int
    market_chars_max: int
    account_chars_max: int
    memory_chars_max: int
    positions_max: int
    memory_lines_max: int
    memory_line_chars_max: int
    result_bytes_max: int
    call_text_bytes_max: int
    tool_sentence_chars_max: int
    context_chars_max: int
    context_items_max: int
    context_item_chars_max: int
    indicators_chars_max: int
    indicator_columns_min: int
    indicator_columns_max: int
    orders_max: int
    closings_max: int
    feedback_max: int
    feedback_chars_max: int


FULL = PromptForm(
    size="full",
    tokens_max=0,
    strategy_chars_max=0,
    market_chars_max=48_000,
    account_chars_max=8_000,
    memory_chars_max=4_000,
    positions_max=30,
    memory_lines_max=5,
    memory_line_chars_max=4_000,
    result_bytes_max=RESULT_BYTES_MAX,
    call_text_bytes_max=REPLY_BYTES_MAX,
    tool_sentence_chars_max=0,
    context_chars_max=8_000,
    context_items_max=40,
    context_item_chars_max=800,
    indicators_chars_max=12_000,
    indicator_columns_min=6,
    indicator_columns_max=60,
    orders_max=12,
    closings_max=16,
    feedback_max=5,
    feedback_chars_max=500,
)
COMPACT = PromptForm(
    size="compact",
    tokens_max=3_000,
    strategy_chars_max=2_000,
    market_chars_max=2_400,
    account_chars_max=700,
    memory_chars_max=500,
    positions_max=5,
    memory_lines_max=3,
    memory_line_chars_max=150,
    result_bytes_max=1_200,
    call_text_bytes_max=1_000,
    tool_sentence_chars_max=0,
    context_chars_max=700,
    context_items_max=5,
    context_item_chars_max=160,
    indicators_chars_max=800,
    indicator_columns_min=3,
    indicator_columns_max=8,
    orders_max=4,
    closings_max=4,
    feedback_max=2,
    feedback_chars_max=200,
)
TINY = PromptForm(
    size="tiny",
    tokens_max=1_500,
    strategy_chars_max=1_150,
    market_chars_max=900,
    account_chars_max=350,
    memory_chars_max=200,
    positions_max=2,
    memory_lines_max=1,
    memory_line_chars_max=110,
    result_bytes_max=400,
    call_text_bytes_max=300,
    tool_sentence_chars_max=80,
    context_chars_max=360,
    context_items_max=2,
    context_item_chars_max=95,
    indicators_chars_max=300,
    indicator_columns_min=2,
    indicator_columns_max=4,
    orders_max=2,
    closings_max=2,
    feedback_max=1,
    feedback_chars_max=160,
)
PROMPT_FORMS: Mapping[PromptSize, PromptForm] = {"full": FULL, "compact": COMPACT, "tiny": TINY}


def cut_strategy(prompt: str, form: PromptForm) -> str:
    """Cut a strategy's prompt to the bound of a size, with a line that says so."""
    text = prompt.rstrip()
    if not form.strategy_chars_max or len(text) <= form.strategy_chars_max:
        return text
    note = "\n" + STRATEGY_CUT.format(size=form.size)
    shortened = text[: form.strategy_chars_max - len(note)]
    return (shortened.rpartition("\n")[0].rstrip() or shortened.rstrip()) + note


def strategy_is_cut(system: str, form: PromptForm) -> bool:
    """True if a system message has only the beginning of the strategy's prompt."""
    return STRATEGY_CUT.format(size=form.size) in system


def sized_schema(schema: ToolSchema, form: PromptForm) -> ToolSchema:
    """The schema of a tool, shortened for prompts of this size."""
    if not form.tool_sentence_chars_max:
        return schema
    return ToolSchema(
        name=schema.name,
        description=_first_sentence(schema.description, form.tool_sentence_chars_max),
        parameters=_short_parameters(schema.parameters, form.tool_sentence_chars_max),
    )


def _first_sentence(text: str, chars_max: int) -> str:
    sentence = _SENTENCE_END.split(" ".join(text.split()), maxsplit=1)[0]
    return sentence if len(sentence) <= chars_max else sentence[: chars_max - 3] + "..."


def _short_parameters(schema: Mapping[str, JsonValue], chars_max: int) -> dict[str, JsonValue]:
    """The schema with one sentence per parameter, or none if the parameter lists its values."""
    found = dict(schema)
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return found
    shortened_properties: dict[str, JsonValue] = {}
    for name, part in properties.items():
        if not isinstance(part, dict):
            shortened_properties[name] = part
            continue
        shortened = {key: value for key, value in part.items() if key != "description"}
        description = part.get("description")
        if isinstance(description, str) and "enum" not in part:
            shortened["description"] = _first_sentence(description, chars_max)
        shortened_properties[name] = shortened
    found["properties"] = shortened_properties
    return found
