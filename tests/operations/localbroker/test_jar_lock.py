"""The committed locks: complete, readable, and for the versions in the code."""

from pathlib import Path

import pytest

from operations.localbroker.fallback import MESH_WHEEL
from operations.localbroker.jar_lock import (
    KAFKA_VERSION,
    LOCK_PATH,
    ROOT_COORDINATES,
    Jar,
    KafkaLock,
    dump_lock,
    load_lock,
)
from operations.localbroker.java import JAVA_WHEEL
from operations.localbroker.wheels import Wheel


def test_committed_lock_names_every_jar_once() -> None:
    """The lock has the 47 jars of Kafka 4.3.1, about 45 MB, each name once."""
    lock = load_lock()

    assert KAFKA_VERSION == lock.kafka_version
    assert len(lock.jars) == 47
    assert len({jar.file_name for jar in lock.jars}) == 47
    assert 45 == round(lock.size_bytes / 1e6)
    assert set(ROOT_COORDINATES) <= {jar.coordinate for jar in lock.jars}


def test_lock_survives_writing_and_reading(tmp_path: Path) -> None:
    """A written lock reads back equal, and the committed file has that form."""
    path = tmp_path / "lock.json"
    lock = load_lock()

    path.write_text(dump_lock(lock))

    assert lock == load_lock(path)
    assert LOCK_PATH.read_text() == path.read_text()


def test_digest_changes_with_any_jar() -> None:
    """The digest in the name of the cache entry depends on the hash of every jar."""
    one = KafkaLock("1", (Jar("g:a:1", "0" * 64, 1),))
    other = KafkaLock("1", (Jar("g:a:1", "1" * 64, 1),))

    assert one.digest != other.digest


def test_file_that_is_not_a_lock_is_refused(tmp_path: Path) -> None:
    """The error has the name of the file."""
    path = tmp_path / "lock.json"
    path.write_text('{"kafka_version": "4.3.1", "jars": [{"name": "x"}]}')

    with pytest.raises(ValueError, match=r"lock\.json is not a lock of jars"):
        load_lock(path)


@pytest.mark.parametrize("wheel", [JAVA_WHEEL, MESH_WHEEL])
def test_wheel_lock_pins_the_version_in_the_code(wheel: Wheel) -> None:
    """The committed wheel lock pins the version in the name of the cache entry."""
    lines = wheel.lock.read_text().splitlines()

    assert f"{wheel.project}=={wheel.version} \\" == lines[0]
    assert all(line.strip().startswith("--hash=sha256:") for line in lines[1:])
