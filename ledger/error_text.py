"""Translates errors of the database: cause, remedy, and whether waiting helps. Pure."""

import re
from dataclasses import dataclass

from arena.visible_text import one_line

DRIVER_TEXT_CHARS_MAX = 300
_LEAD = re.compile(
    r"^(connection failed: )?(connection to server .*? failed: )?((FATAL|ERROR): +)?", re.DOTALL
)
_URL = "DATABASE_URL (or --database)"
_LOGIN = f"check the user of {_URL}, and its password: PGPASSWORD, or a line in ~/.pgpass"


@dataclass(frozen=True, slots=True)
class DatabaseErrorText:
    """The meaning of a database error.

    Attributes:
        cause: What is wrong; "{text}" is replaced by the text of the database.
        remedy: What to do.
        is_usage: True if the address or the login is wrong: waiting does not help.
    """

    cause: str
    remedy: str
    is_usage: bool = False


_KINDS: tuple[tuple[str, DatabaseErrorText], ...] = (
    (
        r"password authentication failed|no password supplied|pg_hba|authentication failed",
        DatabaseErrorText("the server refuses this login", _LOGIN, True),
    ),
    (
        r'role "[^"]*" (does not exist|is not permitted)',
        DatabaseErrorText("the server refuses this user: {text}", _LOGIN, True),
    ),
    (
        r'database "[^"]*" does not exist',
        DatabaseErrorText(
            "the database for them is missing: {text}", "create it: createdb NAME", True
        ),
    ),
    (
        r"invalid (connection option|URI|port|integer|value)|invalid .* option",
        DatabaseErrorText("its address cannot be used: {text}", f"correct {_URL}", True),
    ),
    (
        r"refused|No route|unreachable",
        DatabaseErrorText("no server listens there", f"start it, or correct {_URL}"),
    ),
    (
        r"translate host name|resolve host|Name or service|nodename",
        DatabaseErrorText("the host name is not known", f"correct {_URL}, or check the network"),
    ),
    (
        r"timeout expired|timed out",
        DatabaseErrorText(
            "the server does not answer", "check whether it runs, is frozen or overloaded"
        ),
    ),
    (
        r"received invalid response|expected authentication|SSL negotiation|protocol|"
        r"lost synchronization",
        DatabaseErrorText("the server there is not PostgreSQL", f"correct the port in {_URL}"),
    ),
    (
        r"closed the connection|connection .*(lost|closed)|terminating connection|shutting down|"
        r"starting up",
        DatabaseErrorText("the server ended the connection", "see the server's log, and try again"),
    ),
    (
        r"no such table|relation .* does not exist",
        DatabaseErrorText("it holds no books yet", "`arena ledger run` creates them"),
    ),
    (
        r"permission denied|must be owner",
        DatabaseErrorText(
            "{text}", "grant this user what the ledger needs, or log in as the owner"
        ),
    ),
    (
        r"lock timeout|statement timeout|deadlock|locked",
        DatabaseErrorText("another process has locked it", "end that process, or try again"),
    ),
    (
        r"readonly|read-only",
        DatabaseErrorText(
            "this process may not write to it", "make the file and its folder writable"
        ),
    ),
    (
        r"unable to open",
        DatabaseErrorText("the file cannot be opened", "make the file and its folder accessible"),
    ),
    (r"full|No space", DatabaseErrorText("its disk is full", "make room on that disk")),
    (
        r"not a database|malformed|disk image",
        DatabaseErrorText(
            "the file is damaged, or is not a database",
            "move it away; `arena ledger rebuild` builds the books from the topics",
        ),
    ),
    (
        r"too many (clients|connections)|connection slots",
        DatabaseErrorText(
            "the server has no free connection", "close a client, or raise its limit"
        ),
    ),
    (r"I/O error", DatabaseErrorText("its disk fails", "check the disk and the file")),
)


def describe_database_error(text: str) -> DatabaseErrorText:
    """Return cause and remedy of an error.

    Args:
        text: The message of the driver.
    """
    line = one_line(_LEAD.sub("", text.strip().partition("\n")[0]), DRIVER_TEXT_CHARS_MAX)
    for pattern, found in _KINDS:
        if re.search(pattern, line or text):
            cause = found.cause.replace("{text}", line)
            return DatabaseErrorText(cause, found.remedy, found.is_usage)
    return DatabaseErrorText(line or "no reason given", "see the log of the database")
