"""Runs `arena` commands as a person would, in their own processes."""

import os
import subprocess
import sys
from pathlib import Path

from arena.settings import Settings
from tests.warm_commands import run_arena

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_S = 60


def environment(settings: Settings) -> dict[str, str]:
    """The environment that names this test's arena."""
    return os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ARENA_PREFIX": settings.prefix,
        "ARENA_HOME": str(settings.home),
        "PYTHONPATH": str(ROOT),
    }


def arena(
    settings: Settings, *arguments: str, cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a command and wait for its end."""
    env = environment(settings)
    return run_arena(*arguments, env=env, cwd=cwd or ROOT, timeout_s=DEADLINE_S)


def shell(settings: Settings, script: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of bash in which `$ARENA` is the command."""
    return subprocess.run(
        ["/bin/bash", "-c", script],
        env=environment(settings) | {"ARENA": f"{sys.executable} -m arena"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
