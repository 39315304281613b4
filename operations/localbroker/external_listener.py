"""The listener for other hosts: its address, its advertised name, and what it requires.

A broker always listens on loopback for the processes of its own host. The external listener,
`arena broker start --listen ADDRESS --advertise NAME[:PORT]`, is for all other hosts. Reads and
writes `<home>/kafka/outside.json`, so that later starts need no flags.
"""

import errno
import ipaddress
import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from arena.addresses import is_loopback, is_wildcard
from arena.atomic_files import write_atomic
from arena.broker_state import Ports
from arena.errors import UsageError
from operations.localbroker.errors import PortTaken

LISTENER_FILE_NAME = "outside.json"
EXTERNAL_PORT = 19_092
PORT_MAX = 65_535
NAME_CHARS_MAX = 253
SHOW_ADDRESSES = "`ip -brief address` shows this machine's addresses"


@dataclass(frozen=True, slots=True)
class ExternalListener:
    """The listener for other hosts.

    Attributes:
        listen: An address of this machine, or a wildcard.
        advertise: The name or address by which other hosts reach it.
        port: The port of the first broker; each further broker of a cluster has the next one.
        insecure: True if the user trusts the network.
    """

    listen: str
    advertise: str
    port: int = EXTERNAL_PORT
    insecure: bool = False

    @property
    def beyond_loopback(self) -> bool:
        """True if other machines can connect."""
        return not is_loopback(self.listen)

    def listener(self, node_id: int) -> str:
        """Return the "address:port" on which a broker listens; ids start at 1."""
        return f"{bracketed(self.listen)}:{self.port + node_id - 1}"

    def advertised(self, node_id: int) -> str:
        """Return the "name:port" that clients on other hosts use."""
        return f"{bracketed(self.advertise)}:{self.port + node_id - 1}"

    def bootstrap(self, count: int) -> str:
        """Return the addresses of `count` brokers for clients on other hosts."""
        return ",".join(self.advertised(n) for n in range(1, count + 1))


def listener_from_flags(
    listen: str | None, advertise: str | None, *, insecure: bool
) -> ExternalListener | None:
    """Return the listener that the flags describe; None if they describe none.

    Raises:
        UsageError: The flags do not fit together, or one is not an address or a name.
    """
    if listen is None:
        if advertise is not None:
            raise UsageError(
                f"--advertise {advertise} needs an address to listen on",
                remedy=f"add --listen ADDRESS; {SHOW_ADDRESSES}",
            )
        return None
    try:
        ipaddress.ip_address(listen.strip("[]"))
    except ValueError:
        raise UsageError(
            f"--listen {listen!r} is not an IP address",
            remedy=f"give an address to --listen and a name to --advertise; {SHOW_ADDRESSES}",
        ) from None
    address = listen.strip("[]")
    if advertise is None:
        if is_wildcard(address):
            raise UsageError(
                f"--listen {address} means every address, and other hosts need one to connect to",
                remedy="add --advertise NAME, the name by which they reach this machine",
            )
        if "%" in address:
            raise UsageError(
                f"--listen {address} is valid on this machine only: the part after the % has "
                "another meaning on every host",
                remedy="add --advertise NAME, the name by which other hosts reach this machine",
            )
        advertise = address
    name, port = _name_and_port(advertise)
    if is_wildcard(name):
        raise UsageError(
            f"--advertise {name}: a wildcard is not an address that a client can connect to",
            remedy="give the name by which other hosts reach this machine",
        )
    _require_resolves(name)
    return ExternalListener(address, name, port, insecure)


def _name_and_port(text: str) -> tuple[str, int]:
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") if rest.startswith(":") else rest
    elif text.count(":") > 1:  # an IPv6 address without a port
        name, port = text, ""
    else:
        name, colon, port = text.partition(":")
        port = port or ("none" if colon else "")
    if not name or len(name) > NAME_CHARS_MAX or not all(_is_name_char(char) for char in name):
        raise UsageError(
            f"--advertise {text!r} is neither a host name nor an address",
            remedy="write NAME or NAME:PORT, an IPv6 address with a port as [ADDRESS]:PORT",
        )
    if not port:
        return name, EXTERNAL_PORT
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= PORT_MAX):
        raise UsageError(
            f"--advertise {text!r}: {port!r} is not a port",
            remedy=f"give a number from 1 to {PORT_MAX}, or leave it out for {EXTERNAL_PORT}",
        )
    return name, int(port)


