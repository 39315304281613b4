"""The result of a trial as JSON, as a file and as text."""

import json
from pathlib import Path
from typing import Any

from arena.atomic_files import write_atomic
from arena.messages import TrialEnded
from arena.prompt_versions import short_version

RESULT_FILE = "trial.json"
FIELDS = (
    "trial_id",
    "agent",
    "champion",
    "challenger",
    "market",
    "verdict",
    "reasons",
    "periods",
    "repeats",
    "return_pct",
    "quality",
    "noise_return_pct",
    "noise_quality",
    "detectable_pct",
)


# Any: JSON values.
def trial_document(ended: TrialEnded, snapshots: int) -> dict[str, Any]:
    """The result of a trial as JSON.

    Args:
        ended: The result.
        snapshots: Length that was asked for.
    """
    fields = ended.model_dump(mode="json")
    return {**{name: fields[name] for name in FIELDS}, "snapshots": snapshots}


def write_result(folder: Path, ended: TrialEnded, snapshots: int) -> Path:
    """Write `trial.json`; returns its path.

    Args:
        folder: Where to; it is created if it is missing.
        ended: The result.
        snapshots: Length that was asked for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RESULT_FILE
    write_atomic(path, json.dumps(trial_document(ended, snapshots), indent=1) + "\n")
    return path


def print_trial(ended: TrialEnded, snapshots: int, *, is_pending: bool, as_json: bool) -> None:
    """Print the result of a trial.

    Args:
        ended: The result.
        snapshots: Length that was asked for.
        is_pending: True if the text is a pending proposal.
        as_json: Print JSON instead of text.
    """
    if as_json:
        print(json.dumps(trial_document(ended, snapshots), indent=1))
        return
    print(f"\n Trial of {short_version(ended.challenger)} against the text in force")
    print(f" {short_version(ended.champion)} of {ended.agent}: {ended.verdict}")
    for reason in ended.reasons:
        print(f"   {reason}")
    if ended.verdict == "promote":
        agent = ended.agent
        words = f"approve {agent}" if is_pending else f"set {agent} FILE"
        print(f" Put it into force: arena prompts {words}")
