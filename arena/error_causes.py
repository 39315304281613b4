"""Converts errors of the system and of libraries to arena errors with cause and remedy. Pure.

`explain_error` recognizes errors by their system error number or by the package of their class, and
imports none of these packages. An error that it does not recognize is a bug in the arena.
"""

import errno
import re
from collections.abc import Iterable, Mapping

from arena.errors import AppendFailed, ArenaError, DependencyMissing, NotInstalled, UsageError
from arena.kafka_errors import explain_kafka_error
from arena.visible_text import one_line

MESSAGE_CHARS_MAX = 600
_SYMLINK_LOOP = re.compile(r"Symlink loop from '(.*)'", re.DOTALL)
"""pathlib's message for a loop of links."""
_UNMAPPED = re.compile(r"failed to map segment|[Cc]annot allocate memory")
"""The dynamic loader's messages if there is too little memory for a library."""
FORBIDDEN_REMEDY = "make it accessible to this user, or name another path"
CAUSES_MAX = 8
"""Number of nested errors that are examined."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_PATHS = {
    errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EEXIST,
    errno.ENOTEMPTY, errno.ENXIO, errno.EINVAL, errno.ESPIPE,
}  # fmt: skip
_TOO_MANY = {errno.EMFILE, errno.ENFILE}
_TOO_LITTLE = {errno.ENOMEM, errno.EAGAIN}
_NETWORK = {
    errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT,
    errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.ENOTCONN,
}  # fmt: skip
_DATABASES = {"sqlite3", "sqlalchemy", "psycopg", "alembic"}
_PARQUET = {"pyarrow"}


def explain_error(error: BaseException) -> ArenaError | None:
    """Convert an error to an arena error, or return None for an unexpected one.

    Args:
        error: Any error; an `ArenaError` is returned unchanged. For an exception group, the first
            error that can be explained counts.
    """
    if isinstance(error, ArenaError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(explain_error, error.exceptions[:CAUSES_MAX])), None)
    for package in _packages(error):
        if package in _DATABASES:
            return _database(error)
        if package == "aiokafka":
            return _kafka(error)
        if package in _PARQUET:
            return UsageError(_words(error), remedy="the file is damaged, or not a Parquet file")
        if package.startswith("pydantic") and (found := _settings(error)) is not None:
            return found
    if isinstance(error, OSError):
        return _system(error)
    if isinstance(error, UnicodeError):
        return _not_text(error)
    if isinstance(error, RuntimeError) and (loop := _SYMLINK_LOOP.search(safe_str(error))):
        name = one_line(loop[1], MESSAGE_CHARS_MAX)
        return UsageError(f"{name} is a link to itself", remedy="name the file itself")
    if isinstance(error, MemoryError):
        return _memory("")
    if isinstance(error, ImportError) and _UNMAPPED.search(safe_str(error)):
        return _memory("")
    if isinstance(error, ModuleNotFoundError) and not _is_ours(error.name):
        return NotInstalled(
            f"the Python package {error.name} is not installed",
            remedy="install what requirements.txt lists: scripts/setup",
        )
    return None


def error_message(error: BaseException) -> str:
    """The cause of an error without class and remedy, to include in another message."""
    found = explain_error(error)
    if found is not None:
        return one_line(str(found.args[0]) if found.args else "", MESSAGE_CHARS_MAX)
    return f"{type(error).__name__}: {_words(error)}"


def append_failed(lead: str, error: BaseException) -> AppendFailed:
    """The error that ends a process whose append failed.

    Args:
        lead: Start of the message: "an append failed".
        error: The cause.
    """
    found = explain_error(error)
    remedy = found.remedy if found is not None else ""
    return AppendFailed(f"{lead}: {error_message(error)}", remedy=remedy)


def safe_str(error: BaseException) -> str:
    """`str(error)`, even if the error's `__str__` fails."""
    try:
        return str(error)
    except Exception as failure:  # a bug in a library's __str__ must not hide the error
        return f"without a text ({type(failure).__name__})"


def settings_text(found: Iterable[Mapping[str, object]], prefix: str) -> str:
    """Describe invalid environment variables by name, without their values.

    Args:
        found: Validation errors in pydantic's form.
        prefix: Prefix of the variables, such as "ARENA_".
    """
    parts = []
    for one in list(found)[:CAUSES_MAX]:
        location = one.get("loc")
        field = str(location[0]) if isinstance(location, tuple) and location else ""
        variable = field if field.isupper() else f"{prefix}{field.upper()}"
        wanted = str(one.get("msg", "cannot be used")).removeprefix("Value error, ")
        parts.append(f"{variable} cannot be used: {wanted[:1].lower()}{wanted[1:]}")
    return one_line("; ".join(parts), MESSAGE_CHARS_MAX)


def _packages(error: BaseException) -> set[str]:
    """The packages of an error's class and its base classes."""
    return {kind.__module__.partition(".")[0].lower() for kind in type(error).__mro__}


