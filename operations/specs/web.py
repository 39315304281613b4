"""The table [web] of an ARENA.toml, and the command of the process that it starts. Pure."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from arena.addresses import HOST_NAME, is_loopback
from operations.specs.errors import SpecFault
from operations.specs.tables import SpecTable

HOST = "127.0.0.1"
PORT = 8080
HOSTS_MAX = 20
HostName = Annotated[str, Field(pattern=HOST_NAME)]


class WebTable(SpecTable):
    """The page; `enabled = false` does not start it.

    Attributes:
        enabled: Start it.
        host: Address to listen on.
        port: Port; the next free one if it is taken.
        tls_cert: Certificate, a PEM file relative to the ARENA.toml.
        tls_key: Its private key.
        insecure: Allow `host` beyond this machine without TLS.
        public: Let anyone read without the token; nothing is written.
        hide_prompts: Leave out prompts, conversations and reasoning.
        allow_hosts: Further names of the server, without a scheme or port.
    """

    enabled: bool = True
    host: str = Field(default=HOST, min_length=1, max_length=255)
    port: int = Field(default=PORT, ge=1, le=65_535)
    tls_cert: str = ""
    tls_key: str = ""
    insecure: bool = False
    public: bool = False
    hide_prompts: bool = False
    allow_hosts: tuple[HostName, ...] = Field(default=(), max_length=HOSTS_MAX)

    @model_validator(mode="after")
    def _encrypted_beyond_this_machine(self) -> Self:
        if bool(self.tls_cert) != bool(self.tls_key):
            missing = "tls_key" if self.tls_cert else "tls_cert"
            raise SpecFault((missing,), "tls_cert and tls_key belong together")
        if not (is_loopback(self.host) or self.tls_cert or self.insecure):
            raise SpecFault(
                ("host",),
                f"{self.host} can be reached from other machines: add tls_cert and tls_key, or"
                " insecure = true if something in front of it encrypts",
            )
        return self

    @property
    def scheme(self) -> str:
        """The scheme of its address."""
        return "https" if self.tls_cert else "http"


def web_command(table: WebTable, directory: Path, title: str, port: int) -> list[str]:
    """The command of the process.

    Args:
        table: The table.
        directory: The folder to which paths are relative.
        title: Title of the page.
        port: The port that was chosen.
    """
    words = ["web", "--port", str(port), "--title", title]
    if table.host != HOST:
        words += ["--host", table.host]
    if table.tls_cert:
        words += ["--tls-cert", str(directory / table.tls_cert)]
        words += ["--tls-key", str(directory / table.tls_key)]
    flags = {
        "--insecure": table.insecure,
        "--public": table.public,
        "--hide-prompts": table.hide_prompts,
    }
    words += [flag for flag, given in flags.items() if given]
    return words + [word for name in table.allow_hosts for word in ("--allow-host", name)]
