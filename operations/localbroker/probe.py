"""Checks whether a broker is ready, and which one it is: two hand-written Kafka requests.

A broker answers ApiVersions when it serves, so that answer means "ready". The cluster id in its
Metadata response distinguishes our broker from another one on the same port. Encoding and decoding
are pure; only `probe` and `serves` open a socket.

Protocol: https://kafka.apache.org/protocol (ApiVersions v0, Metadata v4).
"""

import socket
import ssl
import struct
from dataclasses import dataclass

CLIENT_ID = b"arena-probe"
API_VERSIONS = 18
METADATA = 3
METADATA_VERSION = 4
PROBE_TIMEOUT_S = 1.0
ANSWER_BYTES_MAX = 1 << 20
ASKS_FOR_CERTIFICATE = ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE")
"""OpenSSL's names for the alerts of RFC 8446, section 6.2, to a client without a certificate."""


@dataclass(frozen=True, slots=True)
class BrokerAnswer:
    """The Metadata response of a broker.

    Attributes:
        cluster_id: The id with which its storage was formatted; None if it sends none.
        broker_count: Number of brokers of the cluster.
    """

    cluster_id: str | None
    broker_count: int


def encode_request(api: int, version: int, correlation_id: int, body: bytes) -> bytes:
    """Return a request: its length, header v1 and the body."""
    header = struct.pack(">hhih", api, version, correlation_id, len(CLIENT_ID)) + CLIENT_ID
    return struct.pack(">i", len(header) + len(body)) + header + body


def decode_metadata(answer: bytes) -> BrokerAnswer:
    """Decode the brokers and the cluster id of a Metadata v4 response (without its length).

    Raises:
        ValueError: The bytes are not such a response.
    """
    try:
        (broker_count,) = struct.unpack_from(">i", answer, 8)
        at = 12
        for _ in range(broker_count):
            _, at = _string(answer, at + 4)
            _, at = _string(answer, at + 4)
        cluster_id, _ = _string(answer, at)
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"not a Metadata v{METADATA_VERSION} response: {error}") from error
    return BrokerAnswer(cluster_id=cluster_id, broker_count=broker_count)


def probe(host: str, port: int, *, timeout_s: float = PROBE_TIMEOUT_S) -> BrokerAnswer | None:
    """Ask the broker on `host:port` for its cluster id; None if no Kafka broker answers."""
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.sendall(encode_request(API_VERSIONS, 0, 1, b""))
            if struct.unpack_from(">i", _receive(connection))[0] != 1:
                return None
            no_topics = struct.pack(">i?", 0, False)
            connection.sendall(encode_request(METADATA, METADATA_VERSION, 2, no_topics))
            return decode_metadata(_receive(connection))
    except (OSError, ValueError, struct.error):
        return None


def serves(host: str, port: int, *, tls: bool = False, timeout_s: float = PROBE_TIMEOUT_S) -> bool:
    """True if a Kafka broker answers, also if it requires a login or a certificate."""
    try:
        with socket.create_connection((host, port), timeout_s) as plain:
            connection = _wrapped(plain) if tls else plain
            connection.sendall(encode_request(API_VERSIONS, 0, 1, b""))
            return bool(struct.unpack_from(">i", _receive(connection))[0] == 1)
    except ssl.SSLError as error:
        return error.reason in ASKS_FOR_CERTIFICATE
    except (OSError, ValueError, struct.error):
        return False


def _wrapped(plain: socket.socket) -> ssl.SSLSocket:
    """Use TLS without checking the certificate: the probe sends no secrets and trusts no data."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain)


def _string(answer: bytes, at: int) -> tuple[str | None, int]:
    (length,) = struct.unpack_from(">h", answer, at)
    if length < 0:
        return None, at + 2
    end = at + 2 + length
    if end > len(answer):
        raise struct.error("the response ends within a string")
    return answer[at + 2 : end].decode(), end


def _receive(connection: socket.socket) -> bytes:
    (length,) = struct.unpack(">i", _exactly(connection, 4))
    if not 4 <= length <= ANSWER_BYTES_MAX:
        raise ValueError(f"a response of {length} bytes is not from Kafka")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        if not chunk:
            raise ValueError("the connection was closed")
        received += chunk
    return bytes(received)
