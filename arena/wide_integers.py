"""Packs state as MessagePack, with integers of any size. Pure.

MessagePack has 64-bit integers. A position of 10^13 units, or a price in units of 10^-18, needs
more: such a number is written as decimal text and read back as an integer by its field's type.
Without such numbers the bytes are plain MessagePack.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_AS_THEY_ARE = (bytes, bytearray, memoryview, datetime, Decimal)
_LOW, _HIGH = -(2**63), 2**64


def pack_wide(value: object) -> bytes:
    """Pack a value of structs, dataclasses and plain types."""
    try:
        return msgspec.msgpack.encode(value)
    except OverflowError:
        plain = msgspec.to_builtins(value, builtin_types=_AS_THEY_ARE)
        return msgspec.msgpack.encode(_narrow(plain))


def unpack_wide(packed: bytes | memoryview, kind: type[T]) -> T:
    """Unpack a value of a type from bytes of `pack_wide`.

    Raises:
        ValueError: The bytes are not such a value: `msgspec.DecodeError`, or `UnicodeDecodeError`
            where a text is not UTF-8.
        RecursionError: The value is nested too deep.
    """
    return msgspec.msgpack.decode(packed, type=kind, strict=False)


# Any: builtins of any structure.
def _narrow(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        return value if _LOW <= value < _HIGH else str(value)
    if kind is dict:
        return {_narrow(key): _narrow(one) for key, one in value.items()}
    if kind is list or kind is tuple:
        return [_narrow(one) for one in value]
    return value
