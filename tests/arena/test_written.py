"""A file that a command writes: refused early, and never half of it."""

import errno
import os
from pathlib import Path

import pytest

from arena.errors import UsageError
from arena.written import require_writable, write_whole


@pytest.mark.parametrize("name", ["folder", "none/x.json", "file/x.json", "loop", "x" * 300])
def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path, name: str) -> None:
    """A wrong path is wrong usage, and nothing is made."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    before = sorted(tmp_path.iterdir())

    with pytest.raises(UsageError, match="--json .* cannot be written: .*; give --json"):
        require_writable(tmp_path / name, "--json")
    assert before == sorted(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["new.json", "old.json", "link.json"])
def test_a_file_is_written_whole(tmp_path: Path, name: str) -> None:
    """A new file, an older one with its mode, and the file that a link leads to."""
    old = tmp_path / "old.json"
    old.write_text("older")
    old.chmod(0o600)
    (tmp_path / "link.json").symlink_to(old)
    require_writable(tmp_path / name, "--json")

    write_whole(tmp_path / name, "text\n")

    assert "text\n" == (tmp_path / name).read_text()
    assert 0o600 == old.stat().st_mode & 0o777
    assert (tmp_path / "link.json").is_symlink()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the new text does not fit, the older file is whole and the error names it."""
    path = tmp_path / "x.json"
    path.write_text("older")

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="x.json"):
        write_whole(path, "text")

    assert "older" == path.read_text()
    assert [path] == list(tmp_path.iterdir())


def test_a_device_is_written_to_and_stays_one() -> None:
    """A device is no file to be replaced."""
    require_writable(Path(os.devnull), "--json")
    write_whole(Path(os.devnull), "text")

    assert Path(os.devnull).is_char_device()


def test_a_full_device_is_named() -> None:
    """The error of a device says which."""
    with pytest.raises(OSError, match="/dev/full"):
        write_whole(Path("/dev/full"), "text")
