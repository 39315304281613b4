"""`arena tools-replay`: decide recorded orders again and compare them, for the audit."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from arena.errors import EXIT_NO
from arena.options import AsJson, Run
from arena.run_lookup import exported_records
from arena.visible_text import visible_line


def tools_replay(
    records: Annotated[
        Path | None, typer.Option("--records", help="A folder of exported records. [the run's]")
    ] = None,
    run_name: Run = None,
    as_json: AsJson = False,
) -> None:
    """Decide recorded orders again and compare every event byte by byte.

    Example: arena tools-replay --run last
    """
    from trading_tools.replay import OrderReplay
    from trading_tools.replay_older import DIFFERENT, REPLAYED

    found = OrderReplay(exported_records(records, run_name)).run()
    document = {
        "ok": not found.differences,
        "counts": dict(sorted(found.counts.items())),
        "events_sha256": found.sha256,
        "account_digest": found.account_digest,
        "differences": found.differences,
        "of_today": found.of_this_version,
        "older": {version: dict(counts) for version, counts in sorted(found.older.items())},
    }
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        counts = ", ".join(f"{count:,} {name}" for name, count in sorted(found.counts.items()))
        print(f"{counts}: {'all the same' if document['ok'] else 'not the same'}")
        for version, older in sorted(found.older.items()):
            text = f"{older[DIFFERENT]:,} of {older[REPLAYED]:,} events come out differently"
            print(visible_line(f"recorded by {version}: {text}"))
        for difference in found.differences:
            text = "{place} ({subject}): expected {expected}, found {found}"
            print(visible_line(text.format(**difference)))
        print(f"accounts {found.account_digest}")
    if found.differences:
        sys.exit(EXIT_NO)
