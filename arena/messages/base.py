"""What every message is: a frozen pydantic model whose JSON body is versioned and only grows.

Fields are only ever added, with a default; unknown fields are ignored; money is a string; every
datetime is aware UTC. The type and schema version travel in the Kafka headers (`arena.wire`).
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from arena.currency import CURRENCY_PATTERN, DEFAULT_CURRENCY


class _Utc:
    """Takes aware datetimes at offset zero, without a call into Python per value."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[datetime], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.datetime_schema(tz_constraint=0)


Utc = Annotated[datetime, _Utc]
"""An aware datetime in UTC; any other, and a naive one, is refused."""


def _is_default_currency(value: object) -> bool:
    return value == DEFAULT_CURRENCY


Currency = Annotated[str, Field(pattern=CURRENCY_PATTERN)]
"""A code such as "USD"."""

# Any: pydantic's `Field` is typed as whatever it stands for.
CURRENCY_FIELD: Any = Field(default=DEFAULT_CURRENCY, exclude_if=_is_default_currency)
"""A record of USD accounts leaves the currency out, as older records do."""


def is_empty(value: object) -> bool:
    """True for a value without content, which a record leaves out, as older records do."""
    return not value


def is_none(value: object) -> bool:
    """True for None; zero and an empty text are values."""
    return value is None


# Any: as above.
SOURCE_FIELD: Any = Field(default="", max_length=512, exclude_if=is_empty)
"""Of a plugin's file; a record of what the arena ships leaves it out, as older records do."""


class Part(BaseModel):
    """A frozen piece of a message."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_timedelta="float")


class Message(Part):
    """A frozen message with a name of its own in the `type` header.

    Attributes:
        SCHEMA: Version of the body; raised only when the meaning of a field changes.
    """

    SCHEMA: ClassVar[int] = 1

    @classmethod
    def type_name(cls) -> str:
        """The name in the `type` header: the class name."""
        return cls.__name__

    def correlation_id(self) -> str | None:
        """The turn this message belongs to, or None."""
        return getattr(self, "turn_id", None)

    def causation_id(self) -> str | None:
        """The call that caused this message, or None."""
        return getattr(self, "call_id", None)

    def deadline(self) -> datetime | None:
        """When an answer to this message is no longer wanted, or None."""
        return getattr(self, "deadline_at", None)