def _is_name_char(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char in ".-_:")


def _require_resolves(name: str) -> None:
    try:
        socket.getaddrinfo(name, None)
    except (OSError, UnicodeError):
        raise UsageError(
            f"--advertise {name}: this machine cannot resolve that name",
            remedy="add it to /etc/hosts here and on the other hosts, or give an address",
        ) from None


def require_protected(external: ExternalListener, *, secure: bool, tls: bool) -> None:
    """Refuse a listener that other machines can reach without TLS, unless the network is trusted.

    Raises:
        UsageError: It is not on loopback, has no TLS, and the network is not trusted.
    """
    if external.beyond_loopback and not external.insecure and not tls:
        risk = "without TLS passwords are readable" if secure else "it asks for no login"
        raise UsageError(
            f"other machines can reach a listener on {external.listen}, and {risk}",
            remedy="add --secure --tls-self-signed (the certificate is created), or --secure "
            "--tls-keystore FILE --tls-ca FILE; --insecure on a network that you trust",
        )


def require_local_address(address: str) -> None:
    """Require an address that an interface of this machine has.

    Raises:
        UsageError: No interface has it.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as attempt:
            attempt.bind((address, 0))
    except OSError:
        raise _not_local(address) from None


def _not_local(address: str) -> UsageError:
    return UsageError(f"{address} is not an address of this machine", remedy=SHOW_ADDRESSES)


def require_free_port(external: ExternalListener, node_id: int, ports: Ports) -> None:
    """Require an address and a port that the broker can bind.

    Raises:
        UsageError: This machine does not have the address, or the port is used twice.
        PortTaken: Another process has the port.
    """
    port = external.port + node_id - 1
    if port > PORT_MAX or port in (ports.client, ports.controller):
        why = f"is above {PORT_MAX}" if port > PORT_MAX else "is also the port on loopback"
        raise UsageError(
            f"port {port} of the listener for other hosts {why}",
            remedy="give another one: --advertise NAME:PORT",
        )
    family = socket.AF_INET6 if ":" in external.listen else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind((external.listen, port))
            attempt.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"port {port} on {external.listen} is taken by another process",
                remedy="give another one: --advertise NAME:PORT",
            ) from None
        if error.errno == errno.EACCES:
            raise UsageError(
                f"port {port} on {external.listen} is reserved for the administrator",
                remedy="give one above 1023: --advertise NAME:PORT",
            ) from None
        raise _not_local(external.listen) from None


def choose_listener(
    folder: Path, wanted: ExternalListener | None, *, running: bool
) -> ExternalListener | None:
    """Return the external listener of a broker: that of the flags, or that of its last start.

    Args:
        folder: The folder of the home's brokers.
        wanted: The listener of the flags; None for the saved one.
        running: True if the broker runs now, so that its listeners cannot change.

    Raises:
        UsageError: It runs with another listener than the flags ask for, or the file is damaged.
    """
    saved = read_listener(folder)
    if wanted is None or wanted == saved:
        return saved
    if running:
        now = f"listens on {saved.listener(1)} as {saved.advertised(1)}" if saved else "does not"
        raise UsageError(
            f"the broker of {folder} is running and {now} for other hosts; the flags ask for "
            f"{wanted.listener(1)} as {wanted.advertised(1)}",
            remedy="arena broker stop, then start it with the new flags",
        )
    return wanted


def read_listener(folder: Path) -> ExternalListener | None:
    """Return the listener that was saved in a folder; None if none was saved.

    Raises:
        UsageError: The file exists and is not valid.
        OSError: It cannot be read; the error names it.
    """
    path = folder / LISTENER_FILE_NAME
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        found = ExternalListener(**raw)
        ipaddress.ip_address(found.listen.strip())
        _name_and_port(f"[{found.advertise}]:{found.port}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError, AttributeError, UsageError):
        raise UsageError(
            f"{path} does not have the address of the external listener",
            remedy="remove it, and give --listen and --advertise at the next start",
        ) from None
    return found


def write_listener(folder: Path, external: ExternalListener) -> None:
    """Save a listener, by one rename."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / LISTENER_FILE_NAME, json.dumps(asdict(external), indent=2) + "\n")


def bracketed(address: str) -> str:
    """Return an address in the form used before a port: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address
