"""The proxy replaces a broker's address, however TCP splits the bytes, and nothing else."""

import struct
from random import Random

import pytest

from operations.storm.proxy_wire import AddressSwap, is_produce

OWN, SHOWN = ("127.0.0.1", 20_001), ("127.0.0.2", 20_001)


def frame(body: bytes) -> bytes:
    """A response as it is on the wire."""
    return struct.pack(">i", len(body)) + body


def address(host: str, port: int) -> bytes:
    """An address as brokers send it."""
    return struct.pack(">h", len(host)) + host.encode() + struct.pack(">i", port)


@pytest.mark.parametrize("seed", range(30))
def test_address_is_replaced_however_it_is_split(seed: int) -> None:
    """All frames are complete, with the proxy's address instead of the broker's."""
    rng = Random(seed)
    bodies = [
        rng.randbytes(rng.randrange(40))
        + rng.choice((address(*OWN), address("127.0.0.1", 9), b"127.0.0.1", b"1"))
        + rng.randbytes(rng.choice((0, 0, 30)))
        for _ in range(20)
    ]
    sent = b"".join(map(frame, bodies))
    swap, found, at = AddressSwap(OWN, SHOWN), b"", 0
    while at < len(sent):
        step = rng.randrange(1, 25)
        found += swap.take(sent[at : at + step])
        at += step

    assert sent.replace(address(*OWN), address(*SHOWN)) == found


def test_end_of_a_frame_is_never_held_back() -> None:
    """A client gets a whole response, also if its end looks like the start of an address."""
    swap = AddressSwap(OWN, SHOWN)

    assert frame(b"127.0.0.1") == swap.take(frame(b"127.0.0.1"))


@pytest.mark.parametrize(("api", "expected"), [(0, True), (1, False), (3, False)])
def test_produce_request_is_recognized(api: int, expected: bool) -> None:
    """The two bytes after the size decide."""
    assert expected == is_produce(frame(struct.pack(">hhi", api, 8, 1)))
    assert not is_produce(b"\x00\x00")
