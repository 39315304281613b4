"""`arena router-replay`: run recorded turns again and compare them, for the audit."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from arena.errors import EXIT_NO
from arena.options import AsJson, Run
from arena.run_lookup import exported_records
from arena.visible_text import visible_line


def router_replay(
    records: Annotated[
        Path | None, typer.Option("--records", help="A folder of exported records. [the run's]")
    ] = None,
    run_name: Run = None,
    as_json: AsJson = False,
) -> None:
    """Run recorded turns again and compare prompts, requests, tool calls and records.

    Example: arena router-replay --run last
    """
    from routers.replay import TurnReplay
    from routers.replay_result import DIFFERENT, REPLAYED

    found = TurnReplay(exported_records(records, run_name)).run()
    counts = {name: count for name, count in sorted(found.counts.items()) if count}
    document = {
        "ok": not found.differences,
        "counts": counts,
        "prompts_sha256": found.prompts,
        "asked_sha256": found.asked,
        "turns_sha256": found.turns,
        "notes": found.notes,
        "differences": found.differences,
        "of_today": found.of_this_version,
        "older": {version: dict(counts) for version, counts in sorted(found.older.items())},
    }
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        text = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        print(f"{text}: {'all the same' if document['ok'] else 'not the same'}")
        for version, older in sorted(found.older.items()):
            text = f"{older[DIFFERENT]:,} of {older[REPLAYED]:,} turns come out differently"
            print(visible_line(f"recorded by {version}: {text}"))
        for line in found.notes:
            print(visible_line(f"note: {line}"))
        for difference in found.differences:
            text = "{place} ({subject}): expected {expected}, found {found}"
            print(visible_line(text.format(**difference)))
    if found.differences:
        sys.exit(EXIT_NO)
