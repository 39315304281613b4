"""Recognizes a server's error for a prompt that is too long, and reads its numbers. Pure.

Each text was publicly reported for the server beside it. The numbers are the context limit, the
tokens of the prompt and the tokens requested for the answer, if the error has them.
"""

import re
from dataclasses import dataclass

from arena.messages import PromptSize
from chat_nodes.error_bodies import ErrorBody

ANSWER_TOKENS_MIN = 256
"""If a prompt leaves fewer tokens than this, the prompt is too long, not the answer."""
NEXT_SIZES = {"full": 'prompt = "compact" (or "tiny")', "compact": 'prompt = "tiny"'}

_N = r"[`'\s(]{0,3}(\d[\d,]{0,11})"
_PATTERNS = (
    r"maximum context length",  # OpenAI, vLLM, DeepSeek, OpenRouter, Mistral
    r"exceeds? the (?:model'?s? )?(?:context window|context length|available context)",
    r"context (?:window|size|length)[^.\n]{0,30}exceed",  # MiniMax, llama.cpp
    r"exceed[^.\n]{0,30}context (?:window|size|length|limit)",  # Anthropic, llama-cpp-python
    r"token count[^.\n]{0,30}exceeds the maximum number of tokens",  # Gemini
    r"(?:prompt|input|request|messages?)(?: is|'s)? too (?:long|large)",  # Anthropic, Ollama, Groq
    r"(?:prompt|input) (?:exceeds|length exceeds)",  # GLM, Ollama
    r"maximum prompt length",  # xAI
    r"reduce the length of the (?:messages|input|prompt)",  # Groq, OpenAI
    r"max_new_tokens[`']? must be <=",  # Together, TGI
    r"exceeded (?:the )?model token limit",  # Moonshot
    r"range of input length",  # DashScope
    r"max_(?:completion_)?tokens must be at least 1, got -",  # older vLLM
    r"longer than the model'?s context",  # SGLang
    r"greater than the context length|context the overflows|context overflow",  # LM Studio
    r"must have less than \d[\d,]* tokens",  # TGI
    r"too many (?:input )?tokens|too large for model with",  # Cohere, Mistral
)
_CODES = frozenset(
    (
        "context_length_exceeded",
        "exceed_context_size_error",
        "model_context_window_exceeded",
        "model_max_prompt_tokens_exceeded",
        "request_too_large",
        "1261",
    )
)
_TOO_LONG = re.compile("|".join(_PATTERNS), re.IGNORECASE)
# Errors about one field, such as the id of a tool call; LiteLLM called one a context error.
_OTHER_ERRORS = re.compile(
    r"string_above_max_length|string too long|maximum length \d+ (?:but|for)|range of max_tokens",
    re.IGNORECASE,
)

_LIMIT = (
    rf"context length (?:is(?: only)?|of(?: only)?|\(){_N}",
    rf"maximum number of tokens allowed{_N}",
    rf"too large for model with{_N}",
    rf"exceed context limit: \d+ \+ \d+ >{_N}",
    rf"tokens? >{_N} maximum",
    rf"maximum prompt length is{_N}",
    rf"must be <={_N}",
    rf"model token limit:{_N}",
    rf"range of input length should be \[\d+,{_N}",
    rf"less than{_N} tokens",
    rf"available context size{_N}",
    rf"context (?:window|size|limit) of{_N}",
    rf"\bLimit{_N}, Requested",
    rf"context length{_N}",
)
_PROMPT = (
    rf"{_N} in the messages",
    rf"messages resulted in{_N}",
    rf"(?:request has|passed){_N} input tokens",
    rf"token count{_N}",
    rf"prompt is too long:{_N} tokens",
    rf"exceed context limit:{_N} \+",
    rf"Prompt contains{_N}",
    rf"the request contains{_N}",
    rf"Given:{_N} [`']?inputs",
    rf"requested:{_N}\)",
    rf"The input \({_N} tokens\)",
    rf"(?:Requested tokens|request) \({_N}",
    rf"{_N} tokens from the prompt",
    rf"\bRequested{_N}",
    rf"first{_N} tokens",
    rf"Given:{_N}",
    rf"(?:you )?requested{_N} tokens",
)
_COMPLETION = (
    rf"{_N} in the completion",
    rf"exceed context limit: \d+ \+{_N} >",
    rf"{_N} [`']?max_new_tokens",
    rf"requested{_N} (?:output|completion) tokens",
    rf"max_(?:completion_)?tokens['`]? is too large:{_N}",
)


@dataclass(frozen=True, slots=True)
class ContextLimit:
    """The numbers of a server's error about the context; None for a number that it does not have.

    Attributes:
        limit_tokens: Limit of prompt and answer together.
        prompt_tokens: Tokens of this prompt.
        completion_tokens: Tokens requested for the answer.
    """

    limit_tokens: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    @property
    def answer_tokens_max(self) -> int | None:
        """Tokens left for the answer, if only the answer was too long; None if the prompt is."""
        if not (self.limit_tokens and self.prompt_tokens and self.completion_tokens):
            return None
        remaining = self.limit_tokens - self.prompt_tokens
        return remaining if ANSWER_TOKENS_MIN <= remaining < self.completion_tokens else None


def read_context_limit(status: int, error_body: ErrorBody) -> ContextLimit | None:
    """The context limit in a refusal; None if the refusal is about something else.

    Args:
        status: HTTP status: 400, 413 and 422 are refusals; llama.cpp also answers 500.
        error_body: The error in its body.
    """
    text = error_body.text
    if _OTHER_ERRORS.search(text) or _OTHER_ERRORS.search(" ".join(error_body.codes)):
        return None
    if not (status == 413 or _TOO_LONG.search(text) or _CODES & set(error_body.codes)):
        return None
    if status == 429 and "too large" not in text.lower():
        return None
    return ContextLimit(
        limit_tokens=error_body.context_tokens or _first(_LIMIT, text),
        prompt_tokens=error_body.prompt_tokens or _first(_PROMPT, text),
        completion_tokens=_first(_COMPLETION, text),
    )


def context_remedy(context: ContextLimit, size: PromptSize) -> str:
    """The remedy for a prompt that is too long.

    Args:
        context: The numbers of the server's error.
        size: Size of the prompt that was refused.
    """
    if (remaining := context.answer_tokens_max) is not None:
        return f"set --max-completion-tokens to at most {remaining:,}"
    limit = f" of {context.limit_tokens:,} tokens" if context.limit_tokens else ""
    prompt = f" (it has {context.prompt_tokens:,})" if context.prompt_tokens else ""
    smaller = NEXT_SIZES.get(size, "")
    remedy = (
        f"set {smaller}"
        if smaller
        else "the prompt is tiny already: give the model a larger context, or trade fewer products"
    )
    return f"the prompt{prompt} does not fit the model's context{limit}; {remedy}"


def _first(patterns: tuple[str, ...], text: str) -> int | None:
    for pattern in patterns:
        if found := re.search(pattern, text, re.IGNORECASE):
            count = int(found[1].replace(",", "") or 0)
            if count > 0:
                return count
    return None
