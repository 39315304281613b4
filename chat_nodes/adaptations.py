"""What a refusal teaches: one change of the dialect per refusal, in a fixed order. Pure.

The order begins with what a server can mean in one way only. A refusal that names something is
believed at once. One that names nothing is answered with guesses: first no options, then the
barest form of the conversation; a guess is kept only if it is accepted (`Dialect.before_guess`),
and never without the cap on completion tokens (`Dialect.confirmed`). `is_first_guess` tells the
first guess, before which the same form is asked for once more.
`Dialect.refused_forms` marks every form that was refused, so no change is made twice and this ends.
"""

from dataclasses import replace

from arena.chat_body import ALL_FIELDS
from chat_nodes import option_adaptations as options
from chat_nodes import wire_adaptations as wire
from chat_nodes.dialect import Adaptation, Dialect, RefusedRequest
from chat_nodes.refusals import Refusal

# A template that refuses a conversation, under status 500, says so in words of its own.
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
    """The dialect after a refusal and the phrase that says what is new; None if nothing is left.

    Args:
        dialect: In which the refused request was written.
        refusal: What the server said.
        sent: What the request held.
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
    """True if a lesson is the first guess of its kind, not what a server has said.

    Args:
        dialect: Before the lesson.
        lesson: Of `adapt`.
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
