"""Decompresses record batches with a size limit.

A broker accepts a batch of a megabyte that unpacks to gigabytes, and aiokafka would unpack all of
it. A batch above the limit raises `Malformed`; the reader then skips the batch and reports it.
Importing this module replaces aiokafka's decoders by these.
"""

import struct
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

import cramjam

from arena.errors import Malformed

UNPACKED_BYTES_MAX = 64 << 20
"""Limit for one batch. Senders of the arena put at most 1 MB of records into one."""
FIRST_BYTES = 64 << 10
RATIO = 8
"""Factor from the packed size to the first buffer, and from each buffer to the next."""
TOO_SMALL = "failed to write whole buffer"
"""cramjam's error if a batch unpacks to more than the buffer."""
XERIAL = b"\x82SNAPPY\0"
XERIAL_HEAD_BYTES = 16
SIZE = struct.Struct(">i")
MODULES = (
    "aiokafka.record._crecords.default_records",
    "aiokafka.record._crecords.legacy_records",
    "aiokafka.record.default_records",
    "aiokafka.record.legacy_records",
)

Packed = bytes | bytearray | memoryview


def too_much() -> Malformed:
    """The error for a batch above the limit."""
    return Malformed(f"unpacks to more than {UNPACKED_BYTES_MAX >> 20} MB")


def gzip_within(packed: Packed) -> bytes:
    """Unpack gzip with one or several members."""
    return _within(cramjam.gzip.decompress_into, packed)


def lz4_within(packed: Packed) -> bytes:
    """Unpack frames of LZ4."""
    return _within(cramjam.lz4.decompress_into, packed)


def zstd_within(packed: Packed) -> bytes:
    """Unpack frames of Zstandard, with or without a content size."""
    return _within(cramjam.zstd.decompress_into, packed)


def snappy_within(packed: Packed) -> bytes:
    """Unpack snappy, raw or in the blocks of Java's xerial library."""
    if bytes(packed[: len(XERIAL)]) != XERIAL:
        return _snappy_block(packed, UNPACKED_BYTES_MAX)
    at, left, parts = XERIAL_HEAD_BYTES, UNPACKED_BYTES_MAX, []
    while at < len(packed):
        (size,) = SIZE.unpack_from(packed, at)
        end = at + SIZE.size + size
        if size <= 0 or end > len(packed):
            raise Malformed(f"has a snappy block of {size:,} bytes")
        parts.append(_snappy_block(packed[at + SIZE.size : end], left))
        left -= len(parts[-1])
        at = end
    return b"".join(parts)


def _snappy_block(packed: Packed, bytes_max: int) -> bytes:
    if cramjam.snappy.decompress_raw_len(bytes(packed)) > bytes_max:
        raise too_much()
    return bytes(cramjam.snappy.decompress_raw(bytes(packed)))


def _within(unpack_into: Callable[[bytes, bytearray], int], packed: Packed) -> bytes:
    source = bytes(packed)
    room = min(UNPACKED_BYTES_MAX, max(FIRST_BYTES, RATIO * len(source)))
    while True:
        buffer = bytearray(room)
        try:
            filled = unpack_into(source, buffer)
        except cramjam.DecompressionError as error:
            if TOO_SMALL not in str(error):
                raise
            if room >= UNPACKED_BYTES_MAX:
                raise too_much() from None
            room = min(UNPACKED_BYTES_MAX, RATIO * room)
        else:
            del buffer[filled:]
            return bytes(buffer)


def _install() -> None:
    decoders = {
        "gzip_decode": gzip_within,
        "snappy_decode": snappy_within,
        "lz4_decode": lz4_within,
        "zstd_decode": zstd_within,
    }
    for name in MODULES:
        with suppress(ImportError):  # If aiokafka was built without its compiled parser.
            module = import_module(name)
            for decoder, bounded in decoders.items():
                if hasattr(module, decoder):
                    setattr(module, decoder, bounded)


_install()
