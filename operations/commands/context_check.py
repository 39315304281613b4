"""Reads the files of dated context of an arena before anything is started.

Lines that cannot be used are named; they become dead letters when the connector publishes the
others.
"""

from pathlib import Path

from arena.context.files import check_file
from arena.errors import UsageError
from arena.findings import Finding, broken, ok, warning
from arena.plural import counted
from operations.specs.arena_spec import ArenaSpec

CHECK = "context"
REMEDY = "correct them; docs/context.md has what a line must contain"


def context_findings(spec: ArenaSpec, folder: Path) -> list[Finding]:
    """One finding per file: how many items it has, or its first lines that cannot be used."""
    found = []
    for name in spec.market.context:
        try:
            report = check_file(folder / name, simulated=not spec.market.is_live)
        except UsageError as error:
            found.append(broken(CHECK, str(error.args[0]), error.remedy))
            continue
        items = f"{name}: {counted(report.items, 'item')}"
        if report.refused_count:
            shown = "; ".join(report.refused)
            more = report.refused_count - len(report.refused)
            lines = counted(report.refused_count, "line")
            text = f"{items}, {lines} cannot be used: {shown}"
            found.append(warning(CHECK, text + (f"; and {more} more" if more else ""), REMEDY))
        else:
            found.append(ok(CHECK, items))
    return found
