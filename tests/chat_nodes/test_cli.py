"""The command: usage errors with remedies, and a key that is removed from the command line."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arena.settings import Settings
from chat_nodes.flags import DEFAULT_KEY_ENV
from tests.warm_commands import run_arena

ARENA = [sys.executable, "-m", "arena", "chat-node"]
KEY = "sk-planted-0123456789abcdef"
DEADLINE_S = 30.0


def run(*flags: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the command without keys in its environment."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    environ = {**inherited, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", **environment}
    return run_arena("chat-node", *flags, env=environ, timeout_s=DEADLINE_S)


def test_missing_key_is_reported_with_remedies() -> None:
    """Exit code 2 before any call, the variable's name and two remedies."""
    done = run("--name", "n", "--model-id", "gpt-5-nano", "--api-key-env", "MY_KEY")

    assert 2 == done.returncode
    assert "the environment variable MY_KEY is not set" in done.stderr
    assert "--base-url for a local server" in done.stderr
    assert 1 == len(done.stderr.splitlines())


@pytest.mark.parametrize("check", [(), ("--check",), ("--check", "--quick")])
def test_key_with_invalid_characters_is_reported_but_not_shown(check: tuple[str, ...]) -> None:
    """A key copied with its quotes: exit code 2 and the variable's name, before any call."""
    flags = ("--name", "n", "--model-id", "m", "--base-url", "http://127.0.0.1:1/v1")
    done = run(*flags, *check, OPENAI_API_KEY=f"\u201c{KEY}\u201d")

    assert 2 == done.returncode
    assert "OPENAI_API_KEY has characters that a header cannot have" in done.stderr
    assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--name", "a b", "--model-id", "scripted"), "cannot be part of a topic name"),
        (("--name", "n", "--model-id", "scripted:astrology"), "no scripted strategy 'astrology'"),
        (("--name", "n"), "--model-id"),
        (("--name", "n", "--model-id", "gpt", "--replies", "replay"), "need a file"),
        (("--name", "n", "--model-id", "scripted", "--replies-file", "x"), "live needs none"),
        (("--name", "n", "--model-id", "scripted", "--max-workers", "0"), "--max-workers"),
        (("--name", "n", "--model-id", "scripted", "--log-level", "LOUD"), "--log-level"),
    ],
)
def test_wrong_usage_exits_with_2(flags: tuple[str, ...], message: str) -> None:
    """The message says what was wrong."""
    done = run(*flags)

    assert 2 == done.returncode
    assert message in done.stderr


def test_replay_without_a_file_has_a_remedy(tmp_path: Path) -> None:
    """No key is needed; the missing file has the node's name."""
    file = str(tmp_path / "replies.jsonl")
    done = run("--name", "n", "--model-id", "gpt", "--replies", "replay", "--replies-file", file)

    assert 2 == done.returncode
    assert "replies.n.jsonl" in done.stderr
    assert "record it first with --replies record" in done.stderr


@pytest.mark.parametrize(
    "flags", [("--model-id", "scripted"), ("--base-url", "http://localhost:1")]
)
def test_missing_broker_is_reported(flags: tuple[str, ...]) -> None:
    """Rules and local servers need no key; the broker is what is missing."""
    done = run("--name", "n", "--model-id", "llama3:8b", *flags)

    assert 3 == done.returncode
    assert "broker 127.0.0.1:1 did not answer" in done.stderr


def test_help_ends_with_an_example() -> None:
    """The help has every flag, and the default variable of the key."""
    done = run("--help")

    assert 0 == done.returncode
    assert "Example: arena chat-node --name rules --model-id scripted" in done.stdout
    assert DEFAULT_KEY_ENV in done.stdout


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_key_flag_is_removed_from_the_command_line(settings: Settings) -> None:
    """Command line and logs of a running node do not show the key; a warning names the flag."""
    flags = ["--name", "n", "--model-id", "m", "--base-url", "http://127.0.0.1:1/v1"]
    environment = {**os.environ, "ARENA_PREFIX": settings.prefix, "ARENA_LOG_FORMAT": "json"}
    process = subprocess.Popen(
        [*ARENA, *flags, "--api-key", KEY, "--bootstrap-servers", settings.bootstrap_servers],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stderr is not None
        line = ""
        until = time.monotonic() + DEADLINE_S
        while "given as a flag" not in line and time.monotonic() < until:
            line = process.stderr.readline()
        command_line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.terminate()
        _, rest = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
        process.wait()

    assert "--api-key-env NAME keeps it private" in line
    assert b"arena chat-node --name n" == command_line.rstrip(b"\0")
    assert KEY not in line + rest
    assert 0 == process.returncode
