"""A local snapshot of the account fold, so that restart time does not grow with the log.

The log stays the only truth: a checkpoint only saves time, and is discarded if it does not match.
It holds the fold up to an offset, and the digest of the chain there. Before it is used, two records
are read again from the log. The `prev` and the bytes of the last one that counted must give that
digest; the digest covers every earlier event, so one read proves that the log is the one that was
folded. The next record must be the `StateDigest` in which the shard's owner stated the hash of its
state, so the file cannot contain a state other than the one that was folded.

Pure, except for `ChecksummedFile`.
"""

import contextlib
import errno
import os
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Protocol

import msgspec

from arena.account_log import StateDigestEvent, decode_event
from arena.account_state import Account, OrderOutcome
from arena.accounts import Shard, chain
from arena.bounded_files import NotReadable, limits_factor, open_regular
from arena.draft_files import clear_drafts
from arena.errors import BrokenLog, Malformed
from arena.newest_events import NewestEvents
from arena.open_orders import AgentOrders
from arena.risk_state import RiskState
from arena.trade_history import TradeRow
from arena.wide_integers import pack_wide, unpack_wide

FORMAT = 3
"""Format of the image and of the fold's state; another format means another state."""
MAGIC = b"arena checkpoint\n"
DIGEST_BYTES = 32
FILE_BYTES_MAX = 256 << 20
"""A larger checkpoint is neither written nor read: the fold starts at the first record."""


class FileStore(Protocol):
    """Files that simulated processes write instead of those of this machine."""

    def write(self, path: Path, content: bytes) -> None:
        """Replace a file; raises OSError if the disk is full."""
        ...

    def read(self, path: Path) -> bytes | None:
        """The content of a file; None if it does not exist."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file if it exists."""
        ...


STORE: ContextVar[FileStore | None] = ContextVar("store", default=None)
"""The files of a simulated process; None for those of this machine."""


class ShardImage(msgspec.Struct, array_like=True):
    """The stored form of a `Shard`; `house` as rows, `orders` oldest first."""

    format: int
    epoch: int
    owner: str
    seq: int
    head: str
    source_offset: int
    next_offset: int
    head_offset: int
    counted: int
    ignored: int
    accounts: dict[str, Account]
    house: list[tuple[str, str, int]]
    orders: dict[str, OrderOutcome]
    recent: list[bytes]


class WalletsImage(ShardImage, array_like=True):
    """The stored form of a shard with wallets; without any, shards keep the older form."""

    wallets: dict[str, dict[str, Account]] = {}


class OrdersImage(WalletsImage, array_like=True):
    """The stored form of a shard with fills, limit orders and exits, limits or a check of them."""

    standing: dict[str, AgentOrders] = {}
    risk: dict[str, RiskState] = {}
    checked: dict[int, int] = {}
    checked_at: tuple[str, str] = ("", "")
    history: dict[str, list[TradeRow]] = {}


def pack_shard(shard: Shard) -> bytes:
    """Serialize a shard."""
    form: Callable[..., ShardImage] = ShardImage
    if shard.wallets:
        form = partial(WalletsImage, wallets=shard.wallets)
    if shard.history or shard.standing or shard.risk or shard.checked:
        form = partial(
            OrdersImage,
            wallets=shard.wallets,
            standing=shard.standing,
            risk=shard.risk,
            checked=shard.checked,
            checked_at=shard.checked_at,
            history=shard.history,
        )
    image = form(
        format=FORMAT,
        epoch=shard.epoch,
        owner=shard.owner,
        seq=shard.seq,
        head=shard.head,
        source_offset=shard.source_offset,
        next_offset=shard.next_offset,
        head_offset=shard.head_offset,
        counted=shard.counted,
        ignored=shard.ignored,
        accounts=shard.accounts,
        house=[(account, unit, amount) for (account, unit), amount in shard.house.items()],
        orders=shard.orders,
        recent=shard.recent.values(),
    )
    return pack_wide(image)


