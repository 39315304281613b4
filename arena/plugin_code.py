"""Runs Python files from outside the source tree; no other module does.

Used by the tool server, by routers, and by `arena tools` and `arena strategies` at a user's
request. Never used by the executor, the audit, or a report.
"""

import contextlib
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import FrameType, ModuleType

from arena.plugins import label_of, read_plugin_bytes
from arena.visible_text import one_line

ERROR_CHARS_MAX = 300
MODULE_PREFIX = "arena_plugin_"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command, even while it runs a plugin's file."""


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """A file that was run.

    Attributes:
        module: The module.
        sha256: SHA-256 of the bytes that were run.
        label: Folder and file name.
    """

    module: ModuleType
    sha256: str
    label: str


@dataclass(frozen=True, slots=True)
class PluginFault:
    """Why a plugin file, or a function in it, cannot be used.

    Attributes:
        path: The file.
        line: Line number, from 1; None if unknown.
        error: The error, and what to write instead.
    """

    path: str
    line: int | None
    error: str

    def __str__(self) -> str:
        """File, line and error in one line."""
        where = self.path if self.line is None else f"{self.path}, line {self.line}"
        return f"{where}: {self.error}"


def run_file(path: Path) -> LoadedPlugin | PluginFault:
    """Run a Python file as a separate module.

    Its output goes to standard error, because a program may read standard output.

    Raises:
        UsageError: The file cannot be read.
    """
    content = read_plugin_bytes(path)
    digest = sha256(content).hexdigest()
    module = ModuleType(f"{MODULE_PREFIX}{path.stem}_{digest[:12]}")
    module.__file__ = str(path)
    # Annotations and dataclasses look up their module by name.
    sys.modules[module.__name__] = module
    with recorded_signals() as arrived:
        try:
            code = compile(content, str(path), "exec", dont_inherit=True)
            with contextlib.redirect_stdout(sys.stderr):
                exec(code, module.__dict__)
        except BaseException as error:  # the boundary to plugins: returned, not raised
            del sys.modules[module.__name__]
            if arrived:
                raise
            return plugin_fault(path, error)
    return LoadedPlugin(module, digest, label_of(path))


@contextlib.contextmanager
def recorded_signals() -> Iterator[list[int]]:
    """Record signals in the block, to distinguish them from exceptions that a file raises.

    Yields:
        The signals of `ENDING` that arrived so far; their handlers run as usual.
    """
    arrived: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield arrived  # Signals are handled in the main thread only.
        return

    def noting(handler: Callable[[int, FrameType | None], object]) -> Callable[..., None]:
        def note(number: int, frame: FrameType | None) -> None:
            arrived.append(number)
            handler(number, frame)

        return note

    with contextlib.ExitStack() as stack:
        for number in ENDING:
            handler = signal.getsignal(number)
            if callable(handler):
                signal.signal(number, noting(handler))
                stack.callback(signal.signal, number, handler)
        yield arrived


def plugin_fault(path: Path, error: BaseException) -> PluginFault:
    """The fault for an exception of a plugin's code, with the line in the plugin's file."""
    if isinstance(error, SyntaxError):
        return PluginFault(str(path), error.lineno, f"{type(error).__name__}: {_words(error.msg)}")
    steps = traceback.extract_tb(error.__traceback__)
    line = next((step.lineno for step in reversed(steps) if step.filename == str(path)), None)
    message = _words(error)
    words = f"{type(error).__name__}: {message}" if message else type(error).__name__
    local = path.with_name(f"{error.name}.py") if isinstance(error, ModuleNotFoundError) else None
    if local is not None and local.is_file():
        words += f"; a plugin is one file: move the code it needs from {local.name} into it"
    return PluginFault(str(path), line, words)


def _words(error: object) -> str:
    from arena.command_exit import hide_secrets

    return one_line(hide_secrets(str(error)), ERROR_CHARS_MAX)
