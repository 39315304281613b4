"""The format of server-sent events (WHATWG HTML, section 9.2), and their ids. Pure.

An id has the number of the event in this process, and the places of the newest records that were
sent up to it, from which a later process continues the stream.
"""

from collections.abc import Mapping

ID_PARTS = 4
DIGITS_MAX = 18


def encode_event(name: str, body: bytes, event_id: str) -> bytes:
    """One event.

    Args:
        name: Type of the event.
        body: JSON without line breaks.
        event_id: Its id, which a viewer sends back as `Last-Event-ID`.
    """
    assert b"\n" not in body, "the data of an event is one line"
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), event_id.encode(), body)


def event_id_of(boot: str, number: int, run: str, places: Mapping[str, int]) -> str:
    """The id of an event: "<boot>.<number>.<run>.<place>_<place>...".

    Args:
        boot: Random name of this process.
        number: Number of the event in this process.
        run: Short name of the run, so that the places of another one do not count.
        places: Kind and partition, such as "t0", -> offset of the newest record sent so far.
    """
    words = "_".join(f"{name}-{offset}" for name, offset in sorted(places.items()))
    return f"{boot}.{number}.{run}.{words}"


def newest_seen(last_event_id: str, boot: str, newest: int) -> int:
    """Number of the event that a viewer saw last; 0 if it is not one of this process.

    Args:
        last_event_id: The id of an event, as the viewer sent it.
        boot: Random name of this process.
        newest: Number of the newest event.
    """
    name, _, rest = last_event_id.partition(".")
    digits = rest.partition(".")[0]
    if name != boot or not _is_number(digits):
        return 0
    return int(digits) if int(digits) <= newest else 0


def places_seen(last_event_id: str, run: str, newest: Mapping[str, int]) -> dict[str, int]:
    """The places up to which a viewer got records from an earlier process; {} if unknown.

    Args:
        last_event_id: The id of an event, as the viewer sent it.
        run: Short name of the run that is read.
        newest: Place -> offset of the newest record of this run: a later one is not of this run.
    """
    parts = last_event_id.split(".")
    if len(parts) != ID_PARTS or parts[2] != run:
        return {}
    found = {}
    for word in parts[3].split("_") if parts[3] else ():
        name, _, digits = word.partition("-")
        if not _is_number(digits) or int(digits) > newest.get(name, -1):
            return {}
        found[name] = int(digits)
    return found


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX
