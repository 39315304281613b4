"""The options of `arena web`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arena.addresses import HOST_NAME, is_loopback
from arena.errors import UsageError
from dashboard.model.arena_reader import RunIdentity

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Options of `arena web`.

    Attributes:
        host: Address to listen on.
        port: Port; 0 for a free one.
        title: Title of the page.
        run: The run that is read.
        tls_cert, tls_key: PEM files; None for plain HTTP.
        public: Reads need no token, and there are no writes.
        hide_prompts: Prompts, conversations and reasoning are left out of every answer.
        token_file: File of the token; None for no writes.
        allowed_hosts: Further names that the Host header may have.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    title: str = "arena"
    run: RunIdentity = field(default_factory=RunIdentity)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    public: bool = False
    hide_prompts: bool = False
    token_file: Path | None = None
    allowed_hosts: tuple[str, ...] = ()

    @property
    def scheme(self) -> str:
        """The scheme of the address: https with a certificate, else http."""
        return "https" if self.tls_cert is not None else "http"


def check_exposure(host: str, *, tls: bool, insecure: bool) -> None:
    """Check that a page beyond this machine is encrypted, or was asked for without.

    Args:
        host: Address to listen on.
        tls: True with a certificate.
        insecure: True with --insecure.

    Raises:
        UsageError: It is neither.
    """
    if not (is_loopback(host) or tls or insecure):
        raise UsageError(
            f"--host {host} can be reached from other machines, and without TLS anyone on the way"
            " can read the token",
            remedy="add --tls-cert and --tls-key, or --insecure if something in front of it"
            " encrypts",
        )


def check_names(names: Sequence[str]) -> None:
    """Check that a Host header can have these names.

    Args:
        names: Values of --allow-host.

    Raises:
        UsageError: One is not a name; with a scheme or port it would never fit.
    """
    for name in names:
        if not re.fullmatch(HOST_NAME, name):
            raise UsageError(
                f"--allow-host {name} is not a host name",
                remedy="give it without scheme and port, such as agents.example.org",
            )
