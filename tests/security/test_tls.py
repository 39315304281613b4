"""A listener with TLS and logins, with a certificate of a test authority."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.credentials import credentials_for
from arena.errors import BrokerUnavailable
from arena.settings import KafkaAccess, Settings
from operations.localbroker.security import Tls
from operations.localbroker.status import read_status
from tests.security.certificates import Authority
from tests.security.secure import Secure, secure_broker, try_read, try_write


def keystore_of(authority: Authority) -> Path:
    """A broker's key and certificate in one file."""
    certificate, key = authority.issue("broker")
    keystore = certificate.with_name("keystore.pem")
    keystore.write_bytes(key.read_bytes() + certificate.read_bytes())
    return keystore


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """A secure broker whose listener uses TLS."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    tls = Tls(keystore=keystore_of(authority), truststore=authority.path)
    with secure_broker(folder / "home", tls) as found:
        yield found


async def test_logins_and_rules_apply_over_tls(encrypted: Secure) -> None:
    """The credential files name the authority, and the access rules are enforced."""
    executor, router = encrypted.settings("executor"), encrypted.settings("router")

    assert "SASL_SSL" == executor.access.security_protocol
    assert "ok" == await try_write(executor, topics.EVENTS.name)
    assert "topic refused" == await try_write(router, topics.EVENTS.name)
    assert "ok" == await try_read(router, topics.SNAPSHOTS.name)


async def test_bus_works_over_tls(encrypted: Secure) -> None:
    """Producer, reader and admin client all use TLS."""
    bus = KafkaBus(encrypted.settings("executor"))
    await bus.start()
    try:
        await bus.ensure_topics([topics.EVENTS])
        acked = await (
            await bus.send_bytes(topics.EVENTS.name, b"{}", key=None, partition=0, headers=())
        )
        reader = await bus.log_reader(topics.EVENTS.name)
        ends = await reader.end_offsets()
        await reader.close()
    finally:
        await bus.close()

    assert acked.offset < ends[topics.EVENTS.name, 0]


@pytest.mark.parametrize("changed", ["another authority", "no tls"])
async def test_untrusted_broker_is_not_connected(
    encrypted: Secure, tmp_path: Path, changed: str
) -> None:
    """A certificate of another authority ends the connection, as does none."""
    environ = credentials_for(encrypted.home, "router")
    if changed == "another authority":
        environ["KAFKA_SSL_CAFILE"] = str(Authority(tmp_path, "somebody").path)
    else:
        environ["KAFKA_SECURITY_PROTOCOL"] = "SASL_PLAINTEXT"
    stranger = encrypted.settings("router").override(access=KafkaAccess.of(environ))

    with pytest.raises(BrokerUnavailable, match="did not answer"):
        await KafkaBus(stranger).start()


def test_status_recognizes_a_tls_broker(encrypted: Secure) -> None:
    """`arena broker status` sees that it serves, without logging in."""
    found = read_status(encrypted.home)

    assert "running" == found.condition
    assert found.broker is not None
    assert "SASL_SSL" == found.broker.security


def with_certificate(settings: Settings, certificate: Path, key: Path, secret: Path) -> Settings:
    """The settings of a process that also has a certificate, with a password on its key."""
    files = {"ssl_certfile": certificate, "ssl_keyfile": key, "ssl_key_password_file": secret}
    return settings.override(access=settings.access.model_copy(update=files))
