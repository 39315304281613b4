"""Removes drafts that killed processes left beside a file or folder that is replaced by a rename.

A draft is named `.<name>.<process id>`; the replaced version is briefly
`.<name>.<process id>.old`.
"""

import contextlib
import os
import re
import shutil
import time
from pathlib import Path

DRAFT_AGE_S = 600.0
"""A younger draft may belong to a process on another host or in a container on the same volume."""


def clear_drafts(target: Path) -> None:
    """Remove the drafts of dead processes; restore the old version if the target is missing.

    Args:
        target: The file or folder that the drafts were to replace.
    """
    pattern = re.compile(rf"\.{re.escape(target.name)}\.(\d{{1,9}})(\.old)?")
    with contextlib.suppress(OSError):
        for path in sorted(target.parent.iterdir(), reverse=True):
            found = pattern.fullmatch(path.name)
            if found is None or not _is_left(path, int(found[1])):
                continue
            if found[2] and not target.exists():
                path.rename(target)
            elif path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _is_left(path: Path, pid: int) -> bool:
    if time.time() - path.stat().st_mtime < DRAFT_AGE_S:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
