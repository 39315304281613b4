"""Jars: fetched once, checked byte for byte, refused by name, never incomplete."""

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from arena.progress import Step
from operations.localbroker import fetch as fetch_module
from operations.localbroker.errors import FetchFailed, FileRefused
from operations.localbroker.fetch import OnBytes
from operations.localbroker.jar_lock import Jar, KafkaLock
from operations.localbroker.jars import ensure_jars, jars_directory, verify_jars

CONTENTS = {f"org.example:part{n}:1.0": bytes([n]) * (1000 + n) for n in range(20)}
LOCK = KafkaLock(
    "9.9.9",
    tuple(
        Jar(name, hashlib.sha256(content).hexdigest(), len(content))
        for name, content in CONTENTS.items()
    ),
)
VICTIM = LOCK.jars[7]


class Repository:
    """Serves `CONTENTS`, altered if a test says so, and counts requests."""

    def __init__(self) -> None:
        self.contents = dict(CONTENTS)
        self.asked: list[str] = []
        self.failures: dict[str, list[Exception]] = {}

    def fetch(self, jar: Jar, directory: Path, on_bytes: OnBytes) -> Path:
        """Write one jar below `directory`, or raise the error that the test has set."""
        self.asked.append(jar.coordinate)
        if waiting := self.failures.get(jar.coordinate):
            raise waiting.pop(0)
        directory.mkdir(exist_ok=True)
        path = directory / jar.file_name
        path.write_bytes(self.contents[jar.coordinate])
        on_bytes(len(self.contents[jar.coordinate]))
        return path


@pytest.fixture
def repository() -> Repository:
    """A repository with the jars of the lock."""
    return Repository()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without a pause."""
    monkeypatch.setattr(fetch_module, "RETRY_PAUSE_S", 0.0)


def left_in(cache: Path) -> list[str]:
    """Return the entries of the cache, without lock files."""
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def test_all_jars_are_fetched_once(tmp_path: Path, repository: Repository) -> None:
    """All jars are fetched, and the next start fetches none."""
    steps: list[Step] = []

    directory = ensure_jars(LOCK, cache=tmp_path, progress=steps.append, fetcher=repository.fetch)
    again = ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)

    assert directory == again == jars_directory(LOCK, tmp_path)
    assert sorted(CONTENTS) == sorted(repository.asked)
    assert [f"kafka-9.9.9-{LOCK.digest}"] == left_in(tmp_path)
    assert ["jars", "stamp.json"] == sorted(path.name for path in directory.parent.iterdir())
    assert (LOCK.size_bytes, True) == (steps[-1].done, steps[-1].finished)
    verify_jars(LOCK, directory)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda content: content[:-1], "truncated"),
        (lambda content: b"X" + content[1:], "not the file in the lock"),
        (lambda content: content + b"X", "not the file in the lock"),
    ],
)
def test_wrong_jar_is_refused_by_name(
    tmp_path: Path, repository: Repository, change: Callable[[bytes], bytes], word: str
) -> None:
    """The error for a truncated or altered jar has both hashes, and nothing is kept."""
    wrong = change(CONTENTS[VICTIM.coordinate])
    repository.contents[VICTIM.coordinate] = wrong

    with pytest.raises(FileRefused, match=word) as refusal:
        ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)

    text = str(refusal.value)
    assert text.startswith("part7-1.0.jar ")
    assert VICTIM.sha256 in text
    assert hashlib.sha256(wrong).hexdigest() in text
    assert "try again" in text
    assert refusal.value.exit_code == 3
    assert [] == left_in(tmp_path)


def test_cached_jar_that_was_altered_is_refused(tmp_path: Path, repository: Repository) -> None:
    """A jar altered in the cache is refused at the next start, not silently replaced."""
    directory = ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)
    (directory / VICTIM.file_name).write_bytes(b"short")

    with pytest.raises(FileRefused, match=r"part7-1\.0\.jar is truncated.*delete "):
        ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)


def test_altered_jar_with_the_same_stamp_is_found_by_verify(
    tmp_path: Path, repository: Repository
) -> None:
    """Same size and same time pass the quick check, not the one that reads every byte."""
    directory = ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)
    path = directory / VICTIM.file_name
    before = path.stat()
    path.write_bytes(b"X" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(FileRefused, match="not the file in the lock"):
        verify_jars(LOCK, directory)


def test_file_that_is_not_in_the_lock_is_refused(tmp_path: Path, repository: Repository) -> None:
    """An extra jar would be on the class path, so it is refused by name."""
    directory = ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)
    (directory / "extra.jar").write_bytes(b"")

    with pytest.raises(FileRefused, match=r"extra\.jar is not in the lock"):
        ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)


def test_missing_jar_is_refused_by_name(tmp_path: Path, repository: Repository) -> None:
    """The error names a jar that was removed from the cache."""
    directory = ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)
    (directory / VICTIM.file_name).unlink()

    with pytest.raises(FileRefused, match=r"part7-1\.0\.jar is missing"):
        verify_jars(LOCK, directory)


def test_copied_cache_is_used_after_one_full_check(tmp_path: Path, repository: Repository) -> None:
    """Jars with other times but the right bytes get a new stamp, and are not fetched again."""
    directory = ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)
    for path in directory.iterdir():
        os.utime(path, (1, 1))
    repository.asked.clear()

    assert directory == ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)
    assert [] == repository.asked


def test_fetch_is_retried_after_network_errors(tmp_path: Path, repository: Repository) -> None:
    """Two failures of one jar do not end the fetch."""
    repository.failures[VICTIM.coordinate] = [OSError("reset"), RuntimeError("not found")]

    directory = ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)

    assert 3 == repository.asked.count(VICTIM.coordinate)
    verify_jars(LOCK, directory)


def test_jar_that_cannot_be_fetched_is_named(tmp_path: Path, repository: Repository) -> None:
    """The third failure ends the start with the jar's name and a remedy; nothing is kept."""
    repository.failures[VICTIM.coordinate] = [OSError("unreachable")] * 3

    with pytest.raises(FetchFailed, match=r"part7-1\.0\.jar .* 3 attempts .*check the network"):
        ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)

    assert [] == left_in(tmp_path)


