"""`arena broker credentials KIND -o FILE`: what one kind of process needs on another host.

Reads `<home>/secure` and where the broker listens; writes one new file, mode 0600.
"""

import base64
import os
import stat
from pathlib import Path
from typing import Annotated

import typer

from arena.broker_files import broker_files_of
from arena.broker_state import local_state
from arena.credentials import BROKER, PRINCIPAL_OF_COMMAND, PRINCIPALS, credentials_for, is_secure
from arena.errors import UsageError
from arena.run_lookup import say
from arena.settings import Settings
from operations.localbroker.outside import read_outside
from operations.localbroker.security import FILE_MODE, SASL_SSL, kept_tls

KINDS = tuple(name for name in PRINCIPALS if name != BROKER)


def credentials(
    kind: Annotated[str, typer.Argument(help=f"Kind of process: {', '.join(KINDS)}.")],
    output: Annotated[
        str, typer.Option("-o", "--output", help="The file to make; only you can read it.")
    ],
    home: Annotated[
        Path | None,
        typer.Option("--home", help="Local state of the arena. [ARENA_HOME, else .arena]"),
    ] = None,
) -> None:
    """Write the login of one kind of process for another host: address, password, authority."""
    directory = home if home is not None else Settings().home
    path = Path(output)
    write_new(path, environment_for(directory, kind))
    print(f"wrote {path}: the login of {kind}, readable by you alone")
    print(f"On the other host: set -a; . ./{path.name}; set +a; or: docker run --env-file")
    tls = kept_tls(directory)
    if tls and tls.client_auth:
        say("the brokers ask for a certificate: add KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE")
    if read_outside(broker_files_of(directory).root) is None:
        say("the broker listens on loopback only; arena broker start --listen opens it to others")


def environment_for(home: Path, kind: str) -> str:
    """The lines of an environment file for a kind of process.

    Raises:
        UsageError: There is no such kind, or no secure broker here.
    """
    if kind not in KINDS:
        meant = PRINCIPAL_OF_COMMAND.get(kind)
        hint = f"{kind!r} logs in as {meant}; " if meant else ""
        raise UsageError(
            f"{kind!r} is not a kind of process", remedy=f"{hint}take one of: {', '.join(KINDS)}"
        )
    if not is_secure(home):
        raise UsageError(
            f"the broker of {home} asks nobody for credentials",
            remedy="set KAFKA_BOOTSTRAP_SERVERS on the other host, or begin a secure one in "
            "another ARENA_HOME: arena broker start --secure --tls-self-signed --listen ADDRESS",
        )
    environ = {"KAFKA_BOOTSTRAP_SERVERS": _bootstrap(home)} | credentials_for(home, kind)
    authority = environ.pop("KAFKA_SSL_CAFILE", None)
    if authority and environ["KAFKA_SECURITY_PROTOCOL"] == SASL_SSL:
        try:
            pem = Path(authority).read_bytes()
        except OSError as error:
            raise UsageError(
                f"the authority's certificate {authority} cannot be read: {error.strerror}",
                remedy="put it back under that path",
            ) from None
        environ["KAFKA_SSL_CA"] = base64.b64encode(pem).decode()
    return "".join(f"{name}={value}\n" for name, value in environ.items())


def _bootstrap(home: Path) -> str:
    state = local_state(home)
    if state is None:
        raise UsageError(
            f"the broker of {home} was not started yet", remedy="start it: arena broker start"
        )
    outside = read_outside(broker_files_of(home).root)
    count = len(state.bootstrap.split(","))
    return outside.bootstrap(count) if outside else state.bootstrap


def write_new(path: Path, text: str) -> None:
    """Make a file that only this user can read; whole, or not at all.

    Raises:
        UsageError: It is no place for a secret, is there already, or cannot be made.
    """
    if str(path) == "-" or _is_a_stream(path):
        raise UsageError(
            f"{path}: passwords are written to files only, never to a terminal or a pipe",
            remedy="name a new file: -o agent.env",
        )
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        try:
            os.fchmod(handle, FILE_MODE)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path, follow_symlinks=False)  # fails where the name is taken
        finally:
            draft.unlink()
    except FileExistsError:
        raise UsageError(
            f"{path} is there already and was left as it is",
            remedy="remove it, or name another file",
        ) from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", remedy="name a file in a folder of yours"
        ) from None


def _is_a_stream(path: Path) -> bool:
    if {"/dev", "/proc"} & {str(parent) for parent in path.absolute().parents}:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
