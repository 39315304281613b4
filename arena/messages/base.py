"""Base class of all messages: frozen pydantic models with a versioned JSON body.

Fields are only ever added, with a default; unknown fields are ignored; money is a string; every
datetime is aware UTC. Type and schema version are in the Kafka headers (`arena.wire`).
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from arena.currency import CURRENCY_PATTERN, DEFAULT_CURRENCY


class _Utc:
    """Accepts aware datetimes with offset zero, without a call into Python per value."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[datetime], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.datetime_schema(tz_constraint=0)


Utc = Annotated[datetime, _Utc]
"""An aware datetime in UTC; others, and naive ones, are refused."""


def _is_default_currency(value: object) -> bool:
    return value == DEFAULT_CURRENCY


Currency = Annotated[str, Field(pattern=CURRENCY_PATTERN)]
"""A code such as "USD"."""

# Any: pydantic's `Field` has the type of its field.
CURRENCY_FIELD: Any = Field(default=DEFAULT_CURRENCY, exclude_if=_is_default_currency)
"""Currency of accounts; omitted for USD, as in older records."""


def is_empty(value: object) -> bool:
    """True for an empty value, which a record omits, as older records do."""
    return not value


def is_none(value: object) -> bool:
    """True for None; zero and an empty text are values."""
    return value is None


# Any: as above.
SOURCE_FIELD: Any = Field(default="", max_length=512, exclude_if=is_empty)
"""Label or digest of a plugin's file; omitted for shipped files, as in older records."""


Part = TypeVar("Part", bound="MessagePart")


class MessagePart(BaseModel):
    """A frozen piece of a message."""

    # A process uses few of the messages: pydantic builds each at its first use, under a lock.
    model_config = ConfigDict(
        frozen=True, extra="ignore", ser_json_timedelta="float", defer_build=True
    )


# Any: the fields of any message.
def made_of(kind: type[Part], fields: dict[str, Any], given: frozenset[str]) -> Part:
    """A message part of checked values, ten times as fast as its class makes it.

    Args:
        kind: The class.
        fields: Every field with its value, in the order of the class; the part keeps the dict.
        given: The fields that are not defaults.
    """
    part = kind.__new__(kind)
    put = object.__setattr__
    put(part, "__dict__", fields)
    put(part, "__pydantic_fields_set__", set(given))
    put(part, "__pydantic_extra__", None)
    put(part, "__pydantic_private__", None)
    return part


class Message(MessagePart):
    """A frozen message with its class name in the `type` header.

    Attributes:
        SCHEMA: Version of the body; raised only if the meaning of a field changes.
    """

    SCHEMA: ClassVar[int] = 1

    @classmethod
    def type_name(cls) -> str:
        """The name in the `type` header: the class name."""
        return cls.__name__

    def correlation_id(self) -> str | None:
        """The turn this message belongs to, or None."""
        # Not getattr: without the field, pydantic raises and catches an error.
        found: str | None = self.__dict__.get("turn_id")
        return found

    def causation_id(self) -> str | None:
        """The call that caused this message, or None."""
        found: str | None = self.__dict__.get("call_id")
        return found

    def deadline(self) -> datetime | None:
        """Time after which an answer to this message is useless, or None."""
        found: datetime | None = self.__dict__.get("deadline_at")
        return found
