"""A kind of turn is one file: the template, as the kind `pair`, plays beside `single`."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

import routers.kinds
from arena import ids, topics
from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.exports import export_topics
from arena.messages import (
    AccountCheck,
    AgentSpec,
    CallOutcome,
    Cause,
    ChatReply,
    ChatRequest,
    Portfolio,
    Turn,
)
from routers.cli_strategies import check
from routers.kinds import AwaitedCall, create_turn
from routers.replay import TurnReplay
from routers.replay_roster import RosterHistory
from routers.replay_turn import replay_turn, turn_difference
from routers.strategy import load_strategy, turn_kinds
from routers.turn_types import Effect, FinishTurn, SendRequest
from tests.routers.builders import TRADER, now, portfolio_value, reply, resolved_agent, turn_input
from tests.routers.fake_peers import FakePeers, agent_config, playing, until
from tests.routers.test_replay import TOPICS

TEMPLATE = Path(routers.kinds.__file__).with_name("_template.py")
PAIR = replace(TRADER, turn_kind="pair", tools=())


@pytest.fixture
def pair_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The template as a kind of its own, in a folder outside the tree."""
    folder = tmp_path / "kinds"
    folder.mkdir()
    (folder / "pair.py").write_text(TEMPLATE.read_text())
    monkeypatch.setattr(routers.kinds, "__path__", [*routers.kinds.__path__, str(folder)])
    yield
    sys.modules.pop("routers.kinds.pair", None)


def test_kinds_are_the_modules_of_the_folder() -> None:
    """The template is not a kind."""
    assert ("single",) == turn_kinds()


def test_unknown_kind_is_refused(tmp_path: Path) -> None:
    """The error names the kinds that exist."""
    file = tmp_path / "odd.toml"
    file.write_text('name = "odd"\nprompt = "Trade."\nturn_kind = "oracle"\n')

    with pytest.raises(UsageError, match=r"turn_kind is 'oracle'; write single"):
        load_strategy(str(file))


@pytest.mark.usefixtures("pair_kind")
@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("x = = 1", r"SyntaxError: invalid syntax \(pair.py, line 1\)"),
        ("", "it has no create_turn"),
        ("create_turn = None", "it has no create_turn"),
    ],
)
def test_broken_kind_is_refused_before_the_first_turn(
    tmp_path: Path, code: str, fault: str
) -> None:
    """A router would end in its first turn, and again after every restart."""
    (tmp_path / "kinds" / "pair.py").write_text(code)
    file = tmp_path / "two.toml"
    file.write_text('name = "two"\nprompt = "Trade."\nturn_kind = "pair"\n')

    with pytest.raises(UsageError, match=f"turn_kind 'pair' cannot be used: {fault}"):
        load_strategy(str(file))


