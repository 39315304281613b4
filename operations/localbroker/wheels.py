"""Fetches a wheel into the cache with pip and committed hashes, and publishes it by one rename.

For what only some machines need (a Java runtime, the fallback broker), so it is not in the
project's requirements. pip runs in its own process group, which is ended with this process.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from arena.progress import Progress, Step, no_progress
from operations.localbroker.cache import cache_root, ensure_entry
from operations.localbroker.errors import FetchFailed, FileRefused
from operations.localbroker.jar_lock import DEPLOY_DIR

FETCH_DEADLINE_S = 600.0
POLL_S = 0.2
ENDING_DEADLINE_S = 5.0
STAMP_NAME = ".whole"
HASH_MISMATCH_SIGN = "DO NOT MATCH THE HASHES"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that is fetched on demand.

    Attributes:
        name: Its name for users.
        project: Its name in the package index; `deploy/<project>.txt` pins it with hashes.
        version: The pinned version.
        size_mb: Installed size in megabytes.
    """

    name: str
    project: str
    version: str
    size_mb: int

    @property
    def entry(self) -> str:
        """The name of the cache entry: another version has another entry."""
        return f"{self.project}-{self.version}"

    @property
    def lock(self) -> Path:
        """The file with the pinned version and its hashes."""
        return DEPLOY_DIR / f"{self.project}.txt"


def ensure_wheel(
    wheel: Wheel,
    *,
    cache: Path | None = None,
    progress: Progress = no_progress,
    deadline_s: float = FETCH_DEADLINE_S,
) -> Path:
    """Return the directory of the unpacked wheel; fetch it first if it is missing.

    Raises:
        FetchFailed: It cannot be fetched: no network, no wheel for this machine, no pip.
        FileRefused: The fetched file is not the one in the lock.
    """
    return ensure_entry(
        cache or cache_root(),
        wheel.entry,
        is_complete=lambda entry: (entry / STAMP_NAME).is_file(),
        build=lambda staging: _install(wheel, staging, progress, deadline_s),
        needed_bytes=2 * wheel.size_mb * 1_000_000,
        progress=progress,
    )


def _install(wheel: Wheel, staging: Path, progress: Progress, deadline_s: float) -> None:
    scratch = staging / ".scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input"]
    command += ["--retries", "2", "--timeout", "30"]
    command += ["--disable-pip-version-check", "--no-cache-dir", "--no-deps", "--no-compile"]
    command += ["--only-binary", ":all:", "--require-hashes"]
    command += ["--target", str(staging), "--requirement", str(wheel.lock)]
    log = scratch / "pip.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, "TMPDIR": str(scratch)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            exit_code = _wait(wheel, process, progress, deadline_s)
        finally:
            _end_group(process)
    if exit_code != 0:
        raise _explain(wheel, log.read_text(errors="replace"), exit_code, deadline_s)
    shutil.rmtree(scratch, ignore_errors=True)
    (staging / STAMP_NAME).touch()
    progress(Step(wheel.name, f"{wheel.entry}, checked against the lock", finished=True))


def _wait(
    wheel: Wheel, process: "subprocess.Popen[bytes]", progress: Progress, deadline_s: float
) -> int | None:
    """Return the exit code of pip, or None if the deadline has passed."""
    started = time.monotonic()
    while (elapsed := time.monotonic() - started) < deadline_s:
        progress(Step(wheel.name, f"fetching {wheel.entry}, {elapsed:.0f} s"))
        try:
            return process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            continue
    return None


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(ENDING_DEADLINE_S)


def _explain(
    wheel: Wheel, output: str, exit_code: int | None, deadline_s: float
) -> FetchFailed | FileRefused:
    if HASH_MISMATCH_SIGN in output:
        return FileRefused(
            f"{wheel.entry} is not the file that deploy/{wheel.lock.name} names; it was not used",
            remedy="something between here and the package index alters files; try another network",
        )
    if exit_code is None:
        why = f"it took longer than {deadline_s:.0f} s"
    elif "No module named pip" in output:
        why = f"{sys.executable} has no pip (python -m ensurepip installs it)"
    elif "No space left" in output:
        why = "the disk is full"
    else:
        why = "pip could not fetch it here"
    return FetchFailed(
        f"the {wheel.name} ({wheel.entry}) cannot be fetched: {why}",
        remedy="check the network and any proxy, then try again",
    )
