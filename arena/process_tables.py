"""The tables of topics and of process kinds in `docs/architecture.md`, as Markdown. Pure."""

from collections.abc import Iterable

from arena import topics
from arena.process_kinds import KINDS, readers_of, writers_of
from arena.topics import TopicSpec


def topic_table(specs: Iterable[TopicSpec] = topics.TOPICS) -> str:
    """The table of topics in `docs/architecture.md`, as Markdown."""
    rows = ["| Topic | Key | Messages | Kept | Written by | Read by |", "|---|---|---|---|---|---|"]
    for spec in specs:
        name = f"`{spec.name}<name>`" if spec.is_family else f"`{spec.name}`"
        messages = ", ".join(f"`{message}`" for message in spec.messages)
        row = (name, spec.key, messages, spec.retention_text)
        rows.append(
            "| "
            + " | ".join((*row, ", ".join(writers_of(spec)), ", ".join(readers_of(spec))))
            + " |"
        )
    return "\n".join(rows)


def kind_table() -> str:
    """The table of process kinds in `docs/architecture.md`, as Markdown."""
    head = (
        "Kind",
        "Commands",
        "Room",
        "Table of ARENA.toml",
        "Consumer groups",
        "A second process",
    )
    rows = [" | ".join(head), "|".join("---" for _ in head)]
    runs = {kind.includes: kind for kind in KINDS if kind.includes}
    for kind in KINDS:
        commands = kind.commands or (runs[kind.name].commands if kind.name in runs else ())
        if not commands:
            continue
        room = commands[0].entry.partition(".")[0]
        groups = [
            f"`{group}<name>`" if group.endswith(".") else f"`{group}`" for group in kind.groups
        ]
        cells = (
            kind.name,
            ", ".join(f"`arena {command.name}`" for command in commands),
            f"`{room}/`",
            f"`{kind.spec_table}`",
            ", ".join(groups) or ("the agent's name" if kind.group_per_agent else "-"),
            kind.second_process,
        )
        rows.append(" | ".join(cells))
    return "\n".join(f"| {row} |" if "---" not in row else f"|{row}|" for row in rows)
