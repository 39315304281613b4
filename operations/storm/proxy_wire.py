"""The parts of Kafka's protocol that the proxy needs: frames, Produce requests, addresses. Pure.

Kafka protocol guide, "Common Request and Response Structure": each message is an int32 of its size
and that many bytes; a request starts with the int16 of its API. Brokers send addresses as a string
and an int32 (Metadata, FindCoordinator).
"""

import struct

PRODUCE = 0
SIZE_BYTES = 4


def is_produce(data: bytes) -> bool:
    """True if bytes from a client start with a Produce request."""
    return len(data) >= SIZE_BYTES + 2 and struct.unpack_from(">h", data, SIZE_BYTES)[0] == PRODUCE


class AddressSwap:
    """Replaces a broker's address by the proxy's in the broker's responses.

    Both hosts have the same length, so sizes stay. Last bytes that may be the start of the address
    are held back, but only inside a frame: the end of a frame is never held back.
    """

    def __init__(self, own: tuple[str, int], shown: tuple[str, int]) -> None:
        """Replace the address `own` by `shown`."""
        self._own = _bytes(own)
        self._shown = _bytes(shown)
        assert len(self._own) == len(self._shown), "both hosts must have the same length"
        self._held_back = b""
        self._missing = 0
        """Missing bytes of the current frame."""
        self._size_bytes = b""
        """The received bytes of an incomplete size."""

    def take(self, data: bytes) -> bytes:
        """Add the next bytes from the broker; return what can be forwarded."""
        self._count(data)
        text = (self._held_back + data).replace(self._own, self._shown)
        self._held_back = b""
        if self._missing:
            length = self._open_end(text)
            if length:
                text, self._held_back = text[:-length], text[-length:]
        return text

    def _open_end(self, text: bytes) -> int:
        """Return how many last bytes may be the start of the address."""
        longest = min(len(self._own) - 1, len(text))
        return next((n for n in range(longest, 0, -1) if text.endswith(self._own[:n])), 0)

    def _count(self, data: bytes) -> None:
        """Follow the frames: whether one is incomplete after these bytes."""
        at = 0
        while at < len(data):
            if self._missing:
                step = min(self._missing, len(data) - at)
                self._missing -= step
                at += step
                continue
            need = SIZE_BYTES - len(self._size_bytes)
            self._size_bytes += data[at : at + need]
            at += need
            if len(self._size_bytes) == SIZE_BYTES:
                self._missing = struct.unpack(">i", self._size_bytes)[0]
                self._size_bytes = b""


def _bytes(address: tuple[str, int]) -> bytes:
    host, port = address
    return host.encode() + struct.pack(">i", port)
