"""What the proxy must know of Kafka's protocol: frames, Produce requests, addresses. Pure.

Kafka protocol guide, "Common Request and Response Structure": each message is an int32 of its size
and so many bytes; a request begins with an int16 that says what it is. Brokers tell addresses as a
string and an int32 (Metadata, FindCoordinator).
"""

import struct

PRODUCE = 0
SIZE_BYTES = 4


def is_produce(data: bytes) -> bool:
    """True if bytes from a client begin with a Produce request."""
    return len(data) >= SIZE_BYTES + 2 and struct.unpack_from(">h", data, SIZE_BYTES)[0] == PRODUCE


class AddressSwap:
    """Replaces a broker's address by the proxy's in what the broker says.

    Both hosts have the same length, so nothing moves. The bytes after which the pattern could still
    follow are held back, but only inside a frame: what ends a frame is never held back.
    """

    def __init__(self, own: tuple[str, int], shown: tuple[str, int]) -> None:
        """Swap `own` for `shown`."""
        self._own = _bytes(own)
        self._shown = _bytes(shown)
        assert len(self._own) == len(self._shown), "both hosts must have the same length"
        self._kept = b""
        self._left = 0
        """Bytes of the frame that are to come."""
        self._head = b""
        """The beginning of a size that was cut."""

    def take(self, data: bytes) -> bytes:
        """The next bytes from the broker; returns what can be passed on."""
        self._count(data)
        text = (self._kept + data).replace(self._own, self._shown)
        self._kept = b""
        if self._left:
            length = self._open_end(text)
            if length:
                text, self._kept = text[:-length], text[-length:]
        return text

    def _open_end(self, text: bytes) -> int:
        """How many last bytes may be the beginning of the address."""
        longest = min(len(self._own) - 1, len(text))
        return next((n for n in range(longest, 0, -1) if text.endswith(self._own[:n])), 0)

    def _count(self, data: bytes) -> None:
        """Follow the frames to know if one is open after these bytes."""
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            need = SIZE_BYTES - len(self._head)
            self._head += data[at : at + need]
            at += need
            if len(self._head) == SIZE_BYTES:
                self._left = struct.unpack(">i", self._head)[0]
                self._head = b""


def _bytes(address: tuple[str, int]) -> bytes:
    host, port = address
    return host.encode() + struct.pack(">i", port)
