"""A lock-step contest has the same result whatever the processes, kills and replays.

`ARENA_CONTEST_SNAPSHOTS` makes the contests longer, `ARENA_CONTEST_SEEDS` adds contests with kills
at other times.
"""

import asyncio
import os
import random
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from arena.settings import Settings
from tests.faults.contest import AGENTS, Contest, KillPlan, Outcome, QuietKills

SNAPSHOTS = int(os.environ.get("ARENA_CONTEST_SNAPSHOTS", "14"))
SEEDS = int(os.environ.get("ARENA_CONTEST_SEEDS", "1"))
PRODUCTS = ("BTC-USD", "SOL-USD")
EVERY_PROCESS = ("connector", "tools", "model", "routers-0")
VICTIMS = (("routers-0", "model"), ("tools",), ("connector", "routers-0"), EVERY_PROCESS)
DELAY_S_MAX = 0.06
"""About as long as the turns on a snapshot take, so that a kill falls anywhere in them."""
FAULTS = ("after_decide:0.1", "sent_not_acked:0.1", "acked_not_replied:0.1")
FAULTY_STARTS = 3
"""Starts of the tools process that end at a fault point, which a random kill rarely hits."""

pytestmark = [pytest.mark.timeout(600 + 60 * SEEDS)]


def contest(settings: Settings, folder: Path, name: str, **rest: object) -> Contest:
    """Return a contest with its own prefix."""
    own = settings.model_copy(update={"prefix": f"{settings.prefix}{name}."})
    return Contest(
        own,
        folder / name,
        SNAPSHOTS,
        products=PRODUCTS,
        **rest,  # type: ignore[arg-type]
    )


def kill_plan(seed: int) -> KillPlan:
    """Return kills of every kind of process, spread over the contest at random."""
    rng = random.Random(seed)
    step = SNAPSHOTS / (len(VICTIMS) + 1)
    return KillPlan(
        tuple(
            (max(1, round(step * (n + 1))), rng.uniform(0, DELAY_S_MAX), names)
            for n, names in enumerate(VICTIMS)
        )
    )


def faulty_tools(seed: int) -> Callable[[str], str]:
    """Return faults for the first starts of the tools process."""
    rng = random.Random(seed)
    points = iter(rng.sample(FAULTS, FAULTY_STARTS))
    return lambda name: next(points, "") if name == "tools" else ""


def recorded_calls(file: Path) -> set[str]:
    """Return the ids of the calls in a file of recorded replies; each has one line."""
    ids = [orjson.loads(line)["call"]["call_id"] for line in file.open("rb")]
    assert len(set(ids)) == len(ids)
    return set(ids)


def assert_same(expected: Outcome, found: Outcome) -> None:
    """Assert that every turn and every account is equal."""
    assert expected.turns.keys() == found.turns.keys()
    for key, turn in sorted(expected.turns.items()):
        assert turn == found.turns[key], key
    assert expected.digest == found.digest
    assert (0, 0) == (found.late_prices, found.run_twice)


@pytest.fixture(scope="module")
def plain(broker_address: str, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The outcome of an undisturbed contest whose agents run in one process."""
    folder = tmp_path_factory.mktemp("plain")
    prefix = f"t{uuid.uuid4().hex[:10]}."
    settings = Settings(bootstrap_servers=broker_address, prefix=prefix, home=folder)
    return asyncio.run(contest(settings, folder, "plain").run())


async def test_contests_of_a_specification_have_the_same_result(
    settings: Settings, tmp_path: Path, plain: Outcome
) -> None:
    """One process or many, live or replayed: prompts, conversations and accounts are equal."""
    file = ("--replies-file", str(tmp_path / "replies.jsonl"))
    recorded = await contest(
        settings, tmp_path, "apart", one_process=False, replies=("--replies", "record", *file)
    ).run()
    replayed = await contest(
        settings, tmp_path, "replay", replies=("--replies", "replay", *file)
    ).run()

    assert len(AGENTS) * SNAPSHOTS == len(plain.turns)
    assert {"completed"} == {t.outcome for t in plain.turns.values()}
    assert Counter(o.outcome for o in plain.orders)["filled"] > SNAPSHOTS / 2
    assert_same(plain, recorded)
    assert_same(plain, replayed)
    assert (0, 0, len(plain.turns)) == (plain.replayed, recorded.replayed, replayed.replayed)
    assert all(call.replayed for call in replayed.calls)
    assert len(recorded.calls) == len(replayed.calls)


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_kills_do_not_change_the_result(
    settings: Settings, tmp_path: Path, plain: Outcome, seed: int
) -> None:
    """Routers, tools, chat node and connector are killed during the turns of a contest."""
    record = ("--replies", "record", "--replies-file", str(tmp_path / "replies.jsonl"))
    killed = contest(settings, tmp_path, "killed", fault=faulty_tools(seed), replies=record)
    found = await killed.run(kill_plan(seed))
    print(f"\nseed {seed}: {dict(killed.ends)}, {killed.run_again()} turns resumed")

    assert_same(plain, found)
    assert {c.call_id for c in plain.calls} == recorded_calls(tmp_path / "replies.rules.jsonl")
    assert {"routers-0 killed", "tools killed", "model killed", "connector killed"} <= set(
        killed.ends
    )


async def test_kills_in_a_quiet_phase_do_not_change_the_gates(
    settings: Settings, tmp_path: Path
) -> None:
    """Routers that are killed between turns ask on the same snapshots, for the same reasons."""
    gates = ("--every", "10m", "--on-move-pct", "0.4", "--quiet-max", "20m", "--wake-on", "fill")
    expected = await contest(settings, tmp_path, "gated", gates=gates).run()
    killed = contest(settings, tmp_path, "quiet", gates=gates)
    found = await killed.run(QuietKills((5, 14)))

    assert_same(expected, found)
    assert expected.skipped == found.skipped
    assert len(AGENTS) * SNAPSHOTS == len(expected.turns) + len(expected.skipped)
    assert {"every", "no_move"} <= {reason for one in expected.skipped.values() for reason in one}
    assert 2 == killed.ends["routers-0 killed"]
