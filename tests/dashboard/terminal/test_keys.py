"""From bytes to keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.terminal.keys import SEQUENCES, KeyDecoder


@pytest.mark.parametrize(("sequence", "name"), sorted(SEQUENCES.items()))
def test_every_known_sequence_is_one_key(sequence: bytes, name: str) -> None:
    """The sequence of a key gives that key, however it is split into reads."""
    whole, cut = KeyDecoder(), KeyDecoder()

    assert [name] == whole.feed(sequence)
    assert [name] == [key for byte in sequence for key in cut.feed(bytes([byte]))]


def test_lone_escape_is_a_key_after_a_pause() -> None:
    """Without further bytes it is not the start of a sequence."""
    decoder = KeyDecoder()

    assert [] == decoder.feed(b"\x1b")
    assert decoder.pending
    assert ["esc"] == decoder.flush()
    assert not decoder.pending


def test_two_escapes_are_one_now_and_one_after_the_pause() -> None:
    """Escape pressed twice quickly counts twice."""
    decoder = KeyDecoder()

    assert ["esc"] == decoder.feed(b"\x1b\x1b")
    assert ["esc"] == decoder.flush()


def test_keys_in_one_read_stay_in_order() -> None:
    """Several keys in one read are separated."""
    assert ["down", "enter", "p", "?", "q"] == KeyDecoder().feed(b"\x1b[B\rp?q")


def test_unknown_sequences_are_ignored() -> None:
    """Function keys, mouse reports and other bytes have no effect."""
    assert ["q"] == KeyDecoder().feed(b"\x1b[15~\x1b[<0;3;4M\x00\xffq")


@given(st.binary(max_size=200))
def test_any_bytes_leave_little_pending(received: bytes) -> None:
    """The number of pending bytes is bounded."""
    decoder = KeyDecoder()
    decoder.feed(received)

    assert len(decoder._pending) < 16
