"""On a secure broker routers and people may change prompts, and agents' owners may speak."""

import asyncio
import json
import subprocess
import sys

from arena import topics
from arena.acls import rules_for
from arena.bus.kafka import KafkaBus
from arena.clock import SystemClock
from arena.credentials import ADMIN, credentials_for
from arena.messages import AgentSpec
from arena.node import Node
from arena.prompt_log import read_prompts
from arena.prompt_versions import version_of
from operations.kafka_acls import apply_rules
from routers.coaching_reader import CoachingReader
from routers.memory import AgentHistory
from tests.dashboard.publishing import environment
from tests.operations.commands.cli import ROOT
from tests.routers.builders import AS_OF, TRADER, WALL
from tests.routers.fake_peers import agent_config
from tests.security.secure import Secure

DEADLINE_S = 90.0
OWN_PREFIX = "coached."


async def test_accounts_of_routers_and_people_suffice(secure: Secure) -> None:
    """The router registers its file and reads; the commands connect as the CLI."""
    admin = secure.settings(ADMIN, OWN_PREFIX)
    bus = KafkaBus(admin)
    await bus.start()
    await bus.ensure_topics(topics.fixed_topics())
    spec = AgentSpec(agent="alpha", strategy="trader", node="rules", joined_at=WALL)
    await bus.append(topics.ROSTER.name, spec, key="agent/alpha")
    await apply_rules(admin, rules_for(OWN_PREFIX))

    async def command(*words: str) -> str:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "arena", *words, "--json"],
            cwd=ROOT,
            env=environment(admin, **credentials_for(secure.home, "cli")),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    own = secure.settings("router", OWN_PREFIX)
    connection = KafkaBus(own)
    await connection.start()
    reader = CoachingReader(Node("router", "alpha", own, connection, SystemClock()), ["alpha"])
    try:
        await reader.register(agent_config(), AgentHistory())
        file = secure.home / "careful.md"
        file.write_text("Trade carefully.\n")
        await command("prompts", "set", "alpha", str(file))
        await command("feedback", "alpha", "Sell earlier.")
        await command("prefer", "alpha", "--risk", "low")
        found = await reader.text_for(agent_config(), AgentHistory(), (0, 0), AS_OF)
        listed = json.loads(await command("feedback", "list"))
        book = await read_prompts(bus)
    finally:
        await reader.close()
        await connection.close()
        await bus.close()

    assert "Trade carefully.\n" == found.text
    assert found.owner is not None
    assert ("low", ["Sell earlier."]) == (found.owner.risk, [one.text for one in found.feedback])
    assert ["pending"] == [one["state"] for one in listed]
    assert version_of(TRADER.prompt) == book.of("alpha").file_version
