"""Adaptations of the conversation after a refusal: fields, ids, contents, roles, schemas. Pure."""

import re

from arena.chat_body import ALL_FIELDS, REASONING
from chat_nodes.dialect import Adaptation, Dialect, RefusedRequest
from chat_nodes.error_bodies import dotted
from chat_nodes.refusals import Refusal
from chat_nodes.refused_fields import UNSUPPORTED, is_named

_I = re.IGNORECASE
_MISSING = re.compile(
    r"missing|must be (?:passed|provided|included|present|returned|sent|set)|required|"
    r"needs? to be|should be (?:passed|provided)",
    _I,
)
_UNSUPPORTED = re.compile(rf"{UNSUPPORTED}|invalid", _I)
_TOOL_ID = re.compile(
    r"tool[ _]?call[ _]?ids?\b|tool_calls?[.\[\]\d]*\.id|tool(?:_use)?[ _.]ids?\b|call_id|"
    r"tool_use\.id",
    _I,
)
_ID_FORM = re.compile(
    r"length|too long|pattern|a-z|alphanumeric|\b9\b|characters|must be|string_above_max|invalid|"
    r"format",
    _I,
)
_ID_LOST = re.compile(r"not found|no (?:matching|corresponding)|follow(?:ed)? by|preceding", _I)
_NULL = re.compile(
    r"null|none(?:type)?\b|must be (?:a )?string|valid string|expected (?:a )?string|required|"
    r"invalid message content type|missing|nil\b|cannot be absent|must have (?:either )?content",
    _I,
)
_EMPTY = re.compile(
    r"empty|blank|non-?whitespace|at least (?:1|one) char|string_too_short|min_length|too short", _I
)
_SYSTEM = re.compile(
    r"system[^\n]{0,40}\brole|\brole[^\n]{0,60}system|system (?:message|prompt|instruction)s?"
    r"[^\n]{0,40}(?:not|un)|developer instruction is not enabled|roles must alternate",
    _I,
)
_SCHEMA = re.compile(
    r"tools?\b[^\n]{0,80}(?:parameters|schema)|function_?declarations|input_schema|"
    r"json ?schema|additional_?properties|\$schema|\$defs|propertynames|"
    r"(?:function|tool)[^\n]{0,60}schema|schema[^\n]{0,60}(?:function|tool)|moonshot flavored|"
    r"function parameters",
    _I,
)


def missing_field(dialect: Dialect, refusal: Refusal, refused: RefusedRequest) -> Adaptation | None:
    """Send back a field of the history that the provider requires."""
    if not refused.has_calls or not _MISSING.search(refusal.text):
        return None
    dropped = dialect.wire.dropped_fields
    for name in (REASONING, "extra_content", "reasoning_details", "thought_signature"):
        if not re.search(rf"\b{name}\b", refusal.text):
            continue
        # The signature is inside `extra_content`.
        field = "extra_content" if name == "thought_signature" else name
        still_dropped = tuple(f for f in dropped if f not in (field, ALL_FIELDS))
        changes: dict[str, object] = (
            {"dropped_fields": still_dropped} if still_dropped != dropped else {}
        )
        if name == REASONING and not dialect.wire.empty_reasoning:
            changes["empty_reasoning"] = True
        if changes:
            return dialect.rewrite(f"missing:{field}", f"{field} sent back", **changes)
    return None


def refused_field(dialect: Dialect, refusal: Refusal, refused: RefusedRequest) -> Adaptation | None:
    """Drop a field of the history that the provider refuses."""
    fields = set(refused.provider_fields)
    if dialect.wire.empty_reasoning:
        fields.add(REASONING)
    in_history = any(path.startswith("messages") for path in refusal.params)
    in_history |= re.search(r"\bmessages?\b|assistant", refusal.text, _I) is not None
    for name in sorted(fields, key=len, reverse=True):
        by_path = any(path.split(".")[-1] == dotted(name) for path in refusal.params)
        by_words = is_named(name, refusal.text) and _UNSUPPORTED.search(refusal.text)
        if not (by_path or by_words) or (name in refused.options and not in_history):
            continue
        changes: dict[str, object] = {"dropped_fields": (*dialect.wire.dropped_fields, name)}
        if name == REASONING:
            changes["empty_reasoning"] = False
        phrase = f"without {name} in the history"
        return dialect.rewrite(f"refused:{name}", phrase, **changes)
    return None


def tool_ids(dialect: Dialect, refusal: Refusal, refused: RefusedRequest) -> Adaptation | None:
    """Shorten the ids of tool calls if the provider refuses their form."""
    text = " ".join((refusal.text, *refusal.params, refusal.code))
    is_form = refusal.code == "3280" or (_TOOL_ID.search(text) and _ID_FORM.search(text))
    if not (refused.has_calls and is_form) or _ID_LOST.search(text):
        return None
    if dialect.wire.tool_ids == "short":
        return None
    return dialect.rewrite("ids", "tool call ids of nine characters", tool_ids="short")


def content(dialect: Dialect, refusal: Refusal, refused: RefusedRequest) -> Adaptation | None:
    """Change the content of assistant messages that have calls but no text."""
    text = refusal.text
    about = any(re.search(r"messages\b.*content", path) for path in refusal.params)
    if not refused.has_calls or not (
        about or re.search(r"\bcontents?\b|text blocks?|NoneType", text, _I)
    ):
        return None
    is_null = not _EMPTY.search(text) and _NULL.search(text)
    if dialect.wire.content == "null" and is_null and "empty content" not in dialect.refused_forms:
        return dialect.rewrite("null content", 'content "" instead of null', content="empty")
    if "null content" in dialect.refused_forms:
        return None
    if dialect.wire.content == "empty" and _EMPTY.search(text):
        return dialect.rewrite("empty content", 'content null instead of ""', content="null")
    return None


def system_role(dialect: Dialect, refusal: Refusal, refused: RefusedRequest) -> Adaptation | None:
    """Move a system message that a model or its template refuses into the user's message."""
    if not refused.has_system or dialect.wire.system_as_user or not _SYSTEM.search(refusal.text):
        return None
    return dialect.rewrite("system", "the system message in the user's first", system_as_user=True)


def schema(dialect: Dialect, refusal: Refusal, refused: RefusedRequest) -> Adaptation | None:
    """Reduce the tools' schemas to the barest form if a keyword is refused."""
    about = any(path.startswith(("tools", "functions")) for path in refusal.params)
    if not refused.has_tools or not (about or _SCHEMA.search(refusal.text)):
        return None
    if dialect.wire.schema_keywords == "bare":
        return None
    return dialect.rewrite("schema", "bare tool schemas", schema_keywords="bare")
