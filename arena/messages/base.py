"""What every message is: a frozen pydantic model whose JSON body is versioned and only grows.

Fields are only ever added, with a default; unknown fields are ignored; money is a string; every
datetime is aware UTC. The type and schema version travel in the Kafka headers (`arena.wire`).
"""

from datetime import UTC, datetime
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict


def _to_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone; send UTC")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{value.isoformat()} is beyond the calendar in UTC") from None


Utc = Annotated[datetime, AfterValidator(_to_utc)]
"""An aware datetime, kept in UTC."""


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
