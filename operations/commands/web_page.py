"""The page of a supervised run: its flags, its port, and the line that names its address."""

import fcntl
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from arena.addresses import url_host
from arena.errors import DependencyMissing
from operations.localbroker.ports import can_bind
from operations.specs.web import WebTable

PORTS_TRIED = 50
"""Ports that are tried from the wanted one on."""

WebFlag = Annotated[
    bool | None,
    typer.Option(
        "--web/--no-web",
        help="Serve the page, for browsers and programs. [on, or the file's]",
        show_default=False,
    ),
]
WebPort = Annotated[
    int | None,
    typer.Option(
        "--web-port",
        help="Port of the page. [8080, or the next free one]",
        min=1,
        max=65_535,
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class WebPage:
    """The page of a run.

    Attributes:
        table: Its settings.
        port: The port that was chosen for it.
        wanted: The port that was wanted.
    """

    table: WebTable
    port: int
    wanted: int

    @property
    def address(self) -> str:
        """Its address, for a browser on this machine."""
        return f"{self.table.scheme}://{url_host(self.table.host)}:{self.port}/"

    @property
    def line(self) -> str:
        """The line that names it."""
        taken = f" (port {self.wanted} is taken)" if self.port != self.wanted else ""
        return f"Page: {self.address}{taken}"


def planned_page(table: WebTable, flag: bool | None, port: int | None) -> WebPage | None:
    """The page of a run that is not started: no port is looked at.

    Args:
        table: The table [web].
        flag: Value of --web or --no-web; None for the table's.
        port: Value of --web-port; None for the table's.
    """
    if not (table.enabled if flag is None else flag):
        return None
    return WebPage(table, port or table.port, port or table.port)


def choose_page(table: WebTable, flag: bool | None, port: int | None) -> WebPage | None:
    """The page of a run with a port that no other run has chosen; None without one.

    Args:
        table: The table [web].
        flag: Value of --web or --no-web; None for the table's.
        port: Value of --web-port; None for the table's, or the next free one.

    Raises:
        DependencyMissing: The port of --web-port is taken, or no port is free.
    """
    page = planned_page(table, flag, port)
    if page is None:
        return None
    wanted = page.wanted
    if port is not None and not _claim(port, table.host):
        raise DependencyMissing(
            f"port {port} of {table.host} is taken by another process",
            remedy="give another --web-port, or leave it out for the next free one",
        )
    tried = range(wanted, min(wanted + PORTS_TRIED, 65_536))
    found = port or next((one for one in tried if _claim(one, table.host)), None)
    if found is None:
        raise DependencyMissing(
            f"the ports {tried[0]} to {tried[-1]} of {table.host} are taken",
            remedy="give a free --web-port, or --no-web",
        )
    return WebPage(table, found, wanted)


def _claim(port: int, host: str) -> bool:
    """Claim a free port until this process ends, so that runs that start together differ.

    The page binds it only when it starts, and again after a restart.
    """
    if not can_bind(port, host):
        return False
    folder = Path(tempfile.gettempdir()) / f"arena-ports-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return True  # without claims two runs may collide, and the later page waits for its port
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return False
    return True
