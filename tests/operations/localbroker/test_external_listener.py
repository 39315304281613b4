"""The listener for other hosts: refused flags, the saved listener, the broker's properties."""

import socket
from pathlib import Path

import pytest

from arena.broker_state import Ports
from arena.errors import ArenaError, UsageError
from operations.localbroker.certificates import (
    ensure_home_certificate,
    missing_names,
    require_certificate_names,
)
from operations.localbroker.config import server_properties
from operations.localbroker.errors import PortTaken
from operations.localbroker.external_listener import (
    LISTENER_FILE_NAME,
    ExternalListener,
    choose_listener,
    listener_from_flags,
    read_listener,
    require_free_port,
    require_local_address,
    require_protected,
    write_listener,
)
from operations.localbroker.home_broker import open_home_broker
from operations.localbroker.ports import choose_ports
from operations.localbroker.security import Security, Tls

HERE = ExternalListener("127.0.0.2", "localhost", 19_192)


@pytest.mark.parametrize(
    ("listen", "advertise", "error"),
    [
        (None, "alpha", "--advertise alpha needs an address"),
        ("alpha", "alpha", "'alpha' is not an IP address"),
        ("0.0.0.0", None, "every address"),
        ("::", None, "every address"),
        ("fe80::1%eth0", None, "fe80::1%eth0 is valid on this machine only"),
        ("127.0.0.2", "fe80::1%eth0", "neither a host name nor an address"),
        ("127.0.0.2", "0.0.0.0", "a wildcard is not an address"),
        ("127.0.0.2", "[::]:9", "a wildcard is not an address"),
        ("127.0.0.2", "no-such-host.invalid", "cannot resolve"),
        ("127.0.0.2", "localhost:0", "'0' is not a port"),
        ("127.0.0.2", "localhost:65536", "'65536' is not a port"),
        ("127.0.0.2", "localhost:", "'none' is not a port"),
        ("127.0.0.2", "localhost:²", "is not a port"),
        ("127.0.0.2", "", "neither a host name nor an address"),
        ("127.0.0.2", "a\nlisteners=b", "neither a host name nor an address"),
        ("127.0.0.2", "a,b", "neither a host name nor an address"),
    ],
)
def test_invalid_listener_flags_are_refused(
    listen: str | None, advertise: str | None, error: str
) -> None:
    """Each is a usage error with the value and a remedy."""
    with pytest.raises(UsageError, match=f".*{error}.*;") as refusal:
        listener_from_flags(listen, advertise, insecure=False)

    assert 2 == refusal.value.exit_code


@pytest.mark.parametrize(
    ("listen", "advertise", "first", "second"),
    [
        ("127.0.0.2", "localhost:7", "localhost:7", "localhost:8"),
        ("127.0.0.2", None, "127.0.0.2:19092", "127.0.0.2:19093"),
        ("::1", None, "[::1]:19092", "[::1]:19093"),
        ("[::1]", "[::1]:7", "[::1]:7", "[::1]:8"),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1:19092", "127.0.0.1:19093"),
    ],
)
def test_each_broker_of_a_cluster_has_a_port(
    listen: str, advertise: str | None, first: str, second: str
) -> None:
    """The second broker has the next port; IPv6 addresses are in brackets."""
    found = listener_from_flags(listen, advertise, insecure=False)

    assert found is not None
    assert (first, second) == (found.advertised(1), found.advertised(2))


@pytest.mark.parametrize(
    ("listen", "insecure", "tls", "refused"),
    [
        ("192.0.2.1", False, False, True),
        ("0.0.0.0", False, False, True),
        ("::", False, False, True),
        ("192.0.2.1", True, False, False),
        ("192.0.2.1", False, True, False),
        ("127.0.0.2", False, False, False),
    ],
)
@pytest.mark.parametrize("secure", [True, False])
def test_listener_beyond_loopback_requires_tls(
    listen: str, insecure: bool, tls: bool, refused: bool, secure: bool
) -> None:
    """Without TLS only loopback, or a network that the user trusts, is allowed."""
    external = ExternalListener(listen, "alpha", insecure=insecure)
    if not refused:
        require_protected(external, secure=secure, tls=tls)
        return
    with pytest.raises(UsageError, match=r"--tls-self-signed.*--insecure"):
        require_protected(external, secure=secure, tls=tls)


def test_unusable_address_is_refused_before_java_is_started() -> None:
    """A taken port, a port used twice, a port above the maximum, another host's address."""
    with socket.create_server(("127.0.0.2", 0)) as server:
        taken = ExternalListener("127.0.0.2", "localhost", server.getsockname()[1])
        with pytest.raises(PortTaken, match="is taken"):
            require_free_port(taken, 1, Ports(1, 2))
    with pytest.raises(UsageError, match="also the port on loopback"):
        require_free_port(HERE, 1, Ports(19_192, 2))
    with pytest.raises(UsageError, match="above 65535"):
        require_free_port(ExternalListener("127.0.0.2", "localhost", 65_534), 3, Ports(1, 2))
    with pytest.raises(UsageError, match="not an address of this machine"):
        require_free_port(ExternalListener("192.0.2.1", "alpha"), 1, Ports(1, 2))
    with pytest.raises(UsageError, match="not an address of this machine"):
        require_local_address("192.0.2.1")
    require_local_address("127.0.0.2")


