"""Encodes messages as records and decodes them: JSON bodies, with headers for type and ids. Pure.

Headers: always `type`, `schema` and `arena` (the version that wrote it); `correlation_id` (the
turn), `causation_id` (the call), `deadline_ms` (Unix milliseconds) and `traceparent` (W3C Trace
Context) if the message has them. A body is decoded by the type in its header only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from pydantic import ValidationError

import arena.messages as messages
from arena import __version__
from arena.errors import Malformed
from arena.messages import Message
from arena.topics import RECORD_BYTES_MAX

ERROR_TEXT_MAX = 400
NAME_CHARS_MAX = 100
VERSION_HEADER = "arena"
"""Header with the version of the arena that wrote a record; `arena.versions` reads it."""

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A message as bytes: the JSON body and the headers."""

    value: bytes
    headers: Headers


def utc_text(moment: datetime) -> str:
    """An aware UTC datetime as text in messages, such as "2026-11-21T09:12:03.500000Z"."""
    return moment.isoformat().replace("+00:00", "Z")


def encode(message: Message) -> Encoded:
    """Encode a message as JSON bytes and headers."""
    turn, call, deadline = message.correlation_id(), message.causation_id(), message.deadline()
    headers = headers_of(type(message), turn=turn, call=call, deadline=deadline)
    return Encoded(message.__pydantic_serializer__.to_json(message), headers)


def headers_of(
    kind: type[Message],
    *,
    turn: str | None = None,
    call: str | None = None,
    deadline: datetime | None = None,
) -> Headers:
    """The headers of a message of this type, for callers that write the JSON body themselves."""
    headers = _fixed_headers(kind)
    if turn:
        headers += (("correlation_id", turn.encode()),)
        if call:
            headers += (("causation_id", call.encode()),)
        headers += (("traceparent", _traceparent(turn, call or turn)),)
    if deadline:
        headers += (("deadline_ms", b"%d" % int(deadline.timestamp() * 1000)),)
    return headers


def decode(
    value: bytes | None, headers: Mapping[str, bytes] | Iterable[tuple[str, bytes]]
) -> Message:
    """Decode the message in a record; for any bytes it raises only `Malformed`.

    Args:
        value: The record's value.
        headers: The record's headers.

    Raises:
        Malformed: No value, a missing or unknown `type`, a `schema` that this version does not
            read, or a body that is not such a message.
    """
    found = dict(headers)
    name = (found.get("type") or b"").decode("utf-8", "replace")
    model = _registry().get(name)
    if model is None:
        # A halt by an unreadable record has this text in `account.events`, so it never changes.
        raise Malformed(
            f"header type is {name[:NAME_CHARS_MAX]!r}, which is no message of the arena"
        )
    schema = found.get("schema")
    if schema is not None and schema != _fixed_headers(model)[1][1]:
        text = schema[:NAME_CHARS_MAX].decode("utf-8", "replace")
        raise Malformed(f"{name}: header schema is {text!r}; this version reads {model.SCHEMA}")
    if value is None:
        raise Malformed(f"a {name} without a body")
    if len(value) > RECORD_BYTES_MAX:
        raise Malformed(f"a {name} of {len(value):,} bytes; a record may have {RECORD_BYTES_MAX:,}")
    try:
        return model.model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "body"
        text = f"{name}: {where}: {first['msg']}"[:ERROR_TEXT_MAX]
        raise Malformed(text) from None
    except Exception as error:  # A validator failed on an unexpected type, depth or size.
        text = f"{name}: cannot be read: {error!r}"[:ERROR_TEXT_MAX]
        raise Malformed(text) from None


@cache
def _registry() -> dict[str, type[Message]]:
    found = (getattr(messages, name) for name in messages.__all__)
    return {
        m.type_name(): m
        for m in found
        if isinstance(m, type) and issubclass(m, Message) and m is not Message
    }


@cache
def _fixed_headers(kind: type[Message]) -> Headers:
    return (
        ("type", kind.type_name().encode()),
        ("schema", b"%d" % kind.SCHEMA),
        (VERSION_HEADER, __version__.encode()),
    )


def _traceparent(turn: str, call: str) -> bytes:
    return f"00-{turn.replace('-', '')}-{call.replace('-', '')[:16]}-01".encode()
