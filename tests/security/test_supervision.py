"""Commands to supervisors on a secure broker: sent by `cli`, received by `supervisor` only."""

import asyncio
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena import topics
from arena.acls import Rule, rules_for
from arena.bus.kafka import KafkaBus
from arena.credentials import ADMIN
from arena.messages import ProcessCommand
from arena.supervision import SUPERVISOR, Supervised
from operations.commands.supervised_run import supervisor_settings
from operations.supervisor.supervision_link import SupervisionLink
from tests.operations.commands.cli import ROOT
from tests.operations.commands.test_up import SPEC
from tests.security.secure import PREFIX, Secure

DEADLINE_S = 90.0
RUN = "2026-11-21T09-12-03"


def test_rules_allow_exactly_this() -> None:
    """Supervisors read commands; they write heartbeats and dead letters, and join no group."""
    rules = [rule for rule in rules_for("p.") if rule.principal == SUPERVISOR]
    name = f"p.{topics.SUPERVISION.name}"
    about = [rule for rule in rules_for("p.") if rule.name == name]

    assert {("read", name), ("describe", "p."), ("write", "p.arena.heartbeats"),
            ("write", "p.dead_letters")} == {(r.operation, r.name) for r in rules}  # fmt: skip
    assert {"topic"} == {rule.resource for rule in rules}
    assert {Rule(one, "topic", name, False, "write") for one in ("cli", "web")} == {
        rule for rule in about if rule.operation == "write"
    }
    assert {"cli", SUPERVISOR} == {rule.principal for rule in about if rule.operation == "read"}


async def test_command_of_the_cli_reaches_the_supervisor(secure: Secure) -> None:
    """Each with its own login; with that of a router nothing is received, and a note says so."""
    link = SupervisionLink(secure.settings(SUPERVISOR), RUN)
    wrong = SupervisionLink(secure.settings("router"), RUN)
    link.publish(Supervised(run=RUN))
    for one in (link, wrong):
        one.start()
    bus = KafkaBus(secure.settings("cli"))
    await bus.start()
    command = ProcessCommand(
        command_id="command-1",
        host=link.host,
        run=link.run,
        process="judge",
        action="stop",
        by="cli/test",
        issued_at=datetime.now(UTC),
    )
    end_s, notes, found = time.monotonic() + DEADLINE_S, list[str](), list[ProcessCommand]()
    try:
        while not (notes and found):
            assert time.monotonic() < end_s, (notes, found, link.take_notes())
            await bus.append(topics.SUPERVISION.name, command, key=link.host)
            await asyncio.sleep(0.2)
            notes += wrong.take_notes()
            found += [received.command for received in link.take()]
            assert [] == wrong.take()
    finally:
        await bus.close()
        for one in (link, wrong):
            await asyncio.to_thread(one.stop)

    assert command == found[0]
    assert "commands of `arena process` are not received: " in notes[0]
    assert f"let this login read {PREFIX}arena.supervision" in notes[0]


def test_supervisor_has_its_own_login(secure: Secure, tmp_path: Path) -> None:
    """In a home without an account for it, it is that of commands; without logins, too."""
    admin = secure.settings(ADMIN)
    file = secure.home / "secure" / f"{SUPERVISOR}.env"

    own = supervisor_settings(admin)
    text = file.read_text()
    file.unlink()
    without = supervisor_settings(admin)
    file.write_text(text)

    assert (SUPERVISOR, "cli") == (own.access.sasl_username, without.access.sasl_username)
    assert "cli" == supervisor_settings(secure.settings("cli")).access.sasl_username
    assert admin.override(home=tmp_path) == supervisor_settings(admin.override(home=tmp_path))


@pytest.mark.timeout(240)
def test_up_obeys_on_a_secure_broker(secure: Secure, tmp_path: Path) -> None:
    """`arena process` stops and starts a router, with the logins of this home."""
    spec = tmp_path / "ARENA.toml"
    spec.write_text(SPEC)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("KAFKA_")}
    environ |= {"ARENA_HOME": str(secure.home), "ARENA_PREFIX": "u.", "PYTHONPATH": str(ROOT)}
    log = tmp_path / "up.log"

    def arena(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "arena", *words],
            env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    with log.open("wb") as output:
        up = subprocess.Popen(
            [sys.executable, "-m", "arena", "up", str(spec), "--no-dashboard"],
            env=environ, cwd=ROOT, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        end_s = time.monotonic() + DEADLINE_S
        while (listed := arena("process", "list", "--json")).returncode:
            assert time.monotonic() < end_s, listed.stderr + log.read_text()
            time.sleep(0.2)
        stopped = arena("process", "stop", "router-holder", "--reason", "new key")
        (one,) = json.loads(arena("process", "list", "--json").stdout)["supervisors"]
        started = arena("process", "start", "router-holder")
    finally:
        up.terminate()
        up.wait(40)

    assert 0 == stopped.returncode, stopped.stderr + log.read_text()
    assert "stopped" == {p["name"]: p["state"] for p in one["processes"]}["router-holder"]
    assert 0 == started.returncode, started.stderr
    assert "not received" not in log.read_text()


def test_alerts_run_in_a_home_without_an_account_for_them(secure: Secure) -> None:
    """A broker that was made secure before `arena alerts` existed."""
    file = secure.home / "secure" / "alerts.env"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("KAFKA_")}
    environ |= {"ARENA_HOME": str(secure.home), "ARENA_PREFIX": PREFIX, "PYTHONPATH": str(ROOT)}
    text = file.read_text()
    file.unlink()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "arena", "alerts", "--once", "--only", "drawdown"],
            env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        file.write_text(text)

    assert (0, "no alert holds\n") == (done.returncode, done.stdout), done.stderr
