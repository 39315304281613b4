"""The format of server-sent events (WHATWG HTML, section 9.2). Pure."""


def encode_event(name: str, body: bytes, event_id: str) -> bytes:
    """One event.

    Args:
        name: Type of the event.
        body: JSON without line breaks.
        event_id: Its id, which a viewer sends back as `Last-Event-ID`.
    """
    assert b"\n" not in body, "the data of an event is one line"
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), event_id.encode(), body)


def newest_seen(last_event_id: str, boot: str, newest: int) -> int:
    """Number of the event that a viewer saw last; 0 if it is not one of this process.

    Args:
        last_event_id: "<boot>.<number>", as the viewer sent it.
        boot: Random name of this process.
        newest: Number of the newest event.
    """
    name, _, digits = last_event_id.partition(".")
    if name != boot or not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        return 0
    return int(digits) if int(digits) <= newest else 0
