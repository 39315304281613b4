"""Finds out why no broker could be connected: the client library does not report the cause.

After a failed start the first address is tried once more by itself, and the error has the result.
Reads and writes no topic.
"""

import asyncio
import errno
import re
import socket
import ssl

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import SaslHandShakeRequest

from arena.bus.kafka_access import connection_options, unreachable_remedy
from arena.error_causes import explain_error
from arena.errors import ArenaError, BrokerUnavailable
from arena.settings import Settings
from arena.visible_text import one_line

TRY_TIMEOUT_S = 3.0
DEFAULT_PORT = 9092
NOTHING_LISTENS_REMEDY = (
    "check KAFKA_BOOTSTRAP_SERVERS; `arena broker start` runs a broker here, and `arena demo` "
    "starts its own"
)
ILLEGAL_SASL_STATE = 34
WORDS_MAX = 300
_CERTIFICATE = "check KAFKA_SSL_CAFILE, the name in KAFKA_BOOTSTRAP_SERVERS, and the dates"
_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}
_OUR_LIMITS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


async def connection_error(settings: Settings, lead: str, silent: str = "") -> ArenaError:
    """The error to raise if no client could start.

    Args:
        settings: Settings of the attempt.
        lead: Start of the message: "broker a:1 did not answer".
        silent: Text after the lead if the broker does not answer at all, such as " in 10 s".
    """
    access = settings.access
    host, port = first_address(settings.bootstrap_servers)
    given = connection_options(settings)
    given.pop("bootstrap_servers")
    found: tuple[str, str] | None = None
    try:
        async with asyncio.timeout(TRY_TIMEOUT_S):
            client = await create_conn(
                host, port, request_timeout_ms=int(TRY_TIMEOUT_S * 1_000), **given
            )
        client.close()
    except (KafkaError, OSError, TimeoutError) as error:
        if isinstance(error, OSError) and error.errno in _OUR_LIMITS:
            return explain_error(error) or BrokerUnavailable(lead)
        found = explain_failure(error, settings)
    if found is None and access.security_protocol.endswith("SSL"):
        found = await _expects_no_tls(host, port, settings)
    elif found is None:
        login, tls = await asyncio.gather(
            _expects_login(host, port, settings), _expects_tls(host, port)
        )
        found = login or tls
    if found is not None:
        return BrokerUnavailable(f"{lead}: {found[0]}", remedy=found[1])
    if await _takes_connections(host, port):
        return BrokerUnavailable(
            f"{lead}{silent}: it accepts connections but does not answer",
            remedy="it is frozen or overloaded, or not a Kafka broker: check its log and its host",
        )
    return BrokerUnavailable(f"{lead}{silent}", remedy=unreachable_remedy(settings))


def explain_failure(error: BaseException, settings: Settings) -> tuple[str, str] | None:
    """Cause and remedy of a failed attempt; None if the error does not show them."""
    access, name = settings.access, type(error).__name__
    message = one_line(str(error), WORDS_MAX)
    user = one_line(access.sasl_username, 80)
    if isinstance(error, socket.gaierror):
        return "its host name is unknown", "check KAFKA_BOOTSTRAP_SERVERS and the network"
    if isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in message:
        return "nothing listens there", NOTHING_LISTENS_REMEDY
    if isinstance(error, OSError) and error.errno in _NO_WAY:
        return "no route to that address", "check KAFKA_BOOTSTRAP_SERVERS and the network"
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = one_line(error.verify_message or message, WORDS_MAX)
        return f"its certificate is not trusted: {reason}", _CERTIFICATE
    if isinstance(error, ssl.SSLError):
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE"):
            return "it does not speak TLS", _protocol(settings)
        if "CERTIFICATE" in (error.reason or ""):
            return (
                "it requires a client certificate",
                "set KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE",
            )
        return f"TLS failed: {message}", _CERTIFICATE
    if name == "UnsupportedSaslMechanismError":
        offered = ", ".join(re.findall(r"'([\w-]+)'", message.partition("are:")[2]))
        which = f"; it has {offered}" if offered else ""
        return (
            f"it does not offer {access.sasl_mechanism}{which}",
            "set KAFKA_SASL_MECHANISM to one that it has",
        )
    if name == "IllegalSaslStateError":
        return "it does not require a login", _protocol(settings)
    if "Authentication" in name:
        return (
            f"it does not know this login (user {user!r}, {access.sasl_mechanism})",
            "check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
        )
    return None


def first_address(servers: str) -> tuple[str, int]:
    """Host and port of the first of several addresses."""
    first = next(part.strip() for part in servers.split(",") if part.strip())
    host, colon, port = first.rpartition(":")
    if not colon or first.endswith("]"):
        return first.strip("[]"), DEFAULT_PORT
    return host.strip("[]"), int(port)


def _protocol(settings: Settings) -> str:
    now = settings.access.security_protocol
    return f"KAFKA_SECURITY_PROTOCOL is {now}: set it to the protocol of the broker's listener"


async def _expects_no_tls(host: str, port: int, settings: Settings) -> tuple[str, str] | None:
    """The cause if the broker speaks Kafka without TLS, or None."""
    if await _mechanisms(host, port) is None:
        return None
    return "it does not speak TLS", _protocol(settings)


async def _expects_login(host: str, port: int, settings: Settings) -> tuple[str, str] | None:
    """The cause if the broker requires a login that this process does not have, or None."""
    if settings.access.security_protocol != "PLAINTEXT":
        return None
    offered = await _mechanisms(host, port)
    if not offered:
        return None
    return (
        f"it requires a login ({', '.join(offered)})",
        "set KAFKA_SECURITY_PROTOCOL to SASL_PLAINTEXT, KAFKA_SASL_USERNAME and "
        "KAFKA_SASL_PASSWORD",
    )


async def _mechanisms(host: str, port: int) -> tuple[str, ...] | None:
    """Login mechanisms without TLS; empty if no login is required, None if it is not Kafka."""
    try:
        async with asyncio.timeout(TRY_TIMEOUT_S):
            client = await create_conn(host, port, request_timeout_ms=int(TRY_TIMEOUT_S * 1_000))
            try:
                answer = await client.send(SaslHandShakeRequest("SCRAM-SHA-512"))
            finally:
                client.close()
    except (KafkaError, OSError, TimeoutError):
        return None
    if answer.error_code == ILLEGAL_SASL_STATE:
        return ()
    return tuple(one_line(str(name), 40) for name in answer.enabled_mechanisms)


async def _takes_connections(host: str, port: int) -> bool:
    """True if the port accepts connections, as the kernel does for a frozen process."""
    try:
        async with asyncio.timeout(TRY_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _expects_tls(host: str, port: int) -> tuple[str, str] | None:
    """The cause if the port speaks TLS, or None; no secret is sent, and no certificate checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(TRY_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLError as error:
        if "ALERT" not in (error.reason or ""):
            return None  # an answer, but not TLS
    except (OSError, TimeoutError):
        return None
    else:
        writer.close()
    return (
        "it speaks TLS, and this process does not",
        "set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL, and KAFKA_SSL_CAFILE",
    )
