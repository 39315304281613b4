"""Accounts of a secure broker: principals, passwords, and the settings of the listeners.

Clients of a secure broker log in with SASL/SCRAM-SHA-512; every kind of process has an account.
ACLs say what each may do (`arena topics acl`); without them only the administrator may do anything.
Reads and writes `<home>/secure/<principal>.env`, mode 0600: the variables of a process, for
`arena up`, or for a shell that sources the file.

Passwords are in these files and in the broker's `server.properties` (0600) only: not in command
lines, logs or topics.
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
"""The listener for processes of other hosts."""
CONTROLLER_CONFIG = "listener.name.controller"
PASSWORD_BYTES = 32


KEYSTORE_VARIABLE = "KAFKA_SSL_KEYSTORE"
"""In the brokers' own file: their certificate and key."""
CLIENT_AUTH_VARIABLE = "KAFKA_SSL_CLIENT_AUTH"
"""In the brokers' own file, if clients must show a certificate."""

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Tls:
    """The PEM files of a listener with TLS.

    Attributes:
        keystore: The broker's private key and its certificate chain, in one file; absolute path.
        truststore: The authority that signed it; absolute path.
        client_auth: True if clients must show a certificate of that authority, too.
    """

    keystore: Path
    truststore: Path
    client_auth: bool = False


@dataclass(frozen=True, slots=True)
class Security:
    """The accounts of a secure broker.

    Attributes:
        passwords: Principal -> password.
        tls: Certificates of the listeners; None without TLS.
    """

    passwords: Mapping[str, str] = field(repr=False)
    tls: Tls | None = None

    @property
    def protocol(self) -> str:
        """The value of `KAFKA_SECURITY_PROTOCOL` for clients."""
        return SASL_SSL if self.tls else SASL_PLAINTEXT


def secure_properties(security: Security, *, external: bool = False) -> str:
    """Return the lines of server.properties that require a login and deny by default.

    The controllers log in to each other with PLAIN, which needs no stored account; the brokers use
    SCRAM like every client. With TLS every listener is encrypted, also the controllers'. Kafka's
    documentation: "Security", 7.2 (TLS), 7.3 (SASL) and 7.5 (authorization).

    Args:
        security: The accounts, and the certificates if there are any.
        external: True if there is a listener for other hosts; it has the same requirements.
    """
    password = security.passwords[BROKER]
    module = "org.apache.kafka.common.security"
    scram = f'{module}.scram.ScramLoginModule required username="{BROKER}" password="{password}";'
    plain = (
        f'{module}.plain.PlainLoginModule required username="{BROKER}" password="{password}" '
        f'user_{BROKER}="{password}";'
    )
    listeners = [LISTENER, EXTERNAL_LISTENER] if external else [LISTENER]
    protocols = ",".join(f"{name}:{security.protocol}" for name in [*listeners, "CONTROLLER"])
    clients = [f"listener.name.{name.lower()}" for name in listeners]
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
        client_auth = "required" if security.tls.client_auth else "none"
        lines += [f"{name}.ssl.client.auth={client_auth}" for name in [*clients, CONTROLLER_CONFIG]]
    return "\n".join(lines) + "\n"


def scram_arguments(security: Security) -> list[str]:
    """Return the arguments of the format command that create the accounts; they have passwords."""
    arguments = []
    for name, password in sorted(security.passwords.items()):
        arguments += ["--add-scram", f"{MECHANISM}=[name={name},password={password}]"]
    return arguments


def ensure_security(home: Path, tls: Tls | None = None) -> Security:
    """Return the accounts of a home's broker; create them with random passwords if missing.

    A broker that had TLS at its first start has it at every later one.

    Raises:
        UsageError: It was created with other certificates, or with none.
    """
    directory = credentials_directory(home)
    if not is_secure(home):
        directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        # The broker's file is written last: it shows that the others are complete.
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
    saved = _tls_from_environ(read_credentials(directory, BROKER))
    if tls and tls != saved:
        certificate = f"{saved.keystore if saved else 'no'} certificate"
        asks = ", and asks clients for one" if saved and saved.client_auth else ""
        raise UsageError(
            f"the broker of {home} was created with {certificate}{asks}",
            remedy="leave the certificate out, or choose another ARENA_HOME",
        )
    names = [path.stem for path in directory.glob("*.env")]
    passwords = {name: read_credentials(directory, name)["KAFKA_SASL_PASSWORD"] for name in names}
    return Security(passwords=passwords, tls=saved)


def saved_tls(home: Path) -> Tls | None:
    """Return the certificates of a secure home; None if it has none."""
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
    """Write a file that only this user can read, also while it is written."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
