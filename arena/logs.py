"""Configures structured logs: pretty lines on a terminal, JSON lines elsewhere, always on stderr.

One line per handled message, with its ids, outcome and `duration_ms`. Values whose names suggest a
secret are masked.
"""

import contextlib
import json
import logging
import re
import sys
import time
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from typing import Any

from arena.command_exit import code_location, is_debug
from arena.error_causes import error_message
from arena.kafka_client_log import CLIENT, ClientLogFilter
from arena.optional_imports import import_without
from arena.repeated_lines import RepeatFilter
from arena.settings import Settings
from arena.visible_text import one_line

# structlog imports rich if it is installed: 5 MB and 40 ms that only the dashboard needs.
with import_without("rich"):
    import structlog

SECRET_NAME = re.compile(r"(api_?key|secret|password|authorization|token$)", re.IGNORECASE)
VALUE_CHARS_MAX = 2_000

Log = structlog.typing.FilteringBoundLogger


def configure(settings: Settings, *, node: str = "") -> None:
    """Set up logging for this process.

    Args:
        settings: Level and format.
        node: Bound to every line, such as "router/momentum".
    """
    pretty = settings.log_format == "pretty" or (
        settings.log_format == "auto" and sys.stderr.isatty()
    )
    renderers: list[structlog.typing.Processor] = (
        [_visible, structlog.dev.ConsoleRenderer()]
        if pretty
        else [structlog.processors.JSONRenderer()]
    )
    level = logging.getLevelName(settings.log_level)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if is_debug() else _exception,
            _bound_and_mask,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    if node:
        structlog.contextvars.bind_contextvars(node=node)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine(as_json=not pretty, node=node))
    if not is_debug():
        handler.addFilter(ClientLogFilter())
    handler.addFilter(RepeatFilter(time.monotonic))
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)


@contextlib.contextmanager
def without_client() -> Iterator[None]:
    """Suppress the Kafka client's log lines while our own error reports the same."""
    client = logging.getLogger(CLIENT)
    before = client.level
    if not is_debug():
        client.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        client.setLevel(before)


def get(name: str) -> Log:
    """A logger whose lines have the component's name."""
    logger: Log = structlog.get_logger(component=name)
    return logger


# Any: a log line may have values of any type.
def _bound_and_mask(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in line.items():
        if SECRET_NAME.search(name):
            line[name] = "***"
        elif isinstance(value, str) and len(value) > VALUE_CHARS_MAX:
            line[name] = f"{value[:VALUE_CHARS_MAX]}... ({len(value):,} characters)"
    return line


# Any: as above.
def _exception(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace a traceback by message and code location; ARENA_DEBUG=1 logs the traceback."""
    given = line.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else given
    if given is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        line["exception"] = one_line(
            f"{error_message(error)} ({code_location(error)})", VALUE_CHARS_MAX
        )
    return line


# Any: as above. The JSON renderer escapes invisible characters itself.
def _visible(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in line.items():
        if isinstance(value, str):
            line[name] = one_line(value, 2 * VALUE_CHARS_MAX)
    return line


class _OneLine(logging.Formatter):
    """Formats library logs on one line: an exception as its message, without a traceback."""

    def __init__(self, *, as_json: bool, node: str) -> None:
        super().__init__()
        self._as_json = as_json
        self._node = node

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            message += f": {error_message(error)}"
        if held_back := getattr(record, "held_back", 0):
            message += f" ({held_back:,} more of these were not logged)"
        level, text = record.levelname.lower(), one_line(message, VALUE_CHARS_MAX)
        if not self._as_json:
            return f"{record.levelname} {record.name} {text}"
        found = {"level": level, "component": record.name, "event": text, "node": self._node}
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
        return json.dumps(found | {"timestamp": at.replace("+00:00", "Z")})
