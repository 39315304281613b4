"""Two agents are compared on the same snapshots, in both orders, over a real Kafka."""

import asyncio
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.errors import UsageError
from arena.messages import ChatMessage, PairwiseComparison, Turn
from arena.settings import Settings
from judge.evaluations.llm.compare import compare
from judge.evaluations.llm.compare_text import comparison_lines
from judge.evaluations.llm.faults import planted
from judge.evaluations.llm.pairs import (
    chosen_snapshots,
    count_pairs,
    share_of_b,
    winner_of,
)
from tests.dashboard.publishing import ROOT, environment
from tests.judge.llm_judge.recorded import with_buy
from tests.judge.llm_judge.running import (
    CHAT_NODE,
    DEADLINE_S,
    CountingModel,
    chat_node,
    in_topic,
    judge_calls,
    publish_turns,
)


def pairs_of_turns(count: int) -> list[Turn]:
    """Turns of `careful` and, with an invented price, of `careless`, on the same snapshots."""
    plain = with_buy()
    told = planted(plain, "invented_price")
    assert told is not None
    found = []
    for n in range(count):
        place = {"snapshot_id": f"snap-{n}"}
        found.append(plain.model_copy(update={**place, "agent": "careful", "turn_id": f"a{n}"}))
        found.append(told.model_copy(update={**place, "agent": "careless", "turn_id": f"b{n}"}))
    return found


def test_answers_of_both_orders_are_counted() -> None:
    """A preference for a place is a tie and is counted; a missing answer is a failure."""
    found = count_pairs(
        [
            ("first", "second"),
            ("second", "first"),
            ("second", "first"),
            ("first", "first"),
            ("tie", "second"),
            (None, "first"),
        ]
    )
    assert (1, 2, 2, 1, 1) == (found.a, found.b, found.ties, found.first_place, found.failed)
    share = share_of_b(found)
    assert share is not None
    assert share[1] < 2 / 3 == share[0] < share[2]
    assert share_of_b(count_pairs([("tie", "tie")])) is None


@given(st.sets(st.text(max_size=8)), st.sets(st.text(max_size=8)), st.integers(1, 5))
def test_snapshots_are_chosen_from_those_that_both_decided_on(
    a: set[str], b: set[str], count: int
) -> None:
    """The choice does not depend on the order, and a smaller one is a part of a larger one."""
    found = chosen_snapshots(sorted(a), sorted(b), count)
    assert found == chosen_snapshots(sorted(a, reverse=True), b, count)
    assert found <= a & b
    assert len(found) == min(count, len(a & b))
    assert found <= chosen_snapshots(a, b, count + 1)


async def test_the_better_agent_is_found(bus: KafkaBus, settings: Settings) -> None:
    """Every pair is asked twice; a repeated comparison asks the same calls."""
    turns = pairs_of_turns(12)
    alone = turns[0].model_copy(update={"turn_id": "c", "snapshot_id": "only-a"})
    await publish_turns(bus, [*turns, turns[0], alone])
    model = CountingModel()
    async with chat_node(settings, model):
        found = await compare(bus, "careful", "careless", CHAT_NODE, 10, lambda done, total: None)
        again = await compare(bus, "careful", "careless", CHAT_NODE, 10, lambda done, total: None)
        turned = await compare(bus, "careless", "careful", CHAT_NODE, 10, lambda done, total: None)

    assert (10, 12, True) == (found.pairs, found.pairs_seen, found.scripted)
    assert 10 == found.a_better + found.b_better + found.ties + found.failed
    assert "a" == winner_of(found)
    assert "b" == winner_of(turned)
    assert again.comparison_id == found.comparison_id
    assert again.a_better == found.a_better == turned.b_better
    calls = {one.call_id for one in await judge_calls(bus)}
    assert 20 == len(calls) == len(set(model.call_ids))
    assert [found, again, turned] == await in_topic(bus, topics.EVALUATIONS, PairwiseComparison)
    assert comparison_lines(found)[0].startswith("careful decides better: on 10 snapshots")


async def test_what_cannot_be_compared_is_refused(bus: KafkaBus) -> None:
    """An unknown agent, an agent with itself, and agents without a common snapshot."""
    turns = pairs_of_turns(1)
    said = ChatMessage(role="assistant", content="I wait.")
    other = turns[1].model_copy(update={"snapshot_id": "other", "messages": (said,)})
    await publish_turns(bus, [turns[0], other])
    await bus.ensure_topics([topics.PROMPTED.member(CHAT_NODE)])

    async def refused(a: str, b: str) -> str:
        with pytest.raises(UsageError) as error:
            await compare(bus, a, b, CHAT_NODE, 3, lambda done, total: None)
        return str(error.value)

    assert "no agent 'carefull'" in await refused("carefull", "careless")
    assert "with itself" in await refused("careful", "careful")
    assert "not decided on the same snapshot" in await refused("careful", "careless")


async def test_command_prints_the_comparison(bus: KafkaBus, settings: Settings) -> None:
    """As text, or as JSON."""
    await publish_turns(bus, pairs_of_turns(3))

    async def run(*flags: str) -> str:
        command = [sys.executable, "-m", "arena", "judge", "compare", "careful", "careless"]
        done = await asyncio.to_thread(
            subprocess.run,
            [*command, "--node", CHAT_NODE, *flags],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment(settings),
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    async with chat_node(settings, CountingModel()):
        text, document = await run(), json.loads(await run("--json"))
    assert "careful was better 3 times" in text
    assert "scripted rules, not an LLM" in text
    assert 3 == document["a_better"] == document["pairs"]
