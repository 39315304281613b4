"""Kept state as bytes of MessagePack, with whole numbers of any size. Pure.

MessagePack has integers of 64 bits. A position of 10^13 units, or a price in units of 10^-18, needs
more: such a number is written as its decimal text, and read back as the integer that its field has.
Bytes without such a number are those of plain MessagePack.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_AS_THEY_ARE = (bytes, bytearray, memoryview, datetime, Decimal)
_LOW, _HIGH = -(2**63), 2**64


def pack_wide(value: object) -> bytes:
    """A value of structs, dataclasses and plain types as bytes."""
    try:
        return msgspec.msgpack.encode(value)
    except OverflowError:
        plain = msgspec.to_builtins(value, builtin_types=_AS_THEY_ARE)
        return msgspec.msgpack.encode(_narrow(plain))


def unpack_wide(packed: bytes | memoryview, kind: type[T]) -> T:
    """The value of a type in bytes of `pack_wide`.

    Raises:
        msgspec.DecodeError: They hold something else.
        RecursionError: They are nested too deep.
    """
    return msgspec.msgpack.decode(packed, type=kind, strict=False)


# Any: builtins of whatever shape the value has.
def _narrow(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        return value if _LOW <= value < _HIGH else str(value)
    if kind is dict:
        return {_narrow(key): _narrow(one) for key, one in value.items()}
    if kind is list or kind is tuple:
        return [_narrow(one) for one in value]
    return value
