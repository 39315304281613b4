"""Identifiers: UUIDv5 of the cause, so that repeating the same work gives the same id.

Agent, node and strategy names become parts of topic names, hence the pattern.
"""

import re
import uuid
from datetime import datetime
from hashlib import sha1
from typing import NewType

from arena.errors import UsageError

AgentName = NewType("AgentName", str)
SnapshotId = NewType("SnapshotId", str)
TurnId = NewType("TurnId", str)
CallId = NewType("CallId", str)
OrderId = NewType("OrderId", str)

NAMESPACE = uuid.UUID("8f1d3b7c-52f4-5c0b-9a53-6a1f0e6f2c11")
_NAMESPACE = NAMESPACE.bytes
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def derive(*parts: object) -> str:
    """UUIDv5 of the parts, joined by a character that no part may contain.

    Args:
        parts: The cause, outermost part first, such as ("turn", agent, snapshot_id).
    """
    # As uuid.uuid5, four times as fast: a turn has about eight ids.
    name = "\x1f".join(map(str, parts))
    digits = sha1(_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def snapshot_id(
    venue: str, as_of: datetime, product_ids: list[str], rewinds: int = 0
) -> SnapshotId:
    """The id of the snapshot of a venue's products at a venue time.

    Args:
        venue: The venue.
        as_of: Venue time.
        product_ids: Product ids, in any order.
        rewinds: How often the venue's time went back before, because times may then repeat.
    """
    again = [f"rewind {rewinds}"] if rewinds else []
    parts = ["snapshot", venue, as_of.isoformat(), *sorted(product_ids), *again]
    return SnapshotId(derive(*parts))


def turn_id(agent: str, snapshot: str) -> TurnId:
    """The id of the one turn in which an agent answers a snapshot."""
    return TurnId(derive("turn", agent, snapshot))


def model_call_id(turn: str, round_: int, stage: str = "", role: str = "") -> CallId:
    """The id of the model call of a turn's round.

    Args:
        turn: The turn.
        round_: How many model calls the turn asked for before.
        stage: Stage of the turn; "" if its kind has none.
        role: Role that asks; "" if the kind has none.
    """
    named = (stage, role) if stage or role else ()
    return CallId(derive("model-call", turn, round_, *named))


def tool_call_id(turn: str, round_: int, index: int) -> CallId:
    """The id of the tool call at an index of a round; for `execute_trade` it is the order id."""
    return CallId(derive("tool-call", turn, round_, index))


def account_check_id(turn: str) -> CallId:
    """The id of the call with which a router looks at the account before the turn's prompt."""
    return CallId(derive("account-check", turn))


def check_name(kind: str, name: str) -> str:
    """Check that a name can be part of a topic name, and return it.

    Raises:
        UsageError: It cannot.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise UsageError(
            f"{kind} name {name!r} cannot be part of a topic name",
            remedy="use 1-64 letters, digits, '-' or '_', starting with a letter or digit",
        )
    return name
