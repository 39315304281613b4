"""Tools and strategies from outside the source tree, as the roster tells them. Pure.

Each is named by its file and the file's SHA-256; none of them is imported.
"""

from collections.abc import Iterable

from arena.bus.base import Record
from arena.errors import ArenaError
from arena.messages import AgentSpec, ToolOffered

PLUGIN_FILES_MAX = 1_000


def plugin_files(records: Iterable[Record]) -> list[dict[str, str]]:
    """What was loaded from outside: kind, name, file and hash, each once.

    Args:
        records: Of `arena.roster`.
    """
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for record in records:
        try:
            message = record.message()
        except ArenaError:  # the checker of messages names it
            continue
        match message:
            case ToolOffered(source=str(source)) if source:
                kind, name = "tool", message.name
            case AgentSpec(source=str(source)) if source:
                kind, name = "strategy", f"{message.strategy} of {message.agent}"
            case _:
                continue
        key = (kind, name, source, message.source_sha256)
        if len(found) < PLUGIN_FILES_MAX:
            found[key] = dict(zip(("kind", "name", "file", "sha256"), key, strict=True))
    return [found[key] for key in sorted(found)]


def plugin_lines(found: Iterable[dict[str, str]]) -> list[str]:
    """The same for people."""
    return [
        f"from outside: {one['kind']} {one['name']}, {one['file']}, SHA-256 {one['sha256']}"
        for one in found
    ]
