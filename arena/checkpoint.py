"""A local snapshot of the account fold, so that a restart does not grow with the log.

The log stays the only truth: a checkpoint is a saving, thrown away where it does not fit. It holds
the fold up to an offset, and the digest of the chain there. Before it is used, two records are read
again from the log. The `prev` and the bytes of the last one that counted must give that very
digest; it covers every event before it, so one read shows that the log is still the one that was
folded. The record behind it must be the `StateDigest` by which the shard's owner said what its
state hashes to; so a file cannot hold another state than the one that was folded.

Pure, but for `ChecksummedFile`.
"""

import contextlib
import errno
import os
from collections import deque
from hashlib import file_digest, sha256
from pathlib import Path

import msgspec

from arena.account_log import StateDigestEvent, decode_event
from arena.account_state import Account, OrderOutcome
from arena.accounts import Shard, chain
from arena.bounded_files import NotReadable, limits_factor, open_regular
from arena.draft_files import clear_drafts
from arena.errors import BrokenLog, Malformed
from arena.newest_events import NewestEvents
from arena.wide_integers import pack_wide, unpack_wide

FORMAT = 2
"""Of the image, and of what the fold makes of a log: another one means another state."""
MAGIC = b"arena checkpoint\n"
DIGEST_BYTES = 32
FILE_BYTES_MAX = 256 << 20
"""A larger checkpoint is neither written nor read: the fold begins at the first record."""


class ShardImage(msgspec.Struct, array_like=True):
    """A `Shard` as it is stored; `house` as rows, `orders` oldest first."""

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


def pack_shard(shard: Shard) -> bytes:
    """A shard as bytes."""
    image = ShardImage(
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
    """The shard in bytes of `pack_shard`, equal to the one that was packed.

    Raises:
        Malformed: They are no shard, or one of another format.
    """
    try:
        image = unpack_wide(packed, ShardImage)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Malformed(f"no checkpoint of a shard: {error}") from None
    if image.format != FORMAT:
        raise Malformed(f"a checkpoint of format {image.format}, this is {FORMAT}")
    return Shard(
        epoch=image.epoch,
        owner=image.owner,
        seq=image.seq,
        head=image.head,
        source_offset=image.source_offset,
        next_offset=image.next_offset,
        head_offset=image.head_offset,
        accounts=image.accounts,
        house={(account, unit): amount for account, unit, amount in image.house},
        orders=image.orders,
        recent=NewestEvents(image.recent),
        counted=image.counted,
        ignored=image.ignored,
        _order_ids=deque(image.orders),
    )


def is_head_of(shard: Shard, kind: str, value: bytes, offset: int) -> bool:
    """True where a record of the log is the last one that the shard counted."""
    if offset != shard.head_offset:
        return False
    try:
        event = decode_event(kind, value, offset)
    except BrokenLog:
        return False
    return chain(event.prev, value) == shard.head


def why_unproven(packed: bytes, shard: Shard, kind: str, value: bytes, offset: int) -> str:
    """Why a record does not prove a kept shard, or "" where it does.

    Args:
        packed: What was kept.
        shard: The same, unpacked.
        kind: Of the record at the shard's `next_offset`.
        value: Its bytes.
        offset: Where it was read.
    """
    if offset != shard.next_offset or kind != "StateDigest":
        return f"offset {shard.next_offset} holds no digest of a state"
    try:
        event = decode_event(kind, value, offset)
    except BrokenLog as error:
        return str(error)
    assert isinstance(event, StateDigestEvent)
    said = (event.epoch, event.owner, event.seq, event.prev)
    if said != (shard.epoch, shard.owner, shard.seq, shard.head):
        return f"the digest at offset {offset} is of another state"
    if event.format != FORMAT:
        return f"the digest at offset {offset} is of format {event.format}, this is {FORMAT}"
    if event.sha256 != sha256(packed).hexdigest():
        return f"its state is not the one whose digest is at offset {offset}"
    return ""


def proven_image(shard: Shard, kind: str, value: bytes | None, offset: int) -> bytes | None:
    """A shard packed, where the record that comes next is the `StateDigest` that proves it."""
    if kind != "StateDigest" or value is None:
        return None
    packed = pack_shard(shard)
    return None if why_unproven(packed, shard, kind, value, offset) else packed


class ChecksummedFile:
    """One file that is there whole, or not at all.

    Attributes:
        path: Replaced by one rename; a file that was cut or changed on disk is not read.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is touched yet."""
        self.path = path

    def write(self, payload: bytes) -> None:
        """Replace the file, on disk when this returns.

        Raises:
            OSError: The disk is full, the folder cannot be written, or the payload is too large.
        """
        limit = FILE_BYTES_MAX * limits_factor() - len(MAGIC) - DIGEST_BYTES
        if len(payload) > limit:
            raise OSError(errno.EFBIG, f"{len(payload):,} bytes, the limit is {limit:,}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with draft.open("wb") as file:
                file.write(MAGIC + sha256(payload).digest() + payload)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)

    def read(self) -> bytes | None:
        """What was written last; None where there is nothing, or nothing whole.

        Drafts that killed processes left beside it are removed.
        """
        clear_drafts(self.path)
        try:
            with open_regular(self.path, FILE_BYTES_MAX) as file:
                seal = file.read(len(MAGIC) + DIGEST_BYTES)
                # What does not fit is not taken into memory.
                if not seal.startswith(MAGIC):
                    return None
                if file_digest(file, "sha256").digest() != seal[len(MAGIC) :]:
                    return None
                file.seek(len(seal))
                return file.read()
        except (OSError, NotReadable):
            return None

    def discard(self) -> None:
        """Remove the file where it is there."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