def test_fetch_is_not_retried_after_a_full_disk(tmp_path: Path, repository: Repository) -> None:
    """A full disk is reported at once, with a remedy."""
    repository.failures[VICTIM.coordinate] = [OSError(28, "No space left on device")]

    with pytest.raises(Exception, match=r"No space left on device; free some space"):
        ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)

    assert 1 == repository.asked.count(VICTIM.coordinate)
    assert [] == left_in(tmp_path)


def test_interruption_leaves_nothing(tmp_path: Path, repository: Repository) -> None:
    """Ctrl-C during the fetch empties the cache, also if threads are blocked."""
    stuck = threading.Event()

    def fetch(jar: Jar, directory: Path, on_bytes: OnBytes) -> Path:
        if jar == VICTIM:
            stuck.wait(20)
        return repository.fetch(jar, directory, on_bytes)

    def interrupt(step: Step) -> None:
        if step.done > LOCK.size_bytes / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_jars(LOCK, cache=tmp_path, progress=interrupt, fetcher=fetch)

    assert [] == left_in(tmp_path)
    stuck.set()


def test_two_starts_fetch_once(tmp_path: Path, repository: Repository) -> None:
    """Two starts at the same time use one directory and fetch each jar once."""
    found: list[Path] = []

    def start() -> None:
        found.append(ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [jars_directory(LOCK, tmp_path)] * 2 == found
    assert sorted(CONTENTS) == sorted(repository.asked)


def test_files_of_a_killed_start_are_removed(tmp_path: Path, repository: Repository) -> None:
    """The next start removes what a start that was killed left."""
    stale = tmp_path / f".staging-kafka-9.9.9-{LOCK.digest}-dead"
    stale.mkdir()
    (stale / "half.jar").write_bytes(b"half")

    ensure_jars(LOCK, cache=tmp_path, fetcher=repository.fetch)

    assert [f"kafka-9.9.9-{LOCK.digest}"] == left_in(tmp_path)