def test_error_for_a_wildcard_host_has_the_right_flags() -> None:
    """The error for `--host 0.0.0.0` has the flags for other hosts."""
    with pytest.raises(UsageError, match=r"--listen 0\.0\.0\.0 --advertise NAME"):
        choose_ports(0, "0.0.0.0")


def test_listener_is_saved_and_not_changed_while_the_broker_runs(tmp_path: Path) -> None:
    """The next start needs no flags; other flags are refused while it runs."""
    other = ExternalListener("127.0.0.3", "localhost")
    assert choose_listener(tmp_path, HERE, running=False) == HERE
    assert read_listener(tmp_path) is None  # kept by a start that succeeds, not by a wish
    write_listener(tmp_path, HERE)

    assert choose_listener(tmp_path, None, running=True) == HERE
    assert choose_listener(tmp_path, HERE, running=True) == HERE
    assert choose_listener(tmp_path, other, running=False) == other
    with pytest.raises(UsageError, match="arena broker stop"):
        choose_listener(tmp_path, other, running=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"listen": 1, "advertise": "a"}',
        '{"listen": "x", "advertise": "a"}',
        '{"listen": "127.0.0.2", "advertise": "a\\nb"}',
        '{"listen": "127.0.0.2", "advertise": "a", "port": "x"}',
    ],
)
def test_damaged_listener_file_is_refused(tmp_path: Path, text: str) -> None:
    """The error has the file's name and a remedy."""
    (tmp_path / LISTENER_FILE_NAME).write_text(text)

    with pytest.raises(UsageError, match=f"{LISTENER_FILE_NAME}.*remove it"):
        read_listener(tmp_path)


@pytest.mark.parametrize("security", [None, Security(passwords={"broker": "pw"})])
def test_properties_have_both_listeners(security: Security | None) -> None:
    """Each listener has a protocol, and no line is repeated."""
    text = server_properties("127.0.0.1", Ports(1, 2), None, security, HERE)
    lines = dict(line.split("=", 1) for line in text.splitlines())

    assert lines["listeners"].endswith(
        "127.0.0.1:1,CONTROLLER://127.0.0.1:2,OUTSIDE://127.0.0.2:19192"
    )
    assert lines["advertised.listeners"].endswith("://127.0.0.1:1,OUTSIDE://localhost:19192")
    assert lines["listener.security.protocol.map"].count(":") == 3
    assert len(lines) == len(text.splitlines())


def test_controllers_also_use_tls() -> None:
    """If clients must show a certificate, brokers and controllers must, too."""
    tls = Tls(Path("/k.pem"), Path("/ca.pem"), client_auth=True)
    security = Security(passwords={"broker": "pw"}, tls=tls)

    lines = server_properties("127.0.0.1", Ports(1, 2), None, security, HERE).splitlines()

    assert (
        "listener.security.protocol.map=CLIENT:SASL_SSL,OUTSIDE:SASL_SSL,CONTROLLER:SASL_SSL"
        in lines
    )
    for name in ("client", "outside", "controller"):
        assert f"listener.name.{name}.ssl.client.auth=required" in lines


def test_own_certificate_is_valid_for_the_names(tmp_path: Path) -> None:
    """It is created once, and again for a new name by the same authority, and is private."""
    tls = ensure_home_certificate(tmp_path, ["alpha"])
    authority, keystore = tls.truststore.read_bytes(), tls.keystore.read_bytes()

    ensure_home_certificate(tmp_path, ["alpha"])
    assert tls.keystore.read_bytes() == keystore
    ensure_home_certificate(tmp_path, ["beta", "192.0.2.1"])

    assert tls.keystore.read_bytes() != keystore
    assert tls.truststore.read_bytes() == authority
    assert missing_names(tls.keystore, ["beta", "192.0.2.1", "127.0.0.1", "gamma"]) == ["gamma"]
    assert {0o600} == {f.stat().st_mode & 0o777 for f in (tmp_path / "secure").iterdir()}


def test_certificate_for_other_names_is_refused(tmp_path: Path) -> None:
    """The error has the missing names; a file without a certificate is refused, too."""
    tls = ensure_home_certificate(tmp_path, ["alpha"])
    with pytest.raises(UsageError, match="is not valid for beta"):
        require_certificate_names(tls, ["alpha", "beta"])
    tls.keystore.write_text("no certificate")
    with pytest.raises(UsageError, match="it has no certificate in PEM"):
        require_certificate_names(tls, ["alpha"])


def test_refused_start_creates_no_accounts(tmp_path: Path) -> None:
    """A refused listener without TLS leaves no accounts for a later start."""
    with pytest.raises(ArenaError, match="without TLS passwords are readable"):
        open_home_broker(tmp_path, secure=True, external=ExternalListener("192.0.2.1", "alpha"))

    assert not (tmp_path / "secure").exists()
