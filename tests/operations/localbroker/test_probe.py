"""The probe: its requests, and how it reads responses of any kind."""

import contextlib
import socket
import struct

from hypothesis import given
from hypothesis import strategies as st

from operations.localbroker.ports import choose_ports
from operations.localbroker.probe import BrokerAnswer, decode_metadata, encode_request, probe


def kafka_string(text: str | None) -> bytes:
    """Encode a nullable string of the protocol."""
    if text is None:
        return struct.pack(">h", -1)
    return struct.pack(">h", len(text.encode())) + text.encode()


def metadata_answer(brokers: list[tuple[str, str | None]], cluster_id: str | None) -> bytes:
    """Encode a Metadata v4 response with these brokers (host, rack) and no topics."""
    answer = struct.pack(">iii", 2, 0, len(brokers))
    for number, (host, rack) in enumerate(brokers):
        answer += struct.pack(">i", number) + kafka_string(host)
        answer += struct.pack(">i", 9092) + kafka_string(rack)
    return answer + kafka_string(cluster_id) + struct.pack(">ii", 0, 0)


def test_request_has_its_length_in_front() -> None:
    """The frame is length, header and body, big-endian."""
    request = encode_request(18, 0, 7, b"body")

    assert struct.unpack_from(">ihhi", request) == (len(request) - 4, 18, 0, 7)
    assert request.endswith(b"body")


@given(
    st.lists(st.tuples(st.text(max_size=30), st.none() | st.text(max_size=9)), max_size=5),
    st.none() | st.text(max_size=40),
)
def test_response_is_decoded(brokers: list[tuple[str, str | None]], cluster_id: str | None) -> None:
    """Cluster id and number of brokers are read from any valid response."""
    answer = metadata_answer(brokers, cluster_id)

    assert BrokerAnswer(cluster_id, len(brokers)) == decode_metadata(answer)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_response_or_a_value_error(answer: bytes) -> None:
    """Bytes that are not from Kafka raise ValueError and nothing else."""
    with contextlib.suppress(ValueError):
        decode_metadata(answer)


def test_closed_port_is_no_answer() -> None:
    """Nothing listens on the port."""
    assert probe("127.0.0.1", choose_ports(0).client, timeout_s=0.5) is None


def test_silent_server_is_no_answer() -> None:
    """A server that accepts and sends nothing is given up after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert probe("127.0.0.1", server.getsockname()[1], timeout_s=0.2) is None