@pytest.mark.usefixtures("pair_kind")
def test_kind_of_a_strategy_file_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A strategy names its kind in its file, and `arena strategies check` shows it."""
    file = tmp_path / "two.toml"
    file.write_text('name = "two"\nprompt = "Trade."\nturn_kind = "pair"\n')

    assert "pair" == load_strategy(str(file)).turn_kind
    check([file])
    assert "agent, turns of kind pair, every snapshot" in capsys.readouterr().out


def test_call_ids_name_stage_and_role() -> None:
    """Without both the id is that of older records; roles of one round have different ids."""
    assert ids.derive("model-call", "t", 2) == ids.model_call_id("t", 2)
    roles = {ids.model_call_id("t", 2, "opinion", role) for role in ("", "bull", "bear")}
    assert 3 == len(roles - {ids.model_call_id("t", 2)})


@pytest.mark.usefixtures("pair_kind")
def test_requests_of_both_roles_are_in_flight_at_once() -> None:
    """Replies come in any order; duplicates and strangers are counted."""
    turn = create_turn(resolved_agent(strategy=PAIR), turn_input())
    bull, bear = (e.request for e in turn.start(now()) if isinstance(e, SendRequest))
    both = {AwaitedCall("opinion", "bull"), AwaitedCall("opinion", "bear")}
    assert both == set(turn.awaited.values())

    assert () == turn.reply(reply(bear, text="Down."), now(1))
    assert () == turn.reply(reply(bear, text="Down."), now(1))
    (end,) = turn.reply(reply(bull, text="Up."), now(2))

    assert isinstance(end, FinishTurn)
    assert (True, 1, {}) == (turn.done, turn.unmatched, turn.awaited)
    assert "bull: Up.\nbear: Down." == end.turn.final_text
    assert [("bull", 2000.0), ("bear", 1000.0)] == [(r.role, r.model_ms) for r in end.turn.rounds]
    assert ("pair", 200, 2) == (
        end.turn.turn_kind,
        end.turn.usage.prompt_tokens,
        len(end.turn.messages) - 2,
    )


@pytest.mark.usefixtures("pair_kind")
@pytest.mark.parametrize(
    ("outcome", "cause", "expected"),
    [
        ("failed", Cause.AUTH, ("failed", Cause.AUTH)),
        ("ok", "", ("failed", Cause.UNUSABLE_ANSWER)),
        (None, "", ("expired", Cause.TIMEOUT)),
    ],
)
def test_turn_without_a_text_has_the_cause(
    outcome: CallOutcome | None, cause: str, expected: tuple[str, str]
) -> None:
    """A key that is refused makes the agent dead at once, as in turns of the kind `single`."""
    turn = create_turn(resolved_agent(strategy=PAIR), turn_input())
    ends: tuple[Effect, ...] = ()
    for effect in turn.start(now()):
        if isinstance(effect, SendRequest) and outcome is not None:
            changes = {"outcome": outcome, "cause": cause, "text": ""}
            ends += turn.reply(reply(effect.request).model_copy(update=changes), now(1))
    (end,) = ends or turn.time_passed(now(turn.wake_at_s))

    assert isinstance(end, FinishTurn)
    assert expected == (end.turn.outcome, end.turn.cause)


def test_single_turn_writes_no_new_fields() -> None:
    """The records of the kind `single` have the fields of older records only."""
    turn = create_turn(resolved_agent(), turn_input())
    (asked,) = turn.start(now())
    assert isinstance(asked, SendRequest)
    (end,) = turn.reply(reply(asked.request, text="Hold."), now(1))
    assert isinstance(end, FinishTurn)

    fields = asked.request.model_dump(mode="json").keys() | end.turn.model_dump(mode="json").keys()
    fields |= end.turn.rounds[0].model_dump(mode="json").keys()

    assert set() == fields & {"stage", "role", "turn_kind", "asker"}


async def play(bus: MemoryBus, folder: Path) -> list[Turn]:
    """Two turns of an agent of the kind `pair`; the second role answers first."""
    asked: list[ChatRequest] = []

    def model(request: ChatRequest) -> ChatReply | None:
        asked.append(request)
        return None if request.role == "bull" else reply(request, text="Down.")

    peers = FakePeers(bus, model)
    async with peers.working(), playing(bus, agent_config(strategy=PAIR)):
        for number in range(2):
            asked.clear()
            await peers.publish(number)
            await until(lambda: asked[1:])
            await bus.append(topics.inbox("alpha"), reply(asked[0], text="Up."))
            await peers.wait_for_turns(number + 1)
    await export_topics(bus, folder, TOPICS)
    return await peers.ended()


@pytest.mark.usefixtures("pair_kind")
async def test_kind_plays_over_the_bus_and_replays(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """Both roles answer, the roster names the kind, and the replay builds the same machine."""
    turns = await play(memory_bus, tmp_path / "records")
    found = TurnReplay(tmp_path / "records").run()

    assert ["completed", "completed"] == [turn.outcome for turn in turns]
    assert {("bull", "ok"), ("bear", "ok")} == {(r.role, r.outcome) for r in turns[0].rounds}
    assert [] == found.differences
    assert (2, 4) == (found.counts["turns"], found.counts["requests"])
    reader = await memory_bus.log_reader(topics.ROSTER.name)
    specs = [record.message() for record in await reader.read(timeout_s=1)]
    assert ["pair"] == [one.turn_kind for one in specs if isinstance(one, AgentSpec)]
    await reader.close()


@pytest.mark.usefixtures("pair_kind")
async def test_unknown_kind_in_records_is_a_difference(
    memory_bus: MemoryBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay without the kind names the turns that it cannot replay."""
    await play(memory_bus, tmp_path / "records")
    monkeypatch.setattr(routers.kinds, "__path__", routers.kinds.__path__[:-1])
    found = TurnReplay(tmp_path / "records").run()

    assert ["a turn of kind pair"] * 2 == [one["expected"] for one in found.differences]


@pytest.mark.usefixtures("pair_kind")
async def test_kind_that_the_roster_does_not_name_is_a_difference(
    memory_bus: MemoryBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that joined as `single` plays no other kind."""
    await play(memory_bus, tmp_path / "records")
    spec_at = RosterHistory.spec_at

    def single(self: RosterHistory, agent: str, at: datetime) -> AgentSpec:
        return spec_at(self, agent, at).model_copy(update={"turn_kind": "single"})

    monkeypatch.setattr(RosterHistory, "spec_at", single)
    found = TurnReplay(tmp_path / "records").run()

    named = [(one["expected"], one["found"]) for one in found.differences]
    assert [("a turn of kind single", "pair")] * 2 == named


@pytest.mark.usefixtures("pair_kind")
@pytest.mark.parametrize("silent", [0, 1])
@pytest.mark.parametrize("end", ["time", "stop"])
def test_turn_without_a_role_replays_identically(silent: int, end: str) -> None:
    """The other role replies; the silent one is waited for in vain, or the process stops."""
    agent = resolved_agent(strategy=PAIR)
    turn = create_turn(agent, turn_input())
    asked = [e.request for e in turn.start(now()) if isinstance(e, SendRequest)]
    answer = reply(asked[1 - silent], text="Hm.")
    assert () == turn.reply(answer, now(50))
    if end == "time":
        (finish,) = turn.time_passed(now(65), note=" no")
    else:
        (finish,) = turn.stop(now(55), "aborted", "stopped")
    assert isinstance(finish, FinishTurn)

    late = reply(asked[silent], text="Late.")
    inbox = {answer.call_id: (1, answer), late.call_id: (2, late)}
    found = replay_turn(agent, turn_input(), finish.turn, inbox.get)

    assert found.turn is not None
    assert [one.call_id for one in asked] == [one.call_id for one in found.sent]
    assert None is turn_difference(finish.turn, found.turn)
    assert "expired" == finish.turn.rounds[silent].outcome
    account = Portfolio.model_validate(portfolio_value())
    checked = finish.turn.model_copy(
        update={"checked": AccountCheck(call_id="c", portfolio=account)}
    )
    named = turn_difference(checked, found.turn)
    assert named is not None
    assert named[1] == "checked None"  # the replayed turn lacks the field
