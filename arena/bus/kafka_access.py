"""Connection options of every Kafka client of the bus, from the settings: addresses, login, TLS."""

import asyncio
import base64
import binascii
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, client
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from pydantic import SecretStr

from arena.bounded_files import TEXT_FILE_BYTES_MAX, NotReadable, open_regular, read_text_file
from arena.bus.kafka_sockets import create_conn
from arena.error_causes import error_message
from arena.errors import UsageError
from arena.settings import KafkaAccess, Settings
from arena.visible_text import one_line

client.create_conn = create_conn
"""Replaced here, because a subclass would have to copy the client's connection handling."""

MISSING_PAUSE_S = 0.05
_update = client.AIOKafkaClient._metadata_update


# Any: aiokafka is not typed.
async def _update_calmly(self: Any, cluster: Any, topics: Any) -> Any:
    """Pause after metadata in which a topic is missing or has no leader, or after a failed update.

    aiokafka's consumer and producer would ask again at once, without a pause.
    """
    done = await _update(self, cluster, topics)
    if not done or not all(_is_led(cluster, topic) for topic in topics or ()):
        await asyncio.sleep(MISSING_PAUSE_S)
    return done


def _is_led(cluster: Any, topic: str) -> bool:
    known = cluster.partitions_for_topic(topic)
    return bool(known) and known == cluster.available_partitions_for_topic(topic)


client.AIOKafkaClient._metadata_update = _update_calmly

PASSWORD_BYTES_MAX = 4_096
PORT_MAX = 65_535
DEFAULT_PORT = 9092
ADDRESS_REMEDY = (
    "set KAFKA_BOOTSTRAP_SERVERS (or --bootstrap-servers) to host:port, comma-separated"
)
_ADDRESS = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^\s:\[\],/]+)(:(?P<port>\d{1,6}))?", re.ASCII
)


# Any: keyword arguments of aiokafka's clients, which are not typed.
def connection_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for aiokafka's consumers, producers and admin clients.

    Raises:
        UsageError: User name or password of a login is missing, or a file cannot be used.
    """
    access = settings.access
    require_addresses(settings.bootstrap_servers)
    found: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": access.security_protocol,
    }
    if access.security_protocol.startswith("SASL"):
        found["sasl_mechanism"] = access.sasl_mechanism
        found["sasl_plain_username"] = _user(access)
        found["sasl_plain_password"] = _password(access)
    if access.security_protocol.endswith("SSL"):
        found["ssl_context"] = _tls(access)
    return found


def require_addresses(servers: str) -> None:
    """Check a list of addresses, because the client library's error would not explain it.

    Raises:
        UsageError: A part is not `host`, `host:port` or `[address]:port`.
    """
    parts = [part.strip() for part in servers.split(",")]
    for part in filter(None, parts):
        found = _ADDRESS.fullmatch(part)
        port = 0 if found is None else int(found["port"] or DEFAULT_PORT)
        if found is None or not 0 < port <= PORT_MAX or not _can_be_asked_for(found["host"]):
            raise UsageError(
                f"'{one_line(part, 80)}' is not the address of a broker", remedy=ADDRESS_REMEDY
            )
    if not any(parts):
        raise UsageError(f"'{one_line(servers, 80)}' does not name a broker", remedy=ADDRESS_REMEDY)


def _can_be_asked_for(host: str) -> bool:
    """True for an address in brackets, and for a name that can be resolved."""
    if host.startswith("["):
        return True
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


async def start_client(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Start a client, and close it if the start fails or is cancelled."""
    try:
        await client.start()
    except BaseException:
        await stop_client(client)
        raise


