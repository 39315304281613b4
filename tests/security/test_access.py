"""How clients connect: logins, TLS, secrets that are never shown."""

import ssl
from pathlib import Path

import pytest

from arena.bus.kafka_access import connection_options
from arena.errors import UsageError
from arena.settings import KafkaAccess, Settings
from tests.security.certificates import Authority

SECRET = "correct-horse-battery"


def access(**changes: str) -> Settings:
    """Settings with these variables, named in lower case without `KAFKA_`."""
    return Settings(access=KafkaAccess.of({f"KAFKA_{k.upper()}": v for k, v in changes.items()}))


def test_plain_listener_needs_an_address_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listener of a local broker needs neither login nor TLS."""
    monkeypatch.delenv("KAFKA_SECURITY_PROTOCOL", raising=False)
    settings = Settings(bootstrap_servers="a:1,b:2")

    assert {"bootstrap_servers": "a:1,b:2", "security_protocol": "PLAINTEXT"} == connection_options(
        settings
    )


def test_login_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process reads its login from its environment variables."""
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "router")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", SECRET)

    found = connection_options(Settings())

    assert ("SCRAM-SHA-512", "router", SECRET) == (
        found["sasl_mechanism"],
        found["sasl_plain_username"],
        found["sasl_plain_password"],
    )


def test_password_may_be_in_a_file(tmp_path: Path) -> None:
    """A final line break is not part of the password; the variable counts more than the file."""
    path = tmp_path / "password"
    path.write_text(f"{SECRET}\n")
    own = {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "router"}

    from_file = connection_options(access(**own, sasl_password_file=str(path)))
    from_variable = connection_options(
        access(**own, sasl_password_file=str(path), sasl_password="another")
    )

    assert SECRET == from_file["sasl_plain_password"]
    assert "another" == from_variable["sasl_plain_password"]


def test_secrets_are_never_shown() -> None:
    """Settings that are printed, logged or dumped have stars instead of secrets."""
    settings = access(sasl_username="router", sasl_password=SECRET, ssl_key_password=SECRET)

    texts = [str(settings), repr(settings), settings.model_dump_json(), str(settings.model_dump())]

    assert not [text for text in texts if SECRET in text]
    assert "router" in repr(settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"security_protocol": "SASL_PLAINTEXT"}, "KAFKA_SASL_USERNAME is not set"),
        (
            {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "router"},
            "no password for the Kafka user router",
        ),
        (
            {
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_username": "router",
                "sasl_password_file": "/nowhere/password",
            },
            "KAFKA_SASL_PASSWORD_FILE names /nowhere/password, which cannot be read",
        ),
        (
            {"security_protocol": "SSL", "ssl_cafile": "/nowhere/ca.pem"},
            "KAFKA_SSL_CAFILE names /nowhere/ca.pem, which cannot be read: no such file",
        ),
        (
            {
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_username": "router",
                "sasl_password_file": "/dev/zero",
            },
            "/dev/zero is a device",
        ),
        ({"security_protocol": "SSL", "ssl_cafile": "/dev/zero"}, "/dev/zero is a device"),
        ({"security_protocol": "SSL", "ssl_certfile": "/dev/zero"}, "/dev/zero is a device"),
        ({"security_protocol": "SSL", "ssl_cafile": __file__}, "the certificates cannot be used"),
    ],
)
def test_invalid_login_is_wrong_usage(changes: dict[str, str], message: str) -> None:
    """It is reported before any connection is made."""
    with pytest.raises(UsageError, match=message):
        connection_options(access(**changes))


@pytest.mark.parametrize("host", ["\u202ex", "x" * 64, "a..b", "\u00ad"])
def test_invalid_host_is_wrong_usage(host: str) -> None:
    """The error shows a name that no resolver can look up."""
    with pytest.raises(UsageError, match="is not the address of a broker"):
        connection_options(Settings(bootstrap_servers=f"{host}:9092"))


def test_tls_verifies_the_broker(tmp_path: Path) -> None:
    """The broker's certificate and name are verified, and no setting turns that off."""
    authority = Authority(tmp_path)

    context = connection_options(access(security_protocol="SSL", ssl_cafile=str(authority.path)))[
        "ssl_context"
    ]

    assert (ssl.CERT_REQUIRED, True) == (context.verify_mode, context.check_hostname)
    assert 1 == len(context.get_ca_certs())


def test_encrypted_key_needs_its_password(tmp_path: Path) -> None:
    """The client's own key is decrypted with the password of a file, and with no other."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("client", password=SECRET)
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text(SECRET)
    wrong.write_text("wrong")
    own = {
        "security_protocol": "SSL",
        "ssl_cafile": str(authority.path),
        "ssl_certfile": str(certificate),
        "ssl_keyfile": str(key),
    }

    assert connection_options(access(**own, ssl_key_password_file=str(right)))["ssl_context"]
    for password in ({"ssl_key_password_file": str(wrong)}, {}):
        with pytest.raises(UsageError, match="the certificates cannot be used"):
            connection_options(access(**own, **password))
