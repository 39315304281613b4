"""A checkpoint of the fold: it restores the same shard, and only if the log is unchanged."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.accounts import Shard
from arena.checkpoint import FORMAT, MAGIC, ChecksummedFile, is_head_of, pack_shard, unpack_shard
from arena.errors import Malformed
from tests.arena.test_accounts import Log


def _log(orders: str = "bsrbs") -> Log:
    """A log with an account and these orders: b a buy, s a sell, r a rejection."""
    log = Log()
    log.claim("one")
    log.open()
    for number, order in enumerate(orders):
        if order == "r":
            log.append(log.reject(str(number)))
        else:
            log.append(log.fill(str(number), "buy" if order == "b" else "sell", "0.1"))
    return log


@given(st.lists(st.sampled_from(["b", "bs", "r"]), max_size=12))
def test_packed_shard_round_trip(parts: list[str]) -> None:
    """Everything of a shard survives, down to which orders are forgotten first."""
    shard = _log("".join(parts)).shard

    again = unpack_shard(pack_shard(shard))

    assert shard == again
    assert shard.digest() == again.digest()
    assert list(shard.orders) == list(again.orders)


def test_restored_shard_continues_like_the_original() -> None:
    """Folding after a checkpoint gives the state of a fold from the first record."""
    log = _log()
    restored = unpack_shard(pack_shard(log.shard))
    log.append(log.fill("more", "buy", "0.2"))
    kind, value = log.records[-1]

    restored.apply(kind, value, len(log.records) - 1)

    assert log.shard == restored


def test_last_counted_record_is_the_head() -> None:
    """It may be followed by records without an effect."""
    log = _log()
    head = len(log.records) - 1
    log.claim("two", epoch=1)

    assert head == log.shard.head_offset
    assert head + 2 == log.shard.next_offset
    assert is_head_of(log.shard, *log.records[head], head)


@pytest.mark.parametrize("change", ["byte", "offset", "kind", "other log", "no event"])
def test_another_record_is_not_the_head(change: str) -> None:
    """A log that was changed, truncated and grown again, or created again does not match."""
    log = _log()
    offset = len(log.records) - 1
    kind, value = log.records[offset]
    other = _log("bbbbb").records[offset][1]
    changed = {
        "byte": (kind, value.replace(b"0.1", b"0.2", 1), offset),
        "offset": (kind, value, offset - 1),
        "kind": ("AccountOpened", value.replace(b"order_id", b"other_id", 1), offset),
        "other log": (kind, other, offset),
        "no event": (kind, b"{", offset),
    }

    assert is_head_of(log.shard, kind, value, offset)
    assert not is_head_of(log.shard, *changed[change])


@pytest.mark.parametrize("packed", [b"", b"\x93\x01\x02\x03", b"\xff"])
def test_invalid_checkpoint_is_refused(packed: bytes) -> None:
    """Nothing is guessed from a file of another kind."""
    with pytest.raises(Malformed):
        unpack_shard(packed)


def test_another_format_is_refused() -> None:
    """A later arena may fold differently; its checkpoints are not ours."""
    packed = pack_shard(Shard())
    assert FORMAT == packed[1]

    with pytest.raises(Malformed, match=f"format {FORMAT + 1}"):
        unpack_shard(packed[:1] + bytes([FORMAT + 1]) + packed[2:])


def test_checksummed_file_round_trip(tmp_path: Path) -> None:
    """The newest write is read; a second write leaves nothing of the first, and no draft."""
    file = ChecksummedFile(tmp_path / "deep" / "file")
    assert file.read() is None

    file.write(b"one")
    file.write(b"two")

    assert b"two" == file.read()
    assert ["file"] == [path.name for path in file.path.parent.iterdir()]
    file.discard()
    assert file.read() is None


@pytest.mark.parametrize("cut", [0, 5, len(MAGIC) + 3, -1])
def test_cut_file_is_not_read(tmp_path: Path, cut: int) -> None:
    """Power may be lost before the disk has everything."""
    file = ChecksummedFile(tmp_path / "file")
    file.write(b"payload")
    file.path.write_bytes(file.path.read_bytes()[:cut])

    assert file.read() is None


def test_changed_file_is_not_read(tmp_path: Path) -> None:
    """One flipped bit in the payload is found."""
    file = ChecksummedFile(tmp_path / "file")
    file.write(b"payload")
    found = bytearray(file.path.read_bytes())
    found[-1] ^= 1
    file.path.write_bytes(found)

    assert file.read() is None


def test_failed_write_keeps_old_file(tmp_path: Path) -> None:
    """A disk that refuses costs the newest checkpoint only."""
    file = ChecksummedFile(tmp_path / "file")
    file.write(b"before")
    (tmp_path / "in the way").write_text("a file, not a folder")

    with pytest.raises(OSError, match="in the way"):
        ChecksummedFile(tmp_path / "in the way" / "file").write(b"after")

    assert b"before" == file.read()
