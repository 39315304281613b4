"""Runs a command and ends the process: errors become one line with cause and remedy.

`run_command` wraps every command. An error that the arena can explain is one line on standard error
and the exit code of `arena/errors.py`. An unexpected error is one line, too, and its traceback is
written to a file under `<home>/errors/`. ARENA_DEBUG=1 also prints tracebacks and library logs.

Ctrl-C, SIGTERM and SIGHUP end a command without output, after its clean-up. A signal that was
ignored at the start, as under nohup, stays ignored.

Imports only the standard library at first, so that Ctrl-C works at once.
"""

import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeGuard

from arena.errors import (
    EXIT_DEPENDENCY,
    EXIT_INTERRUPTED,
    EXIT_NO,
    EXIT_TERMINATED,
    EXIT_USAGE,
)

if TYPE_CHECKING:
    import threading

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
DEBUG_VARIABLE = "ARENA_DEBUG"
SUPERVISED_VARIABLE = "ARENA_SUPERVISED"
"""Set for processes of a supervisor, which restarts those that end with exit code 3."""
ERRORS_FOLDER = "errors"
DOUBLE_S = 1.0
"""A second SIGTERM or SIGHUP within this time is ignored."""
IMPORT_POLL_S = 0.02
FILES_MAX = 20
"""Number of error reports that are kept in a folder; the oldest are deleted first."""
HOME_REMEDY = "make it accessible to this user, or choose another folder with ARENA_HOME"
LINE_CHARS_MAX = 1_000
SECRET_CHARS_MIN = 6
NO_MEMORY = b"arena: this machine has too little free memory; stop other programs, or add memory\n"
"""Printed if there is too little memory to format an error."""

_last_signal_at = -DOUBLE_S


def run_command(command: Callable[[], int | None]) -> NoReturn:
    """Run a command and exit with its code.

    Args:
        command: Returns its exit code; None is 0.
    """
    try:
        from arena.output import make_output_safe

        make_output_safe()
        _handle_signals()
        code = _run(command)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except SystemExit as ended:  # by a signal, before the command began
        code = _code_of(ended)
    _end_at_once()
    for stream in (sys.stdout, sys.stderr):
        code = _flushed(stream, code)
    gc.freeze()  # The interpreter collects all objects at its end, which takes 0.1 s.
    sys.exit(code)


def _run(command: Callable[[], int | None]) -> int:
    try:
        _require_text()
        code = command() or 0
        sys.stdout.flush()  # the disk may be full: fail while the error can be printed
    except KeyboardInterrupt as error:
        return int(getattr(error, "exit_code", EXIT_INTERRUPTED))
    except SystemExit as error:
        return _code_of(error)
    except BaseException as error:  # the outermost handler: report every error
        try:
            return report_error(error)
        except MemoryError:
            os.write(2, NO_MEMORY)
            return EXIT_DEPENDENCY
    return code


def end_by_signal(number: int, frame: FrameType | None) -> None:
    """Signal handler: end this command after its clean-up.

    Libraries swallow exceptions during their import, so the handler waits for the end of an import.
    A signal to a process group may arrive more than once: only the first one counts.
    """
    global _last_signal_at
    now = time.monotonic()
    if _is_importing(frame):
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), number))
        signal.setitimer(signal.ITIMER_REAL, IMPORT_POLL_S)
    elif now >= _last_signal_at + DOUBLE_S:
        _last_signal_at = now
        raise SystemExit(EXIT_TERMINATED)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def report_error(error: BaseException) -> int:
    """Print in one line why a command ends, and return its exit code."""
    from arena.error_causes import FORBIDDEN_REMEDY, explain_error
    from arena.errors import NotInstalled, UsageError
    from arena.output import discard_output

    failed = getattr(sys.stdout, "failed", None)
    if failed is not None:
        discard_output(sys.stdout)
        if isinstance(failed, BrokenPipeError):
            return 0  # the reader of our output (head, less) has left
    if is_usage_error(error):
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
            return EXIT_USAGE
        _print_line(_usage_line(error))
        return EXIT_USAGE
    if is_debug():
        print(traceback_text(error), file=sys.stderr)
    found = explain_error(error)
    if found is None:
        _print_line(_unexpected_line(error))
        return EXIT_NO
    if found.remedy == FORBIDDEN_REMEDY and _is_in_home(getattr(error, "filename", None)):
        found = UsageError(str(found.args[0]), remedy=HOME_REMEDY)
    where = "standard output: " if failed is error else ""
    print_failure(f"{where}{found}")
    if isinstance(found, NotInstalled) and SUPERVISED_VARIABLE in os.environ:
        return EXIT_USAGE
    return found.exit_code