async def stop_client(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client, after its tasks have made their first step.

    aiokafka cancels and awaits its tasks; a task that is cancelled before its first step would
    cancel the caller, too, and hide the original error.
    """
    await asyncio.sleep(0)
    await client.stop()


def unreachable_remedy(settings: Settings) -> str:
    """What to check if no broker accepts a connection for an unknown reason."""
    protocol = settings.access.security_protocol
    if protocol == "PLAINTEXT":
        return (
            "is KAFKA_BOOTSTRAP_SERVERS right? `arena broker start` runs a local one; a broker "
            "that asks for a login needs KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_USERNAME"
        )
    return (
        f"is KAFKA_BOOTSTRAP_SERVERS right, and does the broker know this login ({protocol}, "
        f"user {settings.access.sasl_username or 'none'})?"
    )


@contextmanager
def authorization_errors_explained() -> Iterator[None]:
    """Convert authorization errors in the block to usage errors, because a retry does not help.

    Raises:
        UsageError: This login may not read the topic or join the group.
    """
    try:
        yield
    except (TopicAuthorizationFailedError, GroupAuthorizationFailedError) as error:
        what = "join the group" if isinstance(error, GroupAuthorizationFailedError) else "read"
        names = ", ".join(sorted(str(name) for name in _flat(error.args)))
        raise UsageError(
            f"the brokers do not let this login {what} {names}",
            remedy="`arena topics acl` shows who may; is KAFKA_SASL_USERNAME that of this process?",
        ) from None


def _flat(args: tuple[object, ...]) -> Iterator[object]:
    for arg in args:
        yield from arg if isinstance(arg, set | frozenset | list | tuple) else (arg,)


def _user(access: KafkaAccess) -> str:
    if not access.sasl_username:
        raise UsageError(
            f"KAFKA_SECURITY_PROTOCOL is {access.security_protocol} and KAFKA_SASL_USERNAME is "
            "not set",
            remedy="export KAFKA_SASL_USERNAME, and KAFKA_SASL_PASSWORD or "
            "KAFKA_SASL_PASSWORD_FILE",
        )
    return access.sasl_username


def _password(access: KafkaAccess) -> str:
    found = _secret(access.sasl_password, access.sasl_password_file, "KAFKA_SASL_PASSWORD")
    if not found:
        raise UsageError(
            f"there is no password for the Kafka user {access.sasl_username}",
            remedy="export KAFKA_SASL_PASSWORD, or KAFKA_SASL_PASSWORD_FILE with the path of a "
            "file that holds it",
        )
    return found


def _tls(access: KafkaAccess) -> ssl.SSLContext:
    """TLS that checks the broker's certificate and name; with our own certificate if given."""
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        if (path := getattr(access, name)) is not None:
            _require_file(f"KAFKA_{name.upper()}", path)
    try:
        context = ssl.create_default_context(
            cafile=access.ssl_cafile, cadata=_authority(access.ssl_ca) or None
        )
        if access.ssl_certfile is not None:
            password = _secret(
                access.ssl_key_password, access.ssl_key_password_file, "KAFKA_SSL_KEY_PASSWORD"
            )
            # Without a password OpenSSL would prompt for one; with "" it raises an error.
            context.load_cert_chain(access.ssl_certfile, access.ssl_keyfile, password=password)
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(
            f"the certificates cannot be used: {error_message(error)}",
            remedy="check KAFKA_SSL_CAFILE, KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE and "
            "KAFKA_SSL_KEY_PASSWORD",
        ) from None
    return context


def _authority(line: str) -> str:
    """The PEM in `KAFKA_SSL_CA`."""
    try:
        return base64.b64decode(line, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise UsageError(
            "KAFKA_SSL_CA is not base64 of PEM text",
            remedy="take the line as `arena broker credentials` writes it, or name a PEM file with "
            "KAFKA_SSL_CAFILE",
        ) from None


def _secret(value: SecretStr | None, path: Path | None, variable: str) -> str:
    """A secret from its variable, or from the file that the other variable names."""
    if value is not None:
        return value.get_secret_value()
    if path is None:
        return ""
    _require_file(f"{variable}_FILE", path)
    try:
        return read_text_file(path)[:PASSWORD_BYTES_MAX].strip()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{variable}_FILE names {path}, which cannot be read: {error_message(error)}",
            remedy="give the path of a file with the secret and nothing else",
        ) from None


def _require_file(variable: str, path: Path) -> None:
    """Check that a file is a readable regular file: OpenSSL would read a device forever.

    Raises:
        UsageError: It does not exist, is not a file, or is too large.
    """
    try:
        open_regular(path, TEXT_FILE_BYTES_MAX).close()
    except (OSError, NotReadable) as error:
        why = error_message(error)
        if isinstance(error, OSError) and error.strerror:
            why = error.strerror.lower()
        raise UsageError(
            f"{variable} names {one_line(str(path))}, which cannot be read: {why}",
            remedy="give the path of a regular file that this user may read",
        ) from None