def unpack_shard(packed: bytes) -> Shard:
    """Restore a shard from the bytes of `pack_shard`, equal to the original.

    Raises:
        Malformed: The bytes are not a shard, or have another format.
    """
    try:
        image = unpack_wide(packed, OrdersImage)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not a checkpoint of a shard: {error}") from None
    if image.format != FORMAT:
        raise Malformed(f"the checkpoint has format {image.format}, this version reads {FORMAT}")
    return Shard(
        epoch=image.epoch,
        owner=image.owner,
        seq=image.seq,
        head=image.head,
        source_offset=image.source_offset,
        next_offset=image.next_offset,
        head_offset=image.head_offset,
        accounts=image.accounts,
        wallets=image.wallets,
        house={(account, unit): amount for account, unit, amount in image.house},
        orders=image.orders,
        recent=NewestEvents(image.recent),
        counted=image.counted,
        ignored=image.ignored,
        standing=image.standing,
        risk=image.risk,
        checked=image.checked,
        checked_at=image.checked_at,
        history=image.history,
        _order_ids=deque(image.orders),
    )


def is_head_of(shard: Shard, kind: str, value: bytes, offset: int) -> bool:
    """True if a record of the log is the last one that the shard counted."""
    if offset != shard.head_offset:
        return False
    try:
        event = decode_event(kind, value, offset)
    except BrokenLog:
        return False
    return chain(event.prev, value) == shard.head


def why_unproven(packed: bytes, shard: Shard, kind: str, value: bytes, offset: int) -> str:
    """Return why a record does not prove a stored shard, or "" if it does.

    Args:
        packed: The stored bytes.
        shard: The unpacked shard.
        kind: Type of the record at the shard's `next_offset`.
        value: The record's bytes.
        offset: The record's offset.
    """
    if offset != shard.next_offset or kind != "StateDigest":
        return f"offset {shard.next_offset} does not have a state digest"
    try:
        event = decode_event(kind, value, offset)
    except BrokenLog as error:
        return str(error)
    assert isinstance(event, StateDigestEvent)
    position = (event.epoch, event.owner, event.seq, event.prev)
    if position != (shard.epoch, shard.owner, shard.seq, shard.head):
        return f"the digest at offset {offset} is of another state"
    if event.format != FORMAT:
        return f"the digest at offset {offset} has format {event.format}, this version has {FORMAT}"
    if event.sha256 != sha256(packed).hexdigest():
        return f"its state does not match the digest at offset {offset}"
    return ""


def proven_image(shard: Shard, kind: str, value: bytes | None, offset: int) -> bytes | None:
    """The packed shard if the next record is the `StateDigest` that proves it, else None."""
    if kind != "StateDigest" or value is None:
        return None
    packed = pack_shard(shard)
    return None if why_unproven(packed, shard, kind, value, offset) else packed


class ChecksummedFile:
    """A file with a checksum that is either intact or ignored.

    Attributes:
        path: The file, replaced by one rename; a truncated or changed file is not read.
    """

    def __init__(self, path: Path) -> None:
        """Take the path of the file."""
        self.path = path

    def write(self, payload: bytes) -> None:
        """Replace the file; it is on disk when this returns.

        Raises:
            OSError: The disk is full, the folder cannot be written, or the payload is too large.
        """
        limit = FILE_BYTES_MAX * limits_factor() - len(MAGIC) - DIGEST_BYTES
        if len(payload) > limit:
            raise OSError(errno.EFBIG, f"{len(payload):,} bytes, the limit is {limit:,}")
        content = MAGIC + sha256(payload).digest() + payload
        if (store := STORE.get()) is not None:
            store.write(self.path, content)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)

    def read(self) -> bytes | None:
        """Return the payload; None without an intact file.

        Drafts of killed processes beside the file are removed.
        """
        if (store := STORE.get()) is not None:
            return _payload_of(store.read(self.path) or b"")
        clear_drafts(self.path)
        try:
            with open_regular(self.path, FILE_BYTES_MAX) as file:
                header = file.read(len(MAGIC) + DIGEST_BYTES)
                # A payload that does not match is not loaded into memory.
                if not header.startswith(MAGIC):
                    return None
                if file_digest(file, "sha256").digest() != header[len(MAGIC) :]:
                    return None
                file.seek(len(header))
                return file.read()
        except (OSError, NotReadable):
            return None

    def discard(self) -> None:
        """Remove the file if it exists."""
        if (store := STORE.get()) is not None:
            store.remove(self.path)
            return
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def _payload_of(content: bytes) -> bytes | None:
    """The payload of a file's content; None if it is not intact."""
    begin = len(MAGIC) + DIGEST_BYTES
    payload = content[begin:]
    intact = content.startswith(MAGIC) and sha256(payload).digest() == content[len(MAGIC) : begin]
    return payload if intact else None
