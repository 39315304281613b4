"""A file that a command writes: refused early, and never half of it."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from arena.atomic_files import atomic_draft, disk_full_named, require_writable, write_atomic
from arena.errors import UsageError
from ledger.render import write_parquet
from ledger.statements import Sheet


@pytest.mark.parametrize("name", ["folder", "none/x.json", "file/x.json", "loop", "x" * 300])
def test_unwritable_file_is_refused_before_work(tmp_path: Path, name: str) -> None:
    """A wrong path is a usage error, and nothing is created."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    before = sorted(tmp_path.iterdir())

    with pytest.raises(UsageError, match="--json .* cannot be written: .*; give --json"):
        require_writable(tmp_path / name, "--json")
    assert before == sorted(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["new.json", "old.json", "link.json"])
def test_file_is_written_atomically(tmp_path: Path, name: str) -> None:
    """A new file, an older one with its mode, and the file that a link leads to."""
    old = tmp_path / "old.json"
    old.write_text("older")
    old.chmod(0o600)
    (tmp_path / "link.json").symlink_to(old)
    require_writable(tmp_path / name, "--json")

    write_atomic(tmp_path / name, "text\n")

    assert "text\n" == (tmp_path / name).read_text()
    assert 0o600 == old.stat().st_mode & 0o777
    assert (tmp_path / "link.json").is_symlink()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the new text does not fit, the old file is intact and the error names it."""
    path = tmp_path / "x.json"
    path.write_text("older")

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="x.json"):
        write_atomic(path, "text")

    assert "older" == path.read_text()
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EACCES, errno.EROFS, errno.EPERM])
@pytest.mark.parametrize("step", ["touch", "replace"])
def test_file_is_overwritten_if_folder_takes_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    """A writable file in a folder that is not writable, or a file that is a mount point."""
    path = tmp_path / "x.json"
    path.write_text("an older, longer text")
    require_writable(path, "--json")

    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, step, refused)
    write_atomic(path, "text\n")

    assert "text\n" == path.read_text()
    assert [path] == list(tmp_path.iterdir())


def test_new_file_that_is_refused_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an old file, nothing is left."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(PermissionError, match="x.json"):
        write_atomic(tmp_path / "x.json", "text")
    assert not list(tmp_path.iterdir())


def test_longest_name_is_written(tmp_path: Path) -> None:
    """A name of 255 bytes, each character of three."""
    path = tmp_path / ("\u20ac" * 85)
    require_writable(path, "--json")
    write_atomic(path, "text")

    assert "text" == path.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("compete", "new", "new"),
        ("compete", "new", "old", "--force"),
        ("audit", "keygen", "new"),
    ],
)
def test_failed_command_leaves_no_partial_file(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A full disk gives one line that names the file, and exit 3; an old file is unchanged."""
    old = tmp_path / "old"
    old.write_text("older")
    # Python would keep the first 64 bytes of what it compiles, for every later test.
    alone = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": os.getcwd()}
    alone["ARENA_HOME"] = str(tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-m", "arena", *words],
        cwd=tmp_path,
        env=os.environ | alone,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)),
        timeout=60,
        check=False,
    )

    assert (3, "") == (done.returncode, done.stdout)
    assert f"arena: {words[2]}: file too large; free space on that disk\n" == done.stderr
    assert ("older", [old]) == (old.read_text(), list(tmp_path.iterdir()))


def test_table_is_replaced_atomically(tmp_path: Path) -> None:
    """A write that fails leaves the older Parquet file, and no draft."""
    path = tmp_path / "x.parquet"
    sheet = Sheet("x", (("n", "count"),), [(1,)])
    write_parquet(sheet, path)
    older = path.read_bytes()

    with pytest.raises(OSError, match="x.parquet"), atomic_draft(path) as draft:
        draft.write_bytes(b"PAR1 half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert (older, [path]) == (path.read_bytes(), list(tmp_path.iterdir()))


@pytest.mark.parametrize(
    ("number", "named"), [(errno.ENOSPC, "books"), (errno.EFBIG, "books"), (errno.EPIPE, None)]
)
def test_only_full_disk_error_gets_path(number: int, named: str | None) -> None:
    """An error of the network, within the same block, is not blamed on a folder."""
    with pytest.raises(OSError, match=os.strerror(number)) as found, disk_full_named(Path("books")):
        raise OSError(number, os.strerror(number))

    assert (number, named) == (found.value.errno, found.value.filename)


def test_device_is_written_directly() -> None:
    """A device is not replaced."""
    require_writable(Path(os.devnull), "--json")
    write_atomic(Path(os.devnull), "text")

    assert Path(os.devnull).is_char_device()


def test_full_device_is_named() -> None:
    """The error of a device names it."""
    with pytest.raises(OSError, match="/dev/full"):
        write_atomic(Path("/dev/full"), "text")