def _is_in_home(path: object) -> bool:
    """True for a path in the home of the arena, and for a folder that should contain the home."""
    if not isinstance(path, str):
        return False
    home = os.path.abspath(os.environ.get("ARENA_HOME") or ".arena")
    return os.path.commonpath([home, os.path.abspath(path)]) in (home, os.path.abspath(path))


def is_debug() -> bool:
    """True if tracebacks are to be printed on standard error."""
    return os.environ.get(DEBUG_VARIABLE, "").lower() not in ("", "0", "false", "no")


class ClickUsageError(Protocol):
    """The error that typer raises for wrong flags."""

    def format_message(self) -> str:
        """The message."""


def is_usage_error(error: object) -> TypeGuard[ClickUsageError]:
    """True for typer's error about wrong flags; typer is not imported for this."""
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def traceback_text(error: BaseException) -> str:
    """The traceback of an error, with control characters escaped and secrets masked."""
    import traceback

    from arena.visible_text import visible

    return hide_secrets(visible("".join(traceback.format_exception(error)))).rstrip()


def hide_secrets(text: str) -> str:
    """Mask the values of environment variables whose names suggest a secret."""
    names = ("KEY", "SECRET", "PASSWORD", "TOKEN")
    for name, value in os.environ.items():
        is_secret = any(part in name.upper() for part in names) and not name.endswith("_FILE")
        if is_secret and len(value) >= SECRET_CHARS_MIN:
            text = text.replace(value, "***")
    return text


def print_failure(text: str) -> None:
    """Print a failure in one line, without secrets, for a command that continues after it."""
    from arena.visible_text import one_line

    _print_line(one_line(hide_secrets(text), LINE_CHARS_MAX))


def _print_line(line: str) -> None:
    print(f"arena: {line}", file=sys.stderr, flush=True)


def _usage_line(error: ClickUsageError) -> str:
    from arena.visible_text import one_line

    message = one_line(str(error.format_message()), LINE_CHARS_MAX).rstrip(".")
    message = _in_own_words(message)
    path = getattr(getattr(error, "ctx", None), "command_path", None) or "arena"
    return f"{message}; see {path} --help"


def _in_own_words(message: str) -> str:
    """A message without a library's prefix, and with examples instead of formats of times."""
    import re
    from datetime import datetime

    message = message.replace("Value error, ", "", 1)
    message = re.sub(r"Input should be (.*), unable to parse.*", r"it must be \1", message)
    message = message.replace("Input should be", "it must be", 1)
    text, matches, formats = message.partition(" does not match the formats ")
    if not matches:
        return message
    example = datetime(2026, 1, 31, 12, 0)  # noqa: DTZ001  A format with an offset gets one below.
    times = [example.strftime(one.replace("%z", "Z")) for one in re.findall(r"'([^']+)'", formats)]
    return f"{text} is not a time; write it like {' or '.join(dict.fromkeys(times))}"


