"""Shards that a reader keeps are folded again from a state that the log proves, and compared."""

from copy import deepcopy
from hashlib import sha256

import pytest

from arena import topics
from arena.accounts import Shard
from arena.bus.memory import MemoryBus
from arena.checkpoint import FORMAT, pack_shard, proven_image
from arena.fold_checkpoint import why_shards_differ
from tests.arena.test_accounts import Log

EVENTS = topics.EVENTS.name


def traded(log: Log, begin: int, count: int) -> None:
    """Add buys of a thousandth."""
    for number in range(begin, begin + count):
        log.append(log.fill(str(number), "buy", "0.001"))


@pytest.fixture
def log() -> Log:
    """Twenty orders, a digest of the state, and five orders more."""
    log = Log()
    log.claim("one")
    log.open()
    traded(log, 0, 20)
    log.attest(format=FORMAT, sha256=sha256(pack_shard(log.shard)).hexdigest())
    traded(log, 20, 5)
    return log


@pytest.fixture
async def written(memory_bus: MemoryBus, log: Log) -> MemoryBus:
    """A bus with the log."""
    await memory_bus.ensure_topics([topics.EVENTS])
    for kind, value in log.records:
        memory_bus.cluster.append(EVENTS, 0, b"a", value, [("type", kind.encode())])
    return memory_bus


def image_of(log: Log) -> bytes:
    """The packed shard that the digest in the log proves."""
    shard = Shard()
    for offset, (kind, value) in enumerate(log.records):
        if (image := proven_image(shard, kind, value, offset)) is not None:
            return image
        shard.apply(kind, value, offset)
    raise AssertionError("the log has no digest")


def forged(shard: Shard) -> Shard:
    """A shard with the same head and other balances."""
    other = deepcopy(shard)
    other.accounts["a"].cash += 1
    return other


@pytest.mark.parametrize("with_image", [True, False])
async def test_true_shard_is_accepted(written: MemoryBus, log: Log, with_image: bool) -> None:
    """The result is the same from the proved state and from offset 0."""
    images = {0: [b"rubbish", image_of(log)]} if with_image else {}

    assert "" == await why_shards_differ(written, {0: log.shard}, images, {})


async def test_only_what_comes_after_the_proved_state_is_read(written: MemoryBus, log: Log) -> None:
    """The records before it may even be gone."""
    records = written.cluster.logs[EVENTS, 0]
    for offset in range(15):
        records[offset] = records[offset]._replace(value=b"gone")

    assert "" == await why_shards_differ(written, {0: log.shard}, {0: [image_of(log)]}, {})
    assert "folded again" in await why_shards_differ(written, {0: log.shard}, {}, {})


@pytest.mark.parametrize("with_image", [True, False])
async def test_forged_balances_are_refused(written: MemoryBus, log: Log, with_image: bool) -> None:
    """Even if the earlier state is forged as well."""
    shard = Shard()
    for offset, (kind, value) in enumerate(log.records[:22]):
        shard.apply(kind, value, offset)
    images = {0: [pack_shard(forged(shard))]} if with_image else {}

    why = await why_shards_differ(written, {0: forged(log.shard)}, images, {})

    assert "shard 0 differ from the log" in why


async def test_state_ahead_of_the_fold_is_not_used(written: MemoryBus, log: Log) -> None:
    """The executor's own checkpoint may be newer than a judge's."""
    shard = Shard()
    for offset, (kind, value) in enumerate(log.records[:10]):
        shard.apply(kind, value, offset)

    assert "" == await why_shards_differ(written, {0: shard}, {0: [image_of(log)]}, {})
