"""`arena judge evaluate` connects as the judge on a secure broker: the CLI may publish none."""

import asyncio
import json
import subprocess
import sys

from arena import topics
from arena.acls import rules_for
from arena.bus.kafka import KafkaBus
from arena.credentials import ADMIN, credentials_for
from operations.kafka_acls import apply_rules
from tests.dashboard.publishing import environment, publish
from tests.dashboard.scenario import Scenario
from tests.operations.commands.cli import ROOT
from tests.security.secure import Secure

DEADLINE_S = 90.0
OWN_PREFIX = "scored."


async def test_the_command_uses_the_judges_account(secure: Secure) -> None:
    """It publishes; with the CLI's account in the variables it is refused."""
    admin = secure.settings(ADMIN, OWN_PREFIX)
    bus = KafkaBus(admin)
    await bus.start()
    try:
        await bus.ensure_topics(topics.fixed_topics())
        await publish(bus, Scenario().run(12))
    finally:
        await bus.close()
    await apply_rules(admin, rules_for(OWN_PREFIX))

    async def evaluate(agent: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "arena", "judge", "evaluate", agent, "--json"],
            cwd=ROOT,
            env=environment(admin, **variables),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    refused = await evaluate("momentum", **credentials_for(secure.home, "cli"))
    assert refused.returncode != 0
    assert "judge.evaluations" in refused.stderr
    found = await evaluate("momentum")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["published"] is True
