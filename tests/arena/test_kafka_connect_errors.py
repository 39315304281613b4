"""If no broker can be connected, the error has the cause."""

import asyncio
import errno
import socket
import ssl
from types import SimpleNamespace
from typing import cast

import pytest
from aiokafka import errors as kafka
from aiokafka.admin import AIOKafkaAdminClient

from arena.bus import kafka_connect_errors
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_admin import _retention, list_topics
from arena.bus.kafka_connect_errors import connection_error, explain_failure, first_address
from arena.errors import ArenaError, BrokerUnavailable, DependencyMissing, UsageError
from arena.settings import KafkaAccess, Settings

LOGIN = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "KAFKA_SASL_USERNAME": "router",
    "KAFKA_SASL_PASSWORD": "planted-secret",
}


def settings(servers: str = "127.0.0.1:1", **environ: str) -> Settings:
    """Settings with that address and these variables."""
    return Settings().override(bootstrap_servers=servers, access=KafkaAccess.of(environ))


def of_tls(reason: str) -> ssl.SSLError:
    """An error of OpenSSL."""
    error = ssl.SSLError(1, f"[SSL: {reason}] words")
    error.reason = reason
    return error


def expired() -> ssl.SSLCertVerificationError:
    """What a certificate that is too old raises."""
    error = ssl.SSLCertVerificationError(1, "verify failed")
    error.verify_message = "certificate has expired"
    return error


@pytest.mark.parametrize(
    ("error", "cause", "remedy"),
    [
        (expired(), "certificate has expired", "KAFKA_SSL_CAFILE"),
        (of_tls("WRONG_VERSION_NUMBER"), "does not speak TLS", "KAFKA_SECURITY_PROTOCOL"),
        (of_tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "a client certificate", "KAFKA_SSL_CERTFILE"),
        (of_tls("NO_SHARED_CIPHER"), "TLS failed", "KAFKA_SSL_CAFILE"),
        (kafka.IllegalSaslStateError("x"), "does not require a login", "KAFKA_SECURITY_PROTOCOL"),
        (
            kafka.UnsupportedSaslMechanismError("Enabled mechanisms are: ['SCRAM-SHA-512']"),
            "it has SCRAM-SHA-512",
            "KAFKA_SASL_MECHANISM",
        ),
        (kafka.SaslAuthenticationFailed("no"), "login (user 'router'", "KAFKA_SASL_PASSWORD"),
        (kafka.AuthenticationFailedError("no"), "login (user 'router'", "KAFKA_SASL_PASSWORD"),
    ],
)
def test_connection_error_has_cause_and_remedy(error: Exception, cause: str, remedy: str) -> None:
    """Each kind of error has its cause and remedy, and none contains the password."""
    found = explain_failure(error, settings(**LOGIN))

    assert found is not None
    assert cause in found[0]
    assert remedy in found[1]
    assert "planted" not in "".join(found)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ConnectionRefusedError(111, "refused"), "nothing listens there"),
        (OSError("Multiple exceptions: [Errno 111] x ('::1'), [Errno 111] y"), "nothing listens"),
        (OSError(errno.EHOSTUNREACH, "x"), "no route to that address"),
        (socket.gaierror(-2, "Name or service not known"), "host name is unknown"),
    ],
)
def test_network_error_has_cause(error: Exception, cause: str) -> None:
    """An address without a server differs from a broker that does not answer."""
    found = explain_failure(error, settings())

    assert found is not None
    assert cause in found[0]
    assert "KAFKA_BOOTSTRAP_SERVERS" in found[1]


def test_timeout_has_no_cause() -> None:
    """A server that does not answer gives no cause."""
    assert explain_failure(TimeoutError(), settings()) is None


async def test_frozen_broker_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that accepts connections and never answers is reported as a frozen process."""
    monkeypatch.setattr(kafka_connect_errors, "TRY_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # the kernel accepts, as for SIGSTOP
        servers = f"127.0.0.1:{frozen.getsockname()[1]}"
        found = await connection_error(settings(servers), "broker a did not answer", " in 10 s")

    assert "did not answer in 10 s: it accepts connections but does not answer" in str(found)
    assert "frozen" in found.remedy


@pytest.mark.parametrize(
    ("servers", "found"),
    [
        ("a:1", ("a", 1)),
        (" a , b:2", ("a", 9092)),
        (",[::1]:3", ("::1", 3)),
        ("[::1]", ("::1", 9092)),
    ],
)
def test_first_address_is_parsed(servers: str, found: tuple[str, int]) -> None:
    """Ports and brackets may be missing."""
    assert found == first_address(servers)


async def error_after(error: Exception, monkeypatch: pytest.MonkeyPatch) -> ArenaError:
    """The error if the attempt to find the cause fails like this."""

    async def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(kafka_connect_errors, "create_conn", fails)
    return await connection_error(settings(), "broker a did not answer", " in 10 s")


async def test_own_file_limit_is_not_broker_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cannot open more files does not report a missing broker."""
    found = await error_after(OSError(errno.EMFILE, "Too many open files"), monkeypatch)

    assert isinstance(found, DependencyMissing)
    assert "ulimit" in str(found)
    assert "did not answer" not in str(found)


async def test_timeout_error_has_its_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a known cause, the error has the waiting time and what to check."""
    found = await error_after(kafka.KafkaConnectionError("x"), monkeypatch)

    assert "broker a did not answer in 10 s; is KAFKA_BOOTSTRAP_SERVERS right?" in str(found)


async def test_bus_and_admin_report_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bus and the admin client report the cause."""

    async def fails(*_: object, **__: object) -> None:
        raise kafka.SaslAuthenticationFailed("no")

    monkeypatch.setattr(kafka_connect_errors, "create_conn", fails)

    with pytest.raises(BrokerUnavailable, match="did not answer: it does not know this login"):
        await KafkaBus(settings(**LOGIN)).start()
    with pytest.raises(BrokerUnavailable, match=r"no broker answers .*know this login"):
        await list_topics(settings(**LOGIN))


async def test_tls_port_is_detected_by_plain_client() -> None:
    """A server that closes plain connections and answers a TLS handshake is reported as TLS."""

    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1) == b"\x16":
            writer.write(b"\x15\x03\x03\x00\x02\x02\x28")  # a handshake failure, RFC 8446
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        found = await connection_error(settings(f"127.0.0.1:{port}"), "broker a did not answer")

    assert "it speaks TLS" in str(found)


async def test_hidden_topic_settings_are_usage_error() -> None:
    """A login that may not see a topic's settings gets an error: the answer is empty."""
    answer = {"resources": [{"resource_name": "a", "config_entries": []}]}

    async def describe(_: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(to_object=lambda: answer)]

    admin = cast(AIOKafkaAdminClient, SimpleNamespace(describe_configs=describe))
    with pytest.raises(UsageError, match="settings of topic a"):
        await _retention(admin, ["a"])
