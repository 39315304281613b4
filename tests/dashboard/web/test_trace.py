"""Traces of orders hold, and a changed byte shows."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator

import orjson
import pytest

from arena.bus.base import Record
from arena.bus.memory import MemoryBus, MemoryCluster
from arena.clock import SystemClock
from dashboard.model import trace_checks
from dashboard.model.arena_reader import ArenaReader
from dashboard.model.history import History
from dashboard.model.queries import UnknownName
from dashboard.model.results import Trace, TraceStep
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.trace import Tracer
from dashboard.model.trace_checks import STEPS, WITH_PROMPTS, make_trace
from dashboard.model.view import ArenaView
from tests.integration.test_one_process import played


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> MemoryCluster:
    """The records of a whole arena, by its own processes."""
    return played(tmp_path_factory.mktemp("home"))


@pytest.fixture
async def reader(cluster: MemoryCluster) -> AsyncIterator[ArenaReader]:
    """A reader of it that has caught up."""
    copy, clock = MemoryCluster(), SystemClock()  # a cluster belongs to one loop
    copy.logs, copy.partitions = cluster.logs, cluster.partitions
    bus = MemoryBus(copy)
    await bus.start()
    follower = TopicFollower(bus, clock, ArenaView())
    await follower.open()
    following = asyncio.ensure_future(follower.follow())
    found = ArenaReader(bus, clock, follower)
    assert await found.ready(10)
    yield found
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await follower.close()


def records_of(trace: Trace) -> dict[str, Record]:
    """The records of a trace, from its own bytes."""
    return {
        one.name: Record(
            one.topic,
            one.partition or 0,
            one.offset or 0,
            0,
            None,
            base64.b64decode(one.value),
            {"type": one.kind.encode()},
        )
        for one in trace.steps
        if one.value
    }


def broken(trace: Trace) -> list[tuple[str, str]]:
    """Step and words of the checks that do not hold."""
    return [
        (one.name, check.what) for one in trace.steps for check in one.checks if not check.holds
    ]


async def traces(reader: ArenaReader) -> list[Trace]:
    """The traces of all orders."""
    tracer, view = Tracer(reader.bus, reader.history), reader.view
    page = await reader.history.trades(view, limit=100)
    assert page.trades
    return [await tracer.trace(view, one.order_id) for one in page.trades]


async def test_every_order_of_an_arena_holds(reader: ArenaReader) -> None:
    """All records are found, and all comparisons hold."""
    for trace in await traces(reader):
        assert not broken(trace)
        missing = {one.name: one.missing for one in trace.steps if one.missing}
        assert set(missing) <= {trace_checks.BEFORE, trace_checks.USED}, missing
        assert list(STEPS) == [one.name for one in trace.steps]
        for one in trace.steps:
            value = base64.b64decode(one.value)
            assert one.missing or one.sha256 == hashlib.sha256(value).hexdigest()


@pytest.mark.parametrize(
    ("step", "field"),
    [
        (trace_checks.BEFORE, "seq"),
        (trace_checks.ORDER, "turn_id"),
        (trace_checks.COMMAND, "arguments"),
        (trace_checks.TURN, "prompt_sha256"),
        (trace_checks.REPLY, "call_id"),
        (trace_checks.CALL, "raw_response_sha256"),
        (trace_checks.REQUEST, "snapshot_id"),
        (trace_checks.SNAPSHOT, "as_of"),
        (trace_checks.USED, "best_bid"),
    ],
)
async def test_changed_field_shows(reader: ArenaReader, step: str, field: str) -> None:
    """A comparison of the step, or of one beside it, no longer holds."""
    trace = next(one for one in await traces(reader) if not [s for s in one.steps if s.missing])
    records = records_of(trace)
    body = orjson.loads(records[step].value or b"")
    assert field in body, step
    if not body[field]:
        pytest.skip(f"a scripted model leaves {field} out")
    old = body[field]
    body[field] = old + 1 if isinstance(old, int) else f"1{old}"
    records[step] = records[step]._replace(value=orjson.dumps(body))

    assert broken(make_trace(trace.order_id, records, hide_prompts=False))


async def test_hidden_prompts_are_in_no_step(reader: ArenaReader) -> None:
    """Their bytes and what is compared with them are left out; the rest holds."""
    page = await reader.history.trades(reader.view, limit=1)
    tracer = Tracer(reader.bus, History(reader.bus))
    trace = await tracer.trace(reader.view, page.trades[0].order_id, hide_prompts=True)

    hidden: list[TraceStep] = [one for one in trace.steps if one.hidden]
    assert WITH_PROMPTS == {one.name for one in hidden}
    assert {("", "")} == {(one.value, one.sha256) for one in hidden}
    assert not broken(trace)
    assert "You are" not in trace.model_dump_json()


async def test_unknown_order_is_refused(reader: ArenaReader) -> None:
    """Also a part of an id."""
    tracer = Tracer(reader.bus, reader.history)
    for order_id in ("", "x", "0" * 1000):
        with pytest.raises(UnknownName, match="unknown order"):
            await tracer.trace(reader.view, order_id)
