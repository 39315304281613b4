"""Applies a unified diff to a folder. Pure, but for the files of that folder."""

from pathlib import Path

from arena.errors import ArenaError


def apply_patch(folder: Path, patch: str) -> None:
    """Apply a patch; every hunk must match the file exactly, at any line.

    Args:
        folder: The folder that the paths of the patch are relative to, after their first part.
        patch: The text of the patch.

    Raises:
        ArenaError: A hunk does not match.
    """
    path: Path | None = None
    hunk: list[str] = []
    for line in [*patch.splitlines(), "@@ end"]:
        if line.startswith(("@@", "--- ", "+++ ", "diff ", "index ")):
            if path is not None and hunk:
                _apply_hunk(path, hunk)
            hunk = []
            if line.startswith("+++ "):
                path = folder / line.removeprefix("+++ ").split("\t")[0].split("/", 1)[1]
        else:
            hunk.append(line)


def _apply_hunk(path: Path, hunk: list[str]) -> None:
    before = [line[1:] for line in hunk if not line.startswith("+")]
    after = [line[1:] for line in hunk if not line.startswith("-")]
    lines = path.read_text(encoding="utf-8").splitlines()
    for start in range(len(lines) - len(before) + 1):
        if lines[start : start + len(before)] == before:
            lines[start : start + len(before)] = after
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            return
    raise ArenaError(
        f"a patch does not fit {path.name}", remedy="make it again for the present code"
    )
