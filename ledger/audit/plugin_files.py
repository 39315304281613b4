"""Lists the plugins that were used: tools and strategies outside the source tree. Pure.

The roster names the file of each and its SHA-256; none of them is imported.
"""

from collections.abc import Iterable

from arena.bus.base import Record
from arena.errors import ArenaError
from arena.messages import AgentSpec, ToolOffered

PLUGIN_FILES_MAX = 1_000


def plugin_files(records: Iterable[Record]) -> list[dict[str, str]]:
    """Return kind, name, file and hash of each plugin, once.

    Args:
        records: The records of `arena.roster`.
    """
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for record in records:
        try:
            message = record.message()
        except ArenaError:  # counted by the auditor
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
    """Return one line per plugin."""
    return [
        f"plugin: {one['kind']} {one['name']}, {one['file']}, SHA-256 {one['sha256']}"
        for one in found
    ]
