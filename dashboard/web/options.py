"""The options of `arena web`."""

from dataclasses import dataclass, field
from pathlib import Path

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
        token_file: File of the token; None for the one in the home.
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
