"""Adapts the dialect after a refusal: one change per refusal, in a fixed order. Pure.

The order begins with refusals that can mean one thing only. If a refusal names something, that is
changed at once. If it names nothing, guesses follow: first no options, then the barest form of the
conversation. A guess is kept only if the provider accepts it (`Dialect.before_guess`), and never
without the cap on completion tokens (`Dialect.confirmed`). Before the first guess, which
`is_first_guess` recognizes, the unchanged request is sent once more. `Dialect.refused_forms` has
every form that was refused, so no change is made twice and the adaptation ends.
"""

from dataclasses import replace

from arena.chat_body import ALL_FIELDS
from chat_nodes import option_adaptations as options
from chat_nodes import wire_adaptations as wire
from chat_nodes.dialect import Adaptation, Dialect, RefusedRequest
from chat_nodes.refusals import Refusal

# Status 500 may come from a chat template that refuses the conversation.
TEMPLATE_ADAPTATIONS = (
    wire.missing_field,
    wire.refused_field,
    wire.tool_ids,
    wire.content,
    wire.system_role,
)
REQUEST_ADAPTATIONS = (
    wire.missing_field,
    wire.refused_field,
    options.token_limit,
    options.thinking,
    options.streaming,
    options.seed_name,
    options.options_by_name,
    wire.tool_ids,
    wire.content,
    wire.system_role,
    wire.schema,
)
GUESS_STATUSES = frozenset({400, 404, 422})


def adapt(dialect: Dialect, refusal: Refusal, refused: RefusedRequest) -> Adaptation | None:
    """The dialect after a refusal, and a phrase for the change; None if no change is left to try.

    Args:
        dialect: The dialect of the refused request.
        refusal: The server's refusal.
        refused: The refused request.
    """
    if not refusal.adaptable:
        return None
    if refusal.affordable_tokens is not None:
        return options.affordable_limit(dialect, refusal, refused)
    for adaptation in TEMPLATE_ADAPTATIONS if refusal.status == 500 else REQUEST_ADAPTATIONS:
        if (found := adaptation(dialect, refusal, refused)) is not None:
            return found
    if refusal.status not in GUESS_STATUSES:
        return None
    if refusal.context is not None or refusal.retryable:
        return None
    if (guess := _guess(dialect, refused)) is None:
        return None
    new, phrase = guess
    return replace(new, before_guess=dialect.before_guess or dialect), phrase


def is_first_guess(dialect: Dialect, adaptation: Adaptation) -> bool:
    """True if an adaptation is a guess, and the first since the last accepted form.

    Args:
        dialect: The dialect before the adaptation.
        adaptation: The result of `adapt`.
    """
    return dialect.before_guess is None and adaptation[0].before_guess is not None


def _guess(dialect: Dialect, refused: RefusedRequest) -> Adaptation | None:
    if (found := options.all_options(dialect, refused)) is not None:
        return found
    bare = {"tool_ids": "short", "content": "empty", "schema_keywords": "bare"}
    is_bare = dialect.wire == dialect.wire.model_copy(update=bare)
    if not is_bare and (found := dialect.rewrite("bare", "the barest form", **bare)) is not None:
        return found
    if not refused.provider_fields:
        return None
    phrase = "without the provider's own fields in the history"
    return dialect.rewrite("fields", phrase, dropped_fields=(ALL_FIELDS,))
