"""`arena broker credentials KIND -o FILE`: the login of one kind of process for another host.

Reads `<home>/secure` and the broker's addresses; writes one new file, mode 0600.
"""

import base64
import os
import stat
from pathlib import Path
from typing import Annotated

import typer

from arena.broker_files import broker_files_of
from arena.broker_state import local_state
from arena.credentials import BROKER, PRINCIPALS, credentials_for, is_secure
from arena.errors import UsageError
from arena.output import print_note
from arena.process_kinds import account_of_command
from arena.settings import Settings
from operations.localbroker.external_listener import read_listener
from operations.localbroker.security import FILE_MODE, SASL_SSL, saved_tls

KINDS = tuple(name for name in PRINCIPALS if name != BROKER)


Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the arena's local state. [ARENA_HOME, else .arena]"),
]


def credentials(
    kind: Annotated[str, typer.Argument(help=f"Kind of process: {', '.join(KINDS)}.")],
    output: Annotated[
        str, typer.Option("-o", "--output", help="File to create; only you can read it.")
    ],
    home: Home = None,
) -> None:
    """Write the login of one kind of process for another host: address, password, authority."""
    directory = home if home is not None else Settings().home
    path = Path(output)
    write_new(path, environment_for(directory, kind))
    print(f"wrote {path}: the login of {kind}; only you can read it")
    print(f"On the other host: set -a; . ./{path.name}; set +a; or: docker run --env-file")
    tls = saved_tls(directory)
    if tls and tls.client_auth:
        print_note("the brokers need a certificate: add KAFKA_SSL_CERTFILE, KAFKA_SSL_KEYFILE")
    if read_listener(broker_files_of(directory).root) is None:
        print_note("only this host can connect; arena broker start --listen allows others")


def environment_for(home: Path, kind: str) -> str:
    """Return the text of an environment file for a kind of process.

    Raises:
        UsageError: The kind does not exist, or the broker here is not secure.
    """
    if kind not in KINDS:
        principal = account_of_command(kind)
        hint = f"{kind!r} logs in as {principal}; " if principal else ""
        raise UsageError(
            f"{kind!r} is not a kind of process", remedy=f"{hint}choose from {', '.join(KINDS)}"
        )
    if not is_secure(home):
        raise UsageError(
            f"the broker of {home} needs no credentials",
            remedy="set KAFKA_BOOTSTRAP_SERVERS on the other host, or start a secure broker in "
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
                remedy="restore the file",
            ) from None
        environ["KAFKA_SSL_CA"] = base64.b64encode(pem).decode()
    return "".join(f"{name}={value}\n" for name, value in environ.items())


def _bootstrap(home: Path) -> str:
    state = local_state(home)
    if state is None:
        raise UsageError(
            f"the broker of {home} was never started", remedy="start it: arena broker start"
        )
    outside = read_listener(broker_files_of(home).root)
    count = len(state.bootstrap.split(","))
    return outside.bootstrap(count) if outside else state.bootstrap


def write_new(path: Path, text: str) -> None:
    """Create a file that only this user can read, completely or not at all.

    Raises:
        UsageError: The path is not a regular file, exists already, or cannot be written.
    """
    if str(path) == "-" or _is_stream(path):
        raise UsageError(
            f"{path} is not a file; passwords are never written to a terminal or a pipe",
            remedy="give a new file: -o agent.env",
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
            os.link(draft, path, follow_symlinks=False)  # fails if the name is taken
        finally:
            draft.unlink()
    except FileExistsError:
        raise UsageError(
            f"{path} exists already and was not changed",
            remedy="remove it, or choose another file",
        ) from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}",
            remedy="choose a folder that you can write to",
        ) from None


def _is_stream(path: Path) -> bool:
    if {"/dev", "/proc"} & {str(parent) for parent in path.absolute().parents}:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
