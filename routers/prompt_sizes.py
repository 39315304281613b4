"""How large a prompt is: "full", "compact" or "tiny". Pure.

`full` shows everything that a snapshot holds. `compact` fits a server with a context of 4,096
tokens, `tiny` one of 2,048: prompt, tools, two rounds of calls and the answer. Tokens cannot be
counted without the model's own tokenizer, so the bounds are in characters, at stated figures of
characters per token.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from arena.messages import PromptSize, ToolSchema
from routers.conversation_limits import REPLY_BYTES_MAX, RESULT_BYTES_MAX

CHARS_PER_TOKEN_NUMBERS = 2.2
"""Of the user message, mostly prices. Tokenizers that split every digit need more tokens."""
CHARS_PER_TOKEN_WORDS = 3.5
"""Of the system message and the tool schemas, mostly English."""

STRATEGY_CUT = "(the strategy's prompt is cut here: {size} prompt)"

_SENTENCE_END = re.compile(r"(?<=[.!?])\s")


@dataclass(frozen=True, slots=True)
class PromptForm:
    """The bounds of a prompt of one size, and of what its conversation adds.

    Attributes:
        tokens_max: Of system message, user message and the shipped tools, at the figures above;
            0 if only `routers.prompt.PROMPT_CHARS_MAX` bounds it.
        strategy_chars_max: Of the strategy's own prompt; 0 leaves it whole.
        market_chars_max: Of heading, tickers and candles. account_chars_max, memory_chars_max: of
            the parts of that name.
        positions_max: Positions that are shown.
        memory_lines_max: Decisions that are shown: the newest.
        memory_line_chars_max: Of one of them.
        result_bytes_max: Of one tool's answer.
        aside_bytes_max: Of what the model says beside its calls.
        tool_sentence_chars_max: Of a tool's description, its first sentence; 0 leaves it whole.
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
)
PROMPT_FORMS: Mapping[PromptSize, PromptForm] = {"full": FULL, "compact": COMPACT, "tiny": TINY}


def cut_strategy(prompt: str, form: PromptForm) -> str:
    """A strategy's prompt within the bound of a size: the beginning, and a line that says so."""
    text = prompt.rstrip()
    if not form.strategy_chars_max or len(text) <= form.strategy_chars_max:
        return text
    note = "\n" + STRATEGY_CUT.format(size=form.size)
    kept = text[: form.strategy_chars_max - len(note)]
    return (kept.rpartition("\n")[0].rstrip() or kept.rstrip()) + note


def strategy_is_cut(system: str, form: PromptForm) -> bool:
    """True if a system message holds only the beginning of the strategy's prompt."""
    return STRATEGY_CUT.format(size=form.size) in system


def sized_schema(schema: ToolSchema, form: PromptForm) -> ToolSchema:
    """A tool as a prompt of this size describes it."""
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
    """The schema with a sentence per parameter, and none for one whose values are listed."""
    found = dict(schema)
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return found
    short: dict[str, JsonValue] = {}
    for name, part in properties.items():
        if not isinstance(part, dict):
            short[name] = part
            continue
        kept = {key: value for key, value in part.items() if key != "description"}
        said = part.get("description")
        if isinstance(said, str) and "enum" not in part:
            kept["description"] = _first_sentence(said, chars_max)
        short[name] = kept
    found["properties"] = short
    return found
