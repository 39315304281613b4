"""Bodies that were compressed without a request: unpacked within a bound, whatever the bytes."""

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_nodes.content_encodings import MEMBERS_MAX, BodyTooLong, plain_body

ENCODINGS = st.sampled_from(["", "gzip", "deflate", "br", "gzip, deflate", "identity", ",,"])
TEXT = b'{"a": 1}'


@given(st.binary(max_size=200), ENCODINGS)
def test_arbitrary_bytes_unpack_within_the_bound(body: bytes, encoding: str) -> None:
    """No bytes raise anything but `BodyTooLong`."""
    with suppress(BodyTooLong):
        found = plain_body(body, encoding, 50)
        assert found is None or found == body or len(found) <= 50


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (TEXT, ""),
        (TEXT, "zstd"),
        (gzip.compress(TEXT, mtime=0), "GZIP"),
        (gzip.compress(TEXT[:3], mtime=0) + gzip.compress(TEXT[3:], mtime=0), "gzip"),
        (zlib.compress(TEXT), "deflate"),
        (zlib.compress(TEXT, wbits=-15), "deflate"),
        (gzip.compress(zlib.compress(TEXT), mtime=0), "deflate, gzip"),
        (b"\n\xef\xbb\xbf".strip() + TEXT, "gzip"),
    ],
)
def test_body_is_unpacked_or_unchanged(body: bytes, encoding: str) -> None:
    """With either header or none, in several streams, packed twice, or with a wrong label."""
    found = plain_body(body, encoding, 1000)

    assert found is not None
    assert TEXT == found.removeprefix(b"\xef\xbb\xbf")


def test_decompression_bomb_is_refused() -> None:
    """Both a very long stream and one of many parts."""
    with pytest.raises(BodyTooLong):
        plain_body(gzip.compress(bytes(10_000_000)), "gzip", 1000)
    assert plain_body(gzip.compress(b"x", mtime=0) * (MEMBERS_MAX + 1), "gzip", 1000) is None
