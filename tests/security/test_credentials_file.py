"""`arena broker credentials`: one file with everything that another host needs."""

import base64
import os
import stat
from pathlib import Path

import pytest

from arena.broker_files import broker_files_of
from arena.broker_state import BrokerState, write_state
from arena.bus.kafka_access import connection_options
from arena.errors import UsageError
from arena.settings import KafkaAccess, Settings
from operations.commands.broker_credentials import KINDS, environment_for, write_new
from operations.localbroker.certificates import ensure_home_certificate
from operations.localbroker.external_listener import ExternalListener, write_listener
from operations.localbroker.security import ensure_security


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose broker was started for other hosts, with its own TLS."""
    ensure_security(tmp_path, ensure_home_certificate(tmp_path, ["alpha"]))
    files = broker_files_of(tmp_path)
    write_listener(files.root, ExternalListener("192.0.2.1", "alpha"))
    state = BrokerState("apache-kafka", "4", "127.0.0.1:9092", 1, "id", True, 1, 1.0, "", "")
    write_state(files.state, state)
    return tmp_path


def test_file_has_everything_a_host_needs(home: Path) -> None:
    """The advertised address, the login, and the authority itself: no path of this machine."""
    text = environment_for(home, "router")
    found = dict(line.split("=", 1) for line in text.splitlines())

    assert found["KAFKA_BOOTSTRAP_SERVERS"] == "alpha:19092"
    assert found["KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
    assert found["KAFKA_SASL_USERNAME"] == "router"
    assert base64.b64decode(found["KAFKA_SSL_CA"]) == (home / "secure" / "ca.pem").read_bytes()
    assert str(home) not in text
    assert connection_options(Settings(access=KafkaAccess.of(found)))["ssl_context"].get_ca_certs()


@pytest.mark.parametrize("kind", ["broker", "nobody", "", "../router", "routers"])
def test_unknown_kind_lists_the_known_kinds(home: Path, kind: str) -> None:
    """The brokers' own login is not available either."""
    with pytest.raises(UsageError, match=", ".join(KINDS)):
        environment_for(home, kind)


def test_open_broker_has_no_credentials(tmp_path: Path) -> None:
    """No empty file is written."""
    with pytest.raises(UsageError, match="needs no credentials"):
        environment_for(tmp_path, "router")


def test_file_is_new_private_and_complete(tmp_path: Path) -> None:
    """Mode 0600 with any umask; an existing file or link is left unchanged."""
    path, link = tmp_path / "router.env", tmp_path / "link.env"
    link.symlink_to(tmp_path / "elsewhere")
    before = os.umask(0)
    try:
        write_new(path, "A=1\n")
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for taken in (path, link):
        with pytest.raises(UsageError, match="exists already"):
            write_new(taken, "B=2\n")
    assert path.read_text() == "A=1\n"
    assert sorted(os.listdir(tmp_path)) == ["link.env", "router.env"]


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/dev/tty", "/proc/self/fd/1"])
def test_streams_are_refused(name: str) -> None:
    """Passwords are never written to a terminal or pipe, whatever its name points to."""
    with pytest.raises(UsageError, match="is not a file"):
        write_new(Path(name), "secret")


def test_named_pipe_is_refused(tmp_path: Path) -> None:
    """A named pipe is a stream as well."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UsageError, match="is not a file"):
        write_new(tmp_path / "pipe", "secret")


@pytest.mark.parametrize("line", ["%%%", "w6Q", "/w=="])
def test_invalid_authority_is_refused(line: str) -> None:
    """The error names the variable, and the other way to give the authority."""
    access = KafkaAccess.of({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA": line})

    with pytest.raises(UsageError, match="KAFKA_SSL_CA"):
        connection_options(Settings(access=access))
