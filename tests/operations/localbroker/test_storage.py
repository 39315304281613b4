"""The storage of a broker: formatted by Kafka's command, and later without it."""

from pathlib import Path

import pytest

from arena.broker_files import BrokerFiles, broker_files_of
from arena.broker_state import Ports
from arena.errors import DependencyMissing
from arena.progress import no_progress
from operations.localbroker import storage
from operations.localbroker.cache import cache_root
from operations.localbroker.config import read_cluster_id
from operations.localbroker.jar_lock import load_lock
from operations.localbroker.jars import ensure_jars, entry_name
from operations.localbroker.kafka import prepare_kafka
from operations.localbroker.security import Security
from operations.localbroker.storage import FirstRecords

LOCK = load_lock()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache that has Kafka, and none of its first records."""
    ensure_jars(LOCK, cache=None, progress=no_progress)
    cache = tmp_path / "cache"
    cache.mkdir()
    for entry in cache_root().iterdir():
        if entry.is_dir() and not entry.name.startswith((".", "classes-")):
            (cache / entry.name).symlink_to(entry)
    return cache


@pytest.fixture
def java_runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The homes that Java formatted; it really formats them."""
    runs: list[str] = []
    run = storage._run_command

    def counted(files: BrokerFiles, command: list[str]) -> None:
        runs.append(files.root.parent.name)
        run(files, command)

    monkeypatch.setattr(storage, "_run_command", counted)
    return runs


def formatted(home: Path, cache: Path, security: Security | None = None) -> dict[str, bytes]:
    """Prepare a broker; return the files of its storage and their bytes."""
    files = broker_files_of(home)
    prepare_kafka(
        files,
        "127.0.0.1",
        Ports(1, 2),
        cache=cache,
        progress=no_progress,
        security=security,
    )
    return {path.name: path.read_bytes() for path in files.log_dirs.iterdir()}


def test_storage_is_what_kafka_writes(cache: Path, tmp_path: Path, java_runs: list[str]) -> None:
    """The second home has the same files but for its ids; a damaged cache is written again."""
    by_java = formatted(tmp_path / "first", cache)
    own = formatted(tmp_path / "second", cache)
    (cache / f"storage-{entry_name(LOCK)}").write_bytes(b"damaged")
    formatted(tmp_path / "third", cache)
    formatted(tmp_path / "fourth", cache)

    assert ["first", "third"] == java_runs
    assert by_java.keys() == own.keys()
    assert by_java["bootstrap.checkpoint"] == own["bootstrap.checkpoint"]
    metas = [_properties(files["meta.properties"]) for files in (by_java, own)]
    assert metas[0].keys() == metas[1].keys()
    assert metas[0]["directory.id"] != metas[1]["directory.id"]
    assert {len(meta["directory.id"]) for meta in metas} == {22}
    assert [("1", "1")] * 2 == [(meta["version"], meta["node.id"]) for meta in metas]
    assert read_cluster_id(own["meta.properties"].decode()) == metas[1]["cluster.id"]


def test_accounts_are_never_cached(cache: Path, tmp_path: Path, java_runs: list[str]) -> None:
    """Java formats every secure home, because the first records have its accounts."""
    secure = Security(passwords={"broker": "pw"})

    formatted(tmp_path / "secure", cache, secure)

    assert ["secure"] == java_runs
    assert not (cache / f"storage-{entry_name(LOCK)}").exists()


def test_damaged_ids_are_not_replaced(cache: Path, tmp_path: Path, java_runs: list[str]) -> None:
    """Storage that may have topics keeps its files; Kafka's command says what is wrong."""
    formatted(tmp_path / "first", cache)
    formatted(tmp_path / "second", cache)
    meta = broker_files_of(tmp_path / "second").meta_properties
    meta.write_text("")

    with pytest.raises(DependencyMissing, match="already formatted"):
        formatted(tmp_path / "second", cache)

    assert "" == meta.read_text()
    assert ["first", "second"] == java_runs


def test_cache_that_cannot_be_written_is_not_an_error(tmp_path: Path) -> None:
    """The next start runs Java again."""
    records = FirstRecords(tmp_path / "missing" / "file")

    records.save(b"records")

    assert records.read() is None


def _properties(text: bytes) -> dict[str, str]:
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)
