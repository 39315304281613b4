"""Vendored files are those of their packages."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
VENDOR = ROOT / "dashboard/web/static/vendor"
LOCK = json.loads((VENDOR / "LOCK.json").read_text())
FILES = [entry for package in LOCK["packages"] for entry in package["files"]]
OWN = ("LOCK.json", "NOTICES.md")


@pytest.mark.parametrize("entry", FILES, ids=[Path(one["path"]).name for one in FILES])
def test_vendored_file_has_the_locked_hash(entry: dict[str, str]) -> None:
    """The bytes are those of the lock."""
    found = hashlib.sha256((ROOT / entry["path"]).read_bytes()).hexdigest()

    assert entry["sha256"] == found


def test_every_vendored_file_is_in_the_lock() -> None:
    """With a licence beside it."""
    locked = {ROOT / entry["path"] for entry in FILES}
    folders = {path.parent for path in locked}
    there = {path for folder in folders for path in folder.iterdir() if path.name not in OWN}

    assert locked == there
    for package in LOCK["packages"]:
        assert package["licence"]
        assert any("LICENSE" in entry["path"] for entry in package["files"])


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is missing")
def test_packages_give_the_same_bytes() -> None:
    """The script makes each file again from its package."""
    command = ["npm", "view", "lightweight-charts@5.2.1", "version"]
    try:
        if subprocess.run(command, capture_output=True, timeout=30, check=False).returncode:
            pytest.skip("npm has no registry")
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer")
    made = subprocess.run(
        [ROOT / "scripts/vendor", "--check"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert 0 == made.returncode, made.stderr
    assert f"{len(FILES)} files are those of their packages" in made.stdout
