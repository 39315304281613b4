"""Progress in a pipe, the cache folder, and disk space."""

import io
from pathlib import Path

import pytest

from arena.errors import DependencyMissing
from arena.progress import Step, print_progress
from operations.localbroker.cache import cache_root, require_space


def test_pipe_gets_the_start_a_line_per_interval_and_the_end() -> None:
    """One line at the start, one per interval, one at the end, for any number of reports."""
    out, now = io.StringIO(), [0.0]
    show = print_progress(out, interval_s=5.0, clock=lambda: now[0])

    for second in range(8):
        now[0] = float(second)
        show(Step("jars", f"{second} files", done=second, total=8))
    show(Step("jars", "8 files", done=8, total=8, finished=True))

    assert ["jars:   0%  0 files", "jars:  62%  5 files", "jars: 8 files"] == (
        out.getvalue().splitlines()
    )


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"ARENA_CACHE": "/a", "XDG_CACHE_HOME": "/x"}, Path("/a")),
        ({"XDG_CACHE_HOME": "/x"}, Path("/x/arena")),
        ({}, Path.home() / ".cache" / "arena"),
    ],
)
def test_cache_folder_comes_from_the_environment(environ: dict[str, str], expected: Path) -> None:
    """ARENA_CACHE, then XDG_CACHE_HOME, then the home."""
    assert expected == cache_root(environ)


def test_full_disk_is_refused_before_writing(tmp_path: Path) -> None:
    """The error has free and needed space, and a remedy."""
    with pytest.raises(DependencyMissing, match=r"MB free, .* MB are needed; free some space"):
        require_space(tmp_path, 10**18)
