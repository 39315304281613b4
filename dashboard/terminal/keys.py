"""Decodes the bytes of a terminal to names of keys. Pure.

It knows the sequences of xterm, VT220, rxvt, the Linux console and tmux for the keys that are used,
and ignores all others.
"""

SEQUENCES = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b[C": "right",
    b"\x1bOC": "right",
    b"\x1b[D": "left",
    b"\x1bOD": "left",
    b"\x1b[5~": "pageup",
    b"\x1b[6~": "pagedown",
    b"\x1b[H": "home",
    b"\x1bOH": "home",
    b"\x1b[1~": "home",
    b"\x1b[7~": "home",
    b"\x1b[F": "end",
    b"\x1bOF": "end",
    b"\x1b[4~": "end",
    b"\x1b[8~": "end",
    b"\x1b[Z": "backtab",
}
SINGLES = {
    0x09: "tab",
    0x0A: "enter",
    0x0D: "enter",
    ord("k"): "up",
    ord("j"): "down",
    ord("h"): "left",
    ord("l"): "right",
    ord("b"): "pageup",
    ord(" "): "pagedown",
    ord("g"): "home",
    ord("G"): "end",
}
ESCAPE = 0x1B
SEQUENCE_BYTES_MAX = 16


class KeyDecoder:
    """Collects bytes until they form keys; a lone escape is a key only after a pause (`flush`)."""

    def __init__(self) -> None:
        """Start without pending bytes."""
        self._pending = b""

    @property
    def pending(self) -> bool:
        """True if pending bytes may be the start of a sequence."""
        return bool(self._pending)

    def feed(self, received: bytes) -> list[str]:
        """Add bytes; return the names of the keys that are complete."""
        self._pending += received
        keys: list[str] = []
        while self._pending:
            length = self._length()
            if length == 0:
                break
            taken, self._pending = self._pending[:length], self._pending[length:]
            name = _name(taken)
            if name:
                keys.append(name)
        return keys

    def flush(self) -> list[str]:
        """Drop pending bytes after a pause; return the escape key if they start with it."""
        pending, self._pending = self._pending, b""
        return ["esc"] if pending[:1] == b"\x1b" else []

    def _length(self) -> int:
        """Number of bytes of the first key; 0 if more bytes are needed."""
        pending = self._pending
        if pending[0] != ESCAPE:
            return 1
        if len(pending) == 1:
            return 0
        if pending[1] == ESCAPE:
            return 1
        if pending[1] == ord("O"):
            return 3 if len(pending) >= 3 else 0
        if pending[1] != ord("["):
            return 2
        for index in range(2, min(len(pending), SEQUENCE_BYTES_MAX)):
            if 0x40 <= pending[index] <= 0x7E:
                return index + 1
        return SEQUENCE_BYTES_MAX if len(pending) >= SEQUENCE_BYTES_MAX else 0


def _name(taken: bytes) -> str:
    if taken == b"\x1b":
        return "esc"
    if taken[0] == ESCAPE:
        return SEQUENCES.get(taken, "")
    if name := SINGLES.get(taken[0]):
        return name
    return chr(taken[0]) if 0x21 <= taken[0] < 0x7F else ""
