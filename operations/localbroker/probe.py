"""Is a broker ready, and which one is it: two requests of the Kafka protocol by hand.

A broker answers ApiVersions only once it serves, so that answer is "ready". The cluster id in
a Metadata answer tells our broker from another one on the same port. Encoding and decoding are
pure; `probe` and `serves` are the only functions that open a socket.

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
"""How OpenSSL names the alerts of RFC 8446, section 6.2, to a client without a certificate."""


@dataclass(frozen=True, slots=True)
class BrokerAnswer:
    """What a broker said of itself.

    Attributes:
        cluster_id: The id its storage was formatted with; None where it names none.
        broker_count: How many brokers the cluster has.
    """

    cluster_id: str | None
    broker_count: int


def encode_request(api: int, version: int, correlation_id: int, body: bytes) -> bytes:
    """A request with header v1 and its length in front."""
    header = struct.pack(">hhih", api, version, correlation_id, len(CLIENT_ID)) + CLIENT_ID
    return struct.pack(">i", len(header) + len(body)) + header + body


def decode_metadata(answer: bytes) -> BrokerAnswer:
    """Read the brokers and the cluster id of a Metadata v4 answer (without its length).

    Raises:
        ValueError: The bytes are no such answer.
    """
    try:
        (broker_count,) = struct.unpack_from(">i", answer, 8)
        at = 12
        for _ in range(broker_count):
            _, at = _string(answer, at + 4)
            _, at = _string(answer, at + 4)
        cluster_id, _ = _string(answer, at)
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"no Metadata v{METADATA_VERSION} answer: {error}") from error
    return BrokerAnswer(cluster_id=cluster_id, broker_count=broker_count)


def probe(host: str, port: int, *, timeout_s: float = PROBE_TIMEOUT_S) -> BrokerAnswer | None:
    """Ask the broker on `host:port` who it is; None where nobody who speaks Kafka answers."""
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
    """True where somebody who speaks Kafka answers, though he may tell no more without a login.

    So does one who asks for a certificate, which a probe has not.
    """
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
    """TLS without a look at the certificate: nothing is told and nothing is believed here."""
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
        raise struct.error("the answer ends within a string")
    return answer[at + 2 : end].decode(), end


def _receive(connection: socket.socket) -> bytes:
    (length,) = struct.unpack(">i", _exactly(connection, 4))
    if not 4 <= length <= ANSWER_BYTES_MAX:
        raise ValueError(f"an answer of {length} bytes is not Kafka's")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        if not chunk:
            raise ValueError("the connection was closed")
        received += chunk
    return bytes(received)
