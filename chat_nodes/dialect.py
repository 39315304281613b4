"""The form of the requests that one provider accepts. Pure.

A `Dialect` has the options of a request, their names, and the form of the conversation
(`WireForm`). `chat_nodes.adaptations` changes it, one step per refusal, and never back to a form
that was refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pydantic import JsonValue

from arena.chat_body import ALL_FIELDS, FUNCTION, PLAIN, Options, function_fields
from arena.messages import ChatRequest, WireForm
from chat_nodes.model import ModelSettings
from chat_nodes.seeds import call_seed

MAX_TOKENS = "max_tokens"
MAX_COMPLETION_TOKENS = "max_completion_tokens"
TOKEN_LIMITS = (MAX_TOKENS, MAX_COMPLETION_TOKENS)
SEEDS = ("seed", "random_seed")
EFFORT = "reasoning_effort"


@dataclass(frozen=True, slots=True)
class Dialect:
    """The form of the requests to a provider.

    Attributes:
        token_limit: Name of the cap on completion tokens.
        seed: Name of the seed; "" if it is not sent.
        wire: Form of the conversation.
        renamed: Options that are sent under another name.
        omitted: Options that are not sent.
        capped: Options and their largest accepted value.
        floored: Options and their smallest accepted value.
        fixed: Options and the only value that is sent.
        phrases: The changes so far, one phrase each.
        refused_forms: Keys of the forms that were refused.
        before_guess: The dialect without its guesses; None if it has none.
    """

    token_limit: str = MAX_TOKENS
    seed: str = "seed"
    wire: WireForm = PLAIN
    renamed: Mapping[str, str] = field(default_factory=dict)
    omitted: frozenset[str] = frozenset()
    capped: Mapping[str, float] = field(default_factory=dict)
    floored: Mapping[str, float] = field(default_factory=dict)
    fixed: Mapping[str, JsonValue] = field(default_factory=dict)
    phrases: tuple[str, ...] = ()
    refused_forms: frozenset[str] = frozenset()
    before_guess: "Dialect | None" = None

    def change(self, form: str, phrase: str, **changes: object) -> "Adaptation | None":
        """The dialect with changes; None if this form was refused before.

        Args:
            form: Key of the form that was refused.
            phrase: A phrase for the change.
            changes: New values of fields of the dialect.
        """
        if form in self.refused_forms:
            return None
        phrases = (*(p for p in self.phrases if p != phrase), phrase)
        # Callers pass fields of this class, which the type checker cannot verify.
        marked = replace(self, refused_forms=self.refused_forms | {form}, phrases=phrases)
        return replace(marked, **changes), phrase  # type: ignore[arg-type]

    def rewrite(self, form: str, phrase: str, **wire: object) -> "Adaptation | None":
        """The dialect with another form of the conversation."""
        return self.change(form, phrase, wire=self.wire.model_copy(update=wire))

    def confirmed(self) -> "Dialect":
        """The dialect after a request in this form was accepted.

        A cap on completion tokens that a guess left out is restored: it bounds the cost.
        """
        before = self.before_guess
        if before is None:
            return self
        guessed = {n for n in TOKEN_LIMITS if n in self.omitted and n not in before.omitted}
        if not guessed:
            return replace(self, before_guess=None)
        if self.wire == before.wire:
            return before
        of_cap = {f"without {name}" for name in guessed}
        marks = {f"{kind}:{name}" for name in guessed for kind in ("option", "without")}
        return replace(
            self,
            omitted=self.omitted - guessed,
            fixed={**self.fixed, **{n: v for n, v in before.fixed.items() if n in guessed}},
            phrases=tuple(p for p in self.phrases if p not in of_cap),
            refused_forms=self.refused_forms - (marks - before.refused_forms),
            before_guess=None,
        )


Adaptation: TypeAlias = tuple[Dialect, str]
"""A changed dialect, and a phrase for the change."""


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """A request that was refused.

    Attributes:
        options: Its options and their values.
        provider_fields: Names of the provider's own fields in the conversation.
        wire: The form of the conversation.
        has_tools: True if it offered tools.
        has_calls: True if the conversation has tool calls.
        has_system: True if the conversation has a system message.
    """

    options: Mapping[str, JsonValue]
    provider_fields: frozenset[str] = frozenset()
    wire: WireForm = PLAIN
    has_tools: bool = True
    has_calls: bool = False
    has_system: bool = True


def options_of(dialect: Dialect, request: ChatRequest, settings: ModelSettings) -> Options:
    """The fields of a request besides the conversation and the tools.

    The cap on completion tokens is the smaller of the request's and the node's. The operator's
    options replace the arena's own; None removes a field. The dialect's changes apply to both. The
    seed depends on the snapshot (`chat_nodes.seeds`).
    """
    sampling = request.sampling
    caps = [c for c in (sampling.max_completion_tokens, settings.max_completion_tokens) if c]
    own: dict[str, JsonValue] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        dialect.seed: call_seed(request) if dialect.seed else None,
        EFFORT: settings.reasoning_effort or None,
        dialect.token_limit: min(caps, default=None),
    }
    for names in (TOKEN_LIMITS, SEEDS):
        if settings.options.keys() & set(names):
            own = {name: value for name, value in own.items() if name not in names}
    wanted = {name: value for name, value in own.items() if value is not None}
    return _as_adapted(dialect, {**wanted, **settings.options})


def _as_adapted(dialect: Dialect, wanted: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for old, value in wanted.items():
        name = dialect.renamed.get(old, old)
        if name in dialect.omitted or old in dialect.omitted:
            continue
        found[name] = _bounded(dialect, name, value)
    fixed = {n: v for n, v in dialect.fixed.items() if n not in dialect.omitted}
    return found | {name: _bounded(dialect, name, value) for name, value in fixed.items()}


def _bounded(dialect: Dialect, name: str, value: JsonValue) -> JsonValue:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    most = dialect.capped.get(name)
    least = dialect.floored.get(name)
    if most is not None and value > most:
        value = _like(value, most)
    if least is not None and value < least:
        value = _like(value, least)
    return value


def _like(value: int | float, bound: float) -> int | float:
    return int(bound) if isinstance(value, int) and bound == int(bound) else bound


def refused_request(request: ChatRequest, options: Options, wire: WireForm) -> RefusedRequest:
    """Describe a refused request for `adapt`."""
    fields: set[str] = set()
    has_calls = False
    for message in request.messages:
        if message.role == "assistant":
            fields |= message.provider.keys()
            has_calls |= bool(message.tool_calls)
            for call in message.tool_calls:
                fields |= call.provider.keys() - {FUNCTION}
                fields |= function_fields(call.provider).keys()
    dropped = wire.dropped_fields
    if ALL_FIELDS in dropped:
        fields = set()
    return RefusedRequest(
        options={name: value for name, value in options.items() if value is not None},
        provider_fields=frozenset(fields - set(dropped)),
        wire=wire,
        has_tools=bool(request.tools) and not ("tools" in options and options["tools"] is None),
        has_calls=has_calls,
        has_system=any(message.role == "system" for message in request.messages),
    )
