"""Unpacks a body that a server compressed without being asked to. Pure, bounded."""

import zlib

ENCODINGS_MAX = 3
"""Encodings of one body, one inside the other."""
MEMBERS_MAX = 16
"""Compressed streams in a row in one body."""
_ANY_HEADER = 47
"""Window bits for zlib's `decompressobj` to accept both zlib's and gzip's headers."""
_NO_HEADER = -15
_NAMES = frozenset(("gzip", "x-gzip", "deflate"))


class BodyTooLong(ValueError):
    """A body that unpacks to more than the bound."""


def plain_body(body: bytes, encoding: str, bytes_max: int) -> bytes | None:
    """A body without its encoding; None if it cannot be read.

    Args:
        body: The body as received.
        encoding: The header `Content-Encoding`; if it is wrong, the body is returned unchanged.
        bytes_max: Largest unpacked size.

    Raises:
        BodyTooLong: It unpacks to more than that; no more is unpacked.
    """
    for name in _parts(encoding)[:ENCODINGS_MAX]:
        unpacked = _unpacked(body, _ANY_HEADER, bytes_max) if name in _NAMES else None
        if unpacked is None and _is_text(body):
            return body
        if unpacked is None and name == "deflate":
            unpacked = _unpacked(body, _NO_HEADER, bytes_max)
        if unpacked is None:
            return None
        body = unpacked
    return body


def _parts(encoding: str) -> list[str]:
    names = (name.strip().lower() for name in encoding.split(","))
    return [name for name in names if name not in ("", "identity")]


def _is_text(body: bytes) -> bool:
    """True if a body is empty, or begins like JSON, a stream of events or an HTML page."""
    start = body[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    return not body or start.startswith((b"{", b"[", b'"', b"data:", b": ", b"event:", b"<"))


def _unpacked(body: bytes, window_bits: int, bytes_max: int) -> bytes | None:
    """Unpack one or more complete streams; None if one is broken or cut."""
    found = bytearray()
    for _ in range(MEMBERS_MAX):
        reader = zlib.decompressobj(window_bits)
        try:
            found += reader.decompress(body, bytes_max + 1 - len(found))
        except zlib.error:
            return None
        if len(found) > bytes_max:
            raise BodyTooLong(f"the answer unpacks to more than {bytes_max:,} bytes")
        if not reader.eof:
            return None
        if not (body := reader.unused_data):
            return bytes(found)
    return None
