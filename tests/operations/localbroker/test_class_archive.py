"""The class archive of a broker: which cache entry it is, and the flags of a Java that uses it."""

from dataclasses import replace
from pathlib import Path

from operations.localbroker.class_archive import (
    ARCHIVE_NAME,
    archive_entry,
    archive_flags,
    dump_flags,
)
from operations.localbroker.jar_lock import Jar, KafkaLock
from operations.localbroker.java import Java

LOCK = KafkaLock("9.9.9", (Jar("org.example:part:1.0", "0" * 64, 1),))
JAVA = Java(Path("/usr/bin/java"), 17, "17.0.15")


def test_other_jars_java_or_folder_have_another_archive(tmp_path: Path) -> None:
    """An archive has the paths of the jars and the classes of one Java."""
    other_jars = KafkaLock("9.9.10", LOCK.jars)
    entries = {
        archive_entry(JAVA, LOCK, tmp_path),
        archive_entry(JAVA, other_jars, tmp_path),
        archive_entry(replace(JAVA, version="17.0.16"), LOCK, tmp_path),
        archive_entry(replace(JAVA, path=Path("/opt/java")), LOCK, tmp_path),
        archive_entry(JAVA, LOCK, tmp_path / "other"),
    }

    assert 5 == len(entries)
    assert archive_entry(JAVA, LOCK, tmp_path) == archive_entry(JAVA, LOCK, tmp_path)


def test_archive_is_used_only_if_it_exists(tmp_path: Path) -> None:
    """A Java that could not write an archive left an empty entry: brokers start without one."""
    entry = tmp_path / archive_entry(JAVA, LOCK, tmp_path)
    assert [] == archive_flags(JAVA, LOCK, tmp_path)

    entry.mkdir()
    assert [] == archive_flags(JAVA, LOCK, tmp_path)

    (entry / ARCHIVE_NAME).write_bytes(b"classes")
    assert [f"-XX:SharedArchiveFile={entry / ARCHIVE_NAME}"] == archive_flags(JAVA, LOCK, tmp_path)


def test_dump_writes_to_the_given_file(tmp_path: Path) -> None:
    """The archive is written when the Java that runs with these flags ends."""
    assert [f"-XX:ArchiveClassesAtExit={tmp_path}"] == dump_flags(tmp_path)