def _unexpected_line(error: BaseException) -> str:
    from arena.error_causes import safe_str
    from arena.visible_text import one_line

    message = one_line(hide_secrets(safe_str(error)), LINE_CHARS_MAX // 3)
    what = f"{type(error).__name__}{': ' if message else ''}{message}"
    path = write_details(error)
    where = f"the details are in {path}" if path else f"{DEBUG_VARIABLE}=1 shows the details"
    return f"unexpected {what} ({code_location(error)}); {where}, please report them"


def code_location(error: BaseException) -> str:
    """The last line of the arena's own code in a traceback, such as `arena/wire.py:40`."""
    root = Path(__file__).resolve().parents[1]
    found, step = "", error.__traceback__
    while step is not None:
        path = Path(step.tb_frame.f_code.co_filename)
        if path.is_relative_to(root) and "site-packages" not in path.parts:
            found = f"{path.relative_to(root)}:{step.tb_lineno}"
        step = step.tb_next
    return found or "in a library"


def write_details(error: BaseException) -> Path | None:
    """Write the traceback to a new file; None if no folder can be written."""
    import tempfile

    home = Path(os.environ.get("ARENA_HOME") or ".arena")
    name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}.txt"
    words = " ".join(sys.argv[1:])
    text = hide_secrets(f"arena {words}\nPython {sys.version}\n\n") + traceback_text(error) + "\n"
    for folder in (home / ERRORS_FOLDER, Path(tempfile.gettempdir()) / "arena-errors"):
        with contextlib.suppress(OSError, ValueError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            old = sorted(folder.glob("*-*.txt"))
            for path in old[: max(0, len(old) - FILES_MAX + 1)]:
                path.unlink(missing_ok=True)
            path = folder / name
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(file, "w", encoding="utf-8", errors="backslashreplace") as opened:
                opened.write(text)
            return path
    return None


def _require_text() -> None:
    """Refuse arguments and variables that are not UTF-8: topics and records cannot hold them."""
    from arena.errors import UsageError
    from arena.visible_text import one_line

    named = [(f"argument {n}", word) for n, word in enumerate(sys.argv[1:], start=1)]
    named += [(k, v) for k, v in os.environ.items() if k.startswith(("ARENA_", "KAFKA_"))]
    for name, value in named:
        if any("\ud800" <= char <= "\udfff" for char in value):
            shown = name if "PASSWORD" in name else f"{name}, {one_line(value, 80)!r},"
            raise UsageError(f"{shown} is not UTF-8", remedy="write it in UTF-8")


def _code_of(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    _print_line(str(error.code))
    return EXIT_NO


def _handle_signals() -> None:
    """Install the signal handlers, and keep library warnings out of the output."""
    for number in (signal.SIGINT, *ENDING_SIGNALS):
        if signal.getsignal(number) is not signal.SIG_IGN:
            is_ours = number in ENDING_SIGNALS
            signal.signal(number, end_by_signal if is_ours else signal.default_int_handler)
    if is_debug():
        return
    import threading

    sys.unraisablehook = lambda _: None
    threading.excepthook = _report_thread
    quiet_libraries()


def _report_thread(failed: "threading.ExceptHookArgs") -> None:
    if failed.exc_value is not None:
        report_error(failed.exc_value)


def quiet_libraries() -> None:
    """Drop library logs: a command itself reports why it ends. `arena.logs` enables them again."""
    import logging
    import warnings

    logging.basicConfig(handlers=[logging.NullHandler()], force=True)
    warnings.simplefilter("ignore")


def _end_at_once() -> None:
    """From now on a signal ends the process at once: all output is written."""

    def end(number: int, _frame: FrameType | None) -> None:
        os._exit(EXIT_INTERRUPTED if number == signal.SIGINT else EXIT_TERMINATED)

    with contextlib.suppress(ValueError):
        for number in (signal.SIGINT, *ENDING_SIGNALS):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, end)


def _flushed(stream: object, code: int) -> int:
    """Flush for the last time, so that Python does not report a failed write at exit."""
    from arena.output import SafeStream, discard_output

    if not isinstance(stream, SafeStream):
        return code
    try:
        stream.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            return report_error(error)
        discard_output(stream)
    return code
