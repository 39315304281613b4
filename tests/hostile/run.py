"""Opens every hostile file like the arena does, and prints the outcomes as JSON.

Runs in a separate process, so that its memory can be measured: python -m tests.hostile.run FOLDER.
"""

import io
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from arena.checkpoint import ChecksummedFile, unpack_shard
from arena.command_exit import report_error
from arena.errors import Malformed
from connectors.market.recording import read_frames
from dashboard.model.view_checkpoint import unpack_view
from operations.main import _run
from tests.connectors.builders import load_price_path
from tests.hostile import exports, inputs, oversized

Outcome = tuple[int, str]


def command(*words: str) -> Outcome:
    """Run a command of the arena; return its exit code, and its error line or its output."""
    errors, output = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["arena", *words]),
        redirect_stderr(errors),
        redirect_stdout(output),
    ):
        try:
            code = _run() or 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException as error:  # like the last handler in `arena.command_exit`
            code = report_error(error)
    # Standard error also has progress, if a case takes long on a busy machine.
    refused = "".join(x for x in errors.getvalue().splitlines(True) if x.startswith("arena: "))
    return code, refused or output.getvalue() or errors.getvalue()


def call(function: Callable[[], object]) -> Outcome:
    """Call a function; return the exit code and text that a command would give."""
    errors = io.StringIO()
    with redirect_stderr(errors):
        try:
            function()
        except Exception as error:  # reported like in a command
            return report_error(error), errors.getvalue()
    return 0, ""


def checkpoint(folder: Path) -> Outcome:
    """Open a checkpoint: an incomplete one is ignored, a malformed one is refused."""
    payload = ChecksummedFile(folder / "fold").read()
    if payload is None:
        return 0, "ignored"
    refused = ""
    for unpack in (unpack_shard, unpack_view):
        try:
            unpack(payload)
        except Malformed as error:
            refused = str(error)
        else:
            return 0, "accepted"
    return 1, refused


def prices(folder: Path) -> Outcome:
    """Load a price file."""
    path = next(iter(folder.iterdir()))
    return call(lambda: load_price_path(path, "BTC-USD"))


def recording(folder: Path) -> Outcome:
    """Read a recording to its end."""
    path = next(iter(folder.iterdir()))
    return call(lambda: deque(read_frames(path), maxlen=1))


def verify(folder: Path) -> Outcome:
    """Audit an export."""
    return command("audit", "verify", str(folder / "records"), "--no-replay")


def verify_bundle(folder: Path) -> Outcome:
    """Audit a sealed bundle."""
    return command("audit", "verify", str(folder / "bundle"), "--no-replay")


def compete_report(folder: Path) -> Outcome:
    """Report on a run."""
    return command("compete", "report", str(folder))


def specification(folder: Path) -> Outcome:
    """Read the specification of an arena."""
    return command("up", str(folder / "ARENA.toml"), "--dry-run")


OPENERS: dict[str, tuple[Callable[[Path], Outcome], tuple[exports.Case, ...]]] = {
    "verify": (verify, (*exports.EXPORTS, *oversized.MANIFESTS)),
    "bundle": (verify_bundle, (*exports.EXPORTS, *oversized.MANIFESTS, *oversized.SEALS)),
    "toml": (specification, inputs.TOMLS),
    "prices": (prices, inputs.PRICES),
    "recording": (recording, inputs.RECORDINGS),
    "checkpoint": (checkpoint, inputs.CHECKPOINTS),
    "report": (compete_report, exports.EXPORTS[::8]),
}
"""Kind -> how to open it, and the hostile files. The report is last, because it loads the most."""


def create_all(root: Path) -> None:
    """Write every hostile file to a folder."""
    honest = exports.make_export(root / "honest" / "records")
    sealed = exports.make_bundle(honest, root / "honest" / "bundle")
    for kind, (_, cases) in OPENERS.items():
        for number, case in enumerate(cases):
            folder = root / kind / str(number)
            if kind in ("verify", "report"):
                case.make(exports.copy_of(honest, folder / "records"))
            elif kind == "bundle":
                case.make(exports.copy_of(sealed, folder / "bundle") / "records")
            else:
                folder.mkdir(parents=True)
                case.make(folder)


def main() -> None:
    """Open every hostile file in a folder, and print the outcomes."""
    root = Path(sys.argv[1])
    os.environ["ARENA_HOME"] = str(root / "home")
    os.environ["KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    found: dict[str, dict[str, object]] = {}
    for kind, (open_file, cases) in OPENERS.items():
        if kind not in ("toml", "prices", "recording", "checkpoint"):
            open_file(root / "honest")  # so that the memory of an honest one is not counted
        before_mb = peak_mb()
        for number, case in enumerate(cases):
            began_s = time.process_time()
            code, text = open_file(root / kind / str(number))
            found[f"{kind}: {case.name}"] = {
                "code": code,
                "text": text,
                "seconds": time.process_time() - began_s,
                "grown_mb": peak_mb() - before_mb,
                "peak_mb": peak_mb(),
            }
    assert sys.__stdout__ is not None, "this process has an output"
    sys.__stdout__.write(json.dumps(found))


def peak_mb() -> int:
    """Return the peak memory of this process in MB; ru_maxrss would include its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