def _words(error: BaseException) -> str:
    message = one_line(
        safe_str(error).partition("\n(Background on this error")[0], MESSAGE_CHARS_MAX
    )
    return message or type(error).__name__


def _is_ours(module: str | None) -> bool:
    return (module or "arena").partition(".")[0] in {
        "arena", "chat_nodes", "connectors", "dashboard", "judge", "ledger", "routers",
        "trading_tools",
    }  # fmt: skip


def _system(error: OSError) -> ArenaError:
    number = error.errno
    message = one_line(error.strerror or str(error) or type(error).__name__, MESSAGE_CHARS_MAX)
    where = f"{one_line(str(error.filename), MESSAGE_CHARS_MAX)}: " if error.filename else ""
    text = f"{where}{message[:1].lower()}{message[1:]}"
    kind = type(error).__name__
    if number in _FULL:
        cut = "" if where else ": the output is incomplete"
        return DependencyMissing(f"{text}{cut}", remedy="free space on that disk")
    if number in _TOO_MANY:
        return DependencyMissing(
            f"{text}: this process cannot open more", remedy="raise the limit: ulimit -n 4096"
        )
    if number in _TOO_LITTLE:
        return _memory(where)
    if number == errno.EADDRINUSE:
        return DependencyMissing(text, remedy="another process uses that port: choose another one")
    if number in _FORBIDDEN:
        return UsageError(text, remedy=FORBIDDEN_REMEDY)
    if kind in ("gaierror", "herror"):
        return DependencyMissing(
            f"a host name is unknown: {message}", remedy="check the address and the network"
        )
    if kind.startswith("SSL") or "certificate" in message.lower():
        return DependencyMissing(
            f"TLS failed: {message}",
            remedy="check KAFKA_SSL_CAFILE and the address: both sides must use TLS",
        )
    if number in _NETWORK or isinstance(error, ConnectionError):
        return DependencyMissing(
            f"the network failed: {text}", remedy="check that the server runs: arena status"
        )
    if isinstance(error, TimeoutError):
        return DependencyMissing(
            f"a server did not answer in time: {text}", remedy="try again, and check arena status"
        )
    if number in _PATHS:
        return UsageError(text, remedy="check the path")
    return DependencyMissing(text, remedy="the system refused it: check the disk and the machine")


def _memory(where: str) -> ArenaError:
    return DependencyMissing(
        f"{where}this machine has too little free memory",
        remedy="stop other programs, or add memory",
    )


def _not_text(error: UnicodeError) -> ArenaError | None:
    if isinstance(error, UnicodeDecodeError):
        what = f"the text is not {error.encoding.upper()}: {error.reason} at byte {error.start:,}"
        return UsageError(what, remedy="save the file as UTF-8")
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        return UsageError(
            "a path, an argument or a variable is not UTF-8",
            remedy="write it in UTF-8",
        )
    if not isinstance(error, UnicodeEncodeError) and "label" in (message := safe_str(error)):
        return UsageError(
            f"a host name cannot be looked up: {one_line(message, MESSAGE_CHARS_MAX)}",
            remedy="check the address",
        )
    return None


def _database(error: BaseException) -> ArenaError:
    message = _words(error)
    low = message.lower()
    if "locked" in low:
        remedy = "another process is writing to it: stop that process, or try again"
    elif "readonly" in low or "read-only" in low or "unable to open" in low:
        remedy = "make the file and its folder writable, or give another --database"
    elif "malformed" in low or "not a database" in low:
        remedy = "the file is damaged: `arena ledger rebuild` rebuilds the books from the topics"
    elif "password" in low or "authentication" in low:
        remedy = "check the user and the password of --database"
    elif "full" in low:
        remedy = "free space on that disk"
    else:
        remedy = "check that the database runs and that --database is right"
    return DependencyMissing(f"the database failed: {message}", remedy=remedy)


def _kafka(error: BaseException) -> ArenaError:
    found = explain_kafka_error(error)
    kind = UsageError if found.is_usage else DependencyMissing
    return kind(found.cause, remedy=found.remedy)


def _settings(error: BaseException) -> ArenaError | None:
    """Invalid environment variables; any other failed validation is a bug."""
    title, listed = getattr(error, "title", ""), getattr(error, "errors", None)
    prefix = {"Settings": "ARENA_", "KafkaAccess": "KAFKA_"}.get(str(title))
    if prefix is not None and callable(listed):
        found = listed(include_url=False, include_context=False, include_input=False)
        text = settings_text(found, prefix)
    elif type(error).__name__ == "SettingsError":
        field = re.search(r'field "(\w+)"', str(error))
        text = f"ARENA_{field[1].upper()} cannot be used" if field else _words(error)
    else:
        return None
    return UsageError(text, remedy="correct the variable, or unset it")
