"""Reads Thrift's compact protocol, as far as the check of a Parquet file needs it. Pure.

Reads the fields of one struct and counts its nested structs, with limits on depth and number.
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from arena.errors import Malformed

DEPTH_MAX = 16
VARINT_BYTES_MAX = 10
TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID = 1, 2, 3, 7, 8, 9, 10, 11, 12, 13
INTEGERS = (4, 5, 6)
LONG_LIST = 15

Fields = dict[int, "int | Fields"]
"""Field id -> number, or the fields of a struct; other kinds are skipped."""


class CompactReader:
    """Reads structs from bytes.

    Args:
        content: The bytes.
        structs_max: Limit of the number of structs.

    Attributes:
        position: Position of the next byte.
        structs: Number of structs that were read.
    """

    def __init__(self, content: bytes, structs_max: int) -> None:
        """Start at the first byte."""
        self.position = 0
        self.structs = 0
        self._content = content
        self._structs_max = structs_max

    def struct(self, depth: int = 0) -> Fields:
        """Read a struct and return its number and struct fields.

        Raises:
            Malformed: The bytes are not a struct, or have too many or too deep structs.
        """
        if depth > DEPTH_MAX:
            raise Malformed(f"structs more than {DEPTH_MAX} deep")
        self.structs += 1
        if self.structs > self._structs_max:
            raise Malformed(f"more than {self._structs_max:,} structs")
        fields: Fields = {}
        number = 0
        while head := self._byte():
            kind = head & 15
            number = number + (head >> 4) if head >> 4 else self._integer()
            if kind in (TRUE, FALSE):
                fields[number] = int(kind == TRUE)
            elif kind in INTEGERS:
                fields[number] = self._integer()
            elif kind == STRUCT:
                fields[number] = self.struct(depth + 1)
            else:
                self._skip(kind, depth)
        return fields

    def _skip(self, kind: int, depth: int) -> None:
        """Skip one value."""
        if kind == BINARY:
            self._jump(self._varint())
        elif kind in (LIST, SET):
            head = self._byte()
            count = self._varint() if head >> 4 == LONG_LIST else head >> 4
            for _ in range(self._bounded(count)):
                self._element(head & 15, depth)
        elif kind == MAP:
            if count := self._varint():
                kinds = self._byte()
                for _ in range(self._bounded(count)):
                    self._element(kinds >> 4, depth)
                    self._element(kinds & 15, depth)
        elif kind == DOUBLE:
            self._jump(8)
        elif kind == UUID:
            self._jump(16)
        elif kind == BYTE:
            self._jump(1)
        else:
            raise Malformed(f"a field of the unknown kind {kind}")

    def _element(self, kind: int, depth: int) -> None:
        if kind in (TRUE, FALSE):
            self._jump(1)
        elif kind in INTEGERS:
            self._varint()
        elif kind == STRUCT:
            self.struct(depth + 1)
        elif depth >= DEPTH_MAX:
            raise Malformed(f"values more than {DEPTH_MAX} deep")
        else:
            self._skip(kind, depth + 1)

    def _bounded(self, count: int) -> int:
        """Check a count against the remaining bytes, and return it."""
        if count > len(self._content) - self.position:
            raise Malformed(f"{count:,} values in {len(self._content) - self.position:,} bytes")
        return count

    def _jump(self, count: int) -> None:
        if count > len(self._content) - self.position:
            raise Malformed("the bytes end within a value")
        self.position += count

    def _byte(self) -> int:
        if self.position >= len(self._content):
            raise Malformed("the bytes end within a struct")
        self.position += 1
        return self._content[self.position - 1]

    def _varint(self) -> int:
        found = 0
        for shift in range(0, 7 * VARINT_BYTES_MAX, 7):
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
        raise Malformed(f"a number of more than {VARINT_BYTES_MAX} bytes")

    def _integer(self) -> int:
        found = self._varint()
        return (found >> 1) ^ -(found & 1)
