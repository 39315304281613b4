"""What a database's errors mean for the books: cause, remedy, and whether to wait. Pure."""

import re
from dataclasses import dataclass

from arena.visible import one_line

SAID_CHARS_MAX = 300
_LEAD = re.compile(
    r"^(connection failed: )?(connection to server .*? failed: )?((FATAL|ERROR): +)?", re.DOTALL
)
_URL = "DATABASE_URL (or --database)"
_LOGIN = f"check the user of {_URL}, and its password: PGPASSWORD, or a line in ~/.pgpass"


@dataclass(frozen=True, slots=True)
class DatabaseErrorText:
    """What an error means.

    Attributes:
        cause: What is wrong; "{said}" is replaced by the database's own words.
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
        DatabaseErrorText("the server refuses this user: {said}", _LOGIN, True),
    ),
    (
        r'database "[^"]*" does not exist',
        DatabaseErrorText(
            "there is nothing to keep them in: {said}", "create it: createdb NAME", True
        ),
    ),
    (
        r"invalid (connection option|URI|port|integer|value)|invalid .* option",
        DatabaseErrorText("its address cannot be used: {said}", f"correct {_URL}", True),
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
            "the server does not answer", "does it run, or is it frozen or overloaded?"
        ),
    ),
    (
        r"received invalid response|expected authentication|SSL negotiation|protocol|"
        r"lost synchronization",
        DatabaseErrorText("what listens there is not a PostgreSQL", f"correct the port in {_URL}"),
    ),
    (
        r"closed the connection|connection .*(lost|closed)|terminating connection|shutting down|"
        r"starting up",
        DatabaseErrorText("the server ended the connection", "see the server's log, and try again"),
    ),
    (
        r"no such table|relation .* does not exist",
        DatabaseErrorText("there are no books in it yet", "`arena ledger run` keeps them"),
    ),
    (
        r"permission denied|must be owner",
        DatabaseErrorText(
            "{said}", "grant this user what the ledger needs, or log in as the owner"
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
            "move it away; `arena ledger rebuild` makes the books again from the topics",
        ),
    ),
    (
        r"too many (clients|connections)|connection slots",
        DatabaseErrorText("the server has no free connection", "end a client, or raise its limit"),
    ),
    (r"I/O error", DatabaseErrorText("its disk fails", "check the disk and the file")),
)


def describe_database_error(said: str) -> DatabaseErrorText:
    """Cause and remedy of an error.

    Args:
        said: The driver's words.
    """
    line = one_line(_LEAD.sub("", said.strip().partition("\n")[0]), SAID_CHARS_MAX)
    for pattern, found in _KINDS:
        if re.search(pattern, line or said):
            cause = found.cause.replace("{said}", line)
            return DatabaseErrorText(cause, found.remedy, found.is_usage)
    return DatabaseErrorText(line or "without a reason", "see the log of the database")
