"""Who may connect to a secure broker: principals, their passwords, the listeners' settings.

A secure broker speaks SASL/SCRAM-SHA-512 to its clients and knows an account for every kind of
process. Who may do what is a matter of ACLs (`arena topics acl`); without one, nobody but the
administrator may do anything. Reads and writes `<home>/secure/<principal>.env`, mode 0600: the
variables a process needs, for `arena up`, or for a shell that sources the file.

Passwords are in these files, in the broker's own `server.properties` (0600), and nowhere else:
no argument of a process, no log, no topic.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from arena.credentials import (
    ADMIN,
    BROKER,
    PRINCIPALS,
    credentials_directory,
    is_secure,
    read_credentials,
)
from arena.errors import UsageError

SASL_PLAINTEXT = "SASL_PLAINTEXT"
SASL_SSL = "SASL_SSL"
MECHANISM = "SCRAM-SHA-512"
LISTENER = "CLIENT"
EXTERNAL_LISTENER = "OUTSIDE"
"""For the processes of other hosts."""
CONTROLLER_CONFIG = "listener.name.controller"
PASSWORD_BYTES = 32


KEYSTORE_VARIABLE = "KAFKA_SSL_KEYSTORE"
"""In the brokers' own file: their certificate and key."""
CLIENT_AUTH_VARIABLE = "KAFKA_SSL_CLIENT_AUTH"
"""In the brokers' own file, where clients must show a certificate."""

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Tls:
    """What a listener with TLS needs, as PEM files.

    Attributes:
        keystore: The broker's private key and its chain, in one file; an absolute path.
        truststore: The authority that signed it; an absolute path.
        client_auth: Clients must show a certificate of that authority, too.
    """

    keystore: Path
    truststore: Path
    client_auth: bool = False


@dataclass(frozen=True, slots=True)
class Security:
    """The accounts of a secure broker.

    Attributes:
        passwords: Per principal.
        tls: Encrypts the listener; None on loopback.
    """

    passwords: Mapping[str, str] = field(repr=False)
    tls: Tls | None = None

    @property
    def protocol(self) -> str:
        """What clients set as `KAFKA_SECURITY_PROTOCOL`."""
        return SASL_SSL if self.tls else SASL_PLAINTEXT


def secure_properties(security: Security, *, external: bool = False) -> str:
    """The lines of server.properties that make a broker ask who is there, and forbid by default.

    The controllers know each other by PLAIN, which needs no stored account; the brokers use SCRAM
    like every client. With TLS every listener is encrypted, that of the controllers too. Kafka's
    documentation: "Security", 7.2 (TLS), 7.3 (SASL) and 7.5 (authorization).

    Args:
        security: The accounts, and the certificates where there are some.
        outside: There is a listener for other hosts, which asks the same as the other.
    """
    password = security.passwords[BROKER]
    module = "org.apache.kafka.common.security"
    scram = f'{module}.scram.ScramLoginModule required username="{BROKER}" password="{password}";'
    plain = (
        f'{module}.plain.PlainLoginModule required username="{BROKER}" password="{password}" '
        f'user_{BROKER}="{password}";'
    )
    named = [LISTENER, EXTERNAL_LISTENER] if external else [LISTENER]
    protocols = ",".join(f"{name}:{security.protocol}" for name in [*named, "CONTROLLER"])
    clients = [f"listener.name.{name.lower()}" for name in named]
    lines = [
        f"listener.security.protocol.map={protocols}",
        f"sasl.mechanism.inter.broker.protocol={MECHANISM}",
        "sasl.mechanism.controller.protocol=PLAIN",
        *(f"{client}.sasl.enabled.mechanisms={MECHANISM}" for client in clients),
        *(f"{client}.{MECHANISM.lower()}.sasl.jaas.config={scram}" for client in clients),
        f"{CONTROLLER_CONFIG}.sasl.enabled.mechanisms=PLAIN",
        f"{CONTROLLER_CONFIG}.plain.sasl.jaas.config={plain}",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        f"super.users=User:{ADMIN};User:{BROKER}",
        "allow.everyone.if.no.acl.found=false",
    ]
    if security.tls:
        lines += [
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={security.tls.keystore}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={security.tls.truststore}",
        ]
        asked = "required" if security.tls.client_auth else "none"
        lines += [f"{name}.ssl.client.auth={asked}" for name in [*clients, CONTROLLER_CONFIG]]
    return "\n".join(lines) + "\n"


def scram_arguments(security: Security) -> list[str]:
    """Words of the format command that create the accounts; never to be put on a command line."""
    words = []
    for name, password in sorted(security.passwords.items()):
        words += ["--add-scram", f"{MECHANISM}=[name={name},password={password}]"]
    return words


def ensure_security(home: Path, tls: Tls | None = None) -> Security:
    """The accounts of this home's broker, with new random passwords where there were none.

    A broker that was given TLS at its first start has it at every later one.

    Raises:
        UsageError: It has been made with another TLS, or with none.
    """
    directory = credentials_directory(home)
    if not is_secure(home):
        directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        # The broker's file comes last: it says that the others are whole.
        for name in sorted(PRINCIPALS, key=lambda n: n == BROKER):
            environ = {
                "KAFKA_SECURITY_PROTOCOL": SASL_SSL if tls else SASL_PLAINTEXT,
                "KAFKA_SASL_MECHANISM": MECHANISM,
                "KAFKA_SASL_USERNAME": name,
                "KAFKA_SASL_PASSWORD": secrets.token_urlsafe(PASSWORD_BYTES),
            }
            if tls:
                environ["KAFKA_SSL_CAFILE"] = str(tls.truststore)
            if tls and name == BROKER:
                environ[KEYSTORE_VARIABLE] = str(tls.keystore)
            if tls and name == BROKER and tls.client_auth:
                environ[CLIENT_AUTH_VARIABLE] = "required"
            write_private(
                directory / f"{name}.env", "".join(f"{k}={v}\n" for k, v in environ.items())
            )
    kept = _tls_from_environ(read_credentials(directory, BROKER))
    if tls and tls != kept:
        made = f"{kept.keystore if kept else 'no'} certificate"
        asks = ", and asks clients for one" if kept and kept.client_auth else ""
        raise UsageError(
            f"the broker of {home} was made with {made}{asks}",
            remedy="leave the certificate out, or choose another ARENA_HOME",
        )
    names = [path.stem for path in directory.glob("*.env")]
    passwords = {name: read_credentials(directory, name)["KAFKA_SASL_PASSWORD"] for name in names}
    return Security(passwords=passwords, tls=kept)


def saved_tls(home: Path) -> Tls | None:
    """The certificates of a secure home; None where it has none."""
    return (
        _tls_from_environ(read_credentials(credentials_directory(home), BROKER))
        if is_secure(home)
        else None
    )


def _tls_from_environ(environ: Mapping[str, str]) -> Tls | None:
    if KEYSTORE_VARIABLE not in environ:
        return None
    authority = Path(environ["KAFKA_SSL_CAFILE"])
    return Tls(Path(environ[KEYSTORE_VARIABLE]), authority, CLIENT_AUTH_VARIABLE in environ)


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, from its first byte on."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
