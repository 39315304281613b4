"""Opens every hostile file the way the arena does; prints what came of each as JSON.

A process of its own, so that its memory can be measured: python -m tests.hostile.run FOLDER.
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
from connectors.coinbase.recording import read_frames
from connectors.exchange.recorded_prices import load_price_path
from dashboard.view_checkpoint import unpack_view
from operations.main import _run
from tests.hostile import crowds, files, texts

Said = tuple[int, str]


def command(*words: str) -> Said:
    """What a command of the arena writes to standard error, and its exit code."""
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
        except BaseException as error:  # the same last handler as `arena.command_exit` has
            code = report_error(error)
    return code, errors.getvalue() or output.getvalue()


def called(function: Callable[[], object]) -> Said:
    """The same of a function."""
    errors = io.StringIO()
    with redirect_stderr(errors):
        try:
            function()
        except Exception as error:  # reported as a command reports it
            return report_error(error), errors.getvalue()
    return 0, ""


def checkpoint(folder: Path) -> Said:
    """A checkpoint that is not whole is nothing; one that is absurd is malformed."""
    payload = ChecksummedFile(folder / "fold").read()
    if payload is None:
        return 0, "nothing whole"
    refused = ""
    for unpack in (unpack_shard, unpack_view):
        try:
            unpack(payload)
        except Malformed as error:
            refused = str(error)
        else:
            return 0, "it was taken"
    return 1, refused


def prices(folder: Path) -> Said:
    """A price file is loaded whole."""
    path = next(iter(folder.iterdir()))
    return called(lambda: load_price_path(path, "BTC-USD"))


def recording(folder: Path) -> Said:
    """A recording is read to its end."""
    path = next(iter(folder.iterdir()))
    return called(lambda: deque(read_frames(path), maxlen=1))


def verify(folder: Path) -> Said:
    """The audit of an export."""
    return command("audit", "verify", str(folder / "records"), "--no-replay")


def bundle(folder: Path) -> Said:
    """The audit of a sealed bundle."""
    return command("audit", "verify", str(folder / "bundle"), "--no-replay")


def compete(folder: Path) -> Said:
    """The report of a run."""
    return command("compete", "report", str(folder))


def specification(folder: Path) -> Said:
    """An arena's specification."""
    return command("up", str(folder / "ARENA.toml"), "--dry-run")


OPENERS: dict[str, tuple[Callable[[Path], Said], tuple[files.Case, ...]]] = {
    "verify": (verify, (*files.EXPORTS, *crowds.MANIFESTS)),
    "bundle": (bundle, (*files.EXPORTS, *crowds.MANIFESTS, *crowds.SEALS)),
    "toml": (specification, texts.TOMLS),
    "prices": (prices, texts.PRICES),
    "recording": (recording, texts.RECORDINGS),
    "checkpoint": (checkpoint, texts.CHECKPOINTS),
    "report": (compete, files.EXPORTS[::8]),
}
"""What is opened, how, and the hostile files; the report last, for it loads the most."""


def make_all(root: Path) -> None:
    """Write every hostile file below a folder."""
    honest = files.make_export(root / "honest" / "records")
    sealed = files.make_bundle(honest, root / "honest" / "bundle")
    for kind, (_, cases) in OPENERS.items():
        for number, case in enumerate(cases):
            folder = root / kind / str(number)
            if kind in ("verify", "report"):
                case.make(files.copied(honest, folder / "records"))
            elif kind == "bundle":
                case.make(files.copied(sealed, folder / "bundle") / "records")
            else:
                folder.mkdir(parents=True)
                case.make(folder)


def main() -> None:
    """Open every hostile file below a folder, and print what came of each."""
    root = Path(sys.argv[1])
    os.environ["ARENA_HOME"] = str(root / "home")
    os.environ["KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    found: dict[str, dict[str, object]] = {}
    for kind, (opened, cases) in OPENERS.items():
        if kind not in ("toml", "prices", "recording", "checkpoint"):
            opened(root / "honest")  # what an honest one takes is not the hostile one's
        before_mb = peak_mb()
        for number, case in enumerate(cases):
            began_s = time.process_time()
            code, text = opened(root / kind / str(number))
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
    """The most memory this process has had, MB; unlike ru_maxrss, without what its parent had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
