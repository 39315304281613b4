"""The turn machine against any order of events, with hypothesis as the adversary."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from arena.messages import (
    CallOutcome,
    ChatReply,
    ChatRequest,
    RequestedCall,
    ToolCall,
    ToolResult,
    Turn,
)
from routers.turn import TurnMachine
from routers.turn_types import Effect, FinishTurn, Limits, SendRequest
from tests.routers.builders import now, reply, resolved_agent, result, turn_input

LIMITS = Limits(rounds=3, decision_s=60, tool_s=10, grace_s=5)
NAMES = st.sampled_from(["execute_trade", "get_portfolio", "calculator", "nonsense", ""])
CALLS = st.lists(
    st.builds(
        RequestedCall,
        model_call_id=st.sampled_from(["", "a", "b", "c"]),
        name=NAMES,
        arguments=st.text(max_size=30),
    ),
    max_size=20,
)


class AnyTurn(RuleBasedStateMachine):
    """Replies, results, duplicates and time in any order: one end, no second effect."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = TurnMachine(resolved_agent(LIMITS), turn_input())
        self.seconds = 0.0
        self.requests: list[ChatRequest] = []
        self.sent: list[ToolCall] = []
        self.replies: list[ChatReply] = []
        self.results: list[ToolResult] = []
        self.turns: list[Turn] = []
        self.take(self.machine.start(now()))

    def take(self, effects: tuple[Effect, ...]) -> None:
        """Keep what the machine asked for."""
        for effect in effects:
            if isinstance(effect, SendRequest):
                self.requests.append(effect.request)
            elif isinstance(effect, FinishTurn):
                self.turns.append(effect.turn)
            else:
                self.sent += [*effect.account, *effect.stateless]

    @rule(calls=CALLS, text=st.text(max_size=20))
    def the_model_answers(self, calls: list[RequestedCall], text: str) -> None:
        """To the newest request."""
        self.replies.append(reply(self.requests[-1], *calls, text=text))
        self.take(self.machine.reply(self.replies[-1], now(self.seconds)))

    @rule(outcome=st.sampled_from(["expired", "refused", "failed"]))
    def the_model_gives_up(self, outcome: CallOutcome) -> None:
        """Without an answer."""
        failed = reply(self.requests[-1], outcome=outcome)
        self.take(self.machine.reply(failed, now(self.seconds)))

    @rule(pick=st.integers(0, 99), ok=st.booleans(), text=st.text(max_size=20))
    def a_tool_answers(self, pick: int, ok: bool, text: str) -> None:
        """Any call that was ever sent, in any order, also again."""
        if self.sent:
            self.results.append(result(self.sent[pick % len(self.sent)], text, ok=ok))
            self.take(self.machine.result(self.results[-1], now(self.seconds)))

    @rule(pick=st.integers(0, 99))
    def an_old_message_comes_again(self, pick: int) -> None:
        """A duplicate that counted before changes nothing."""
        for old in (self.replies, self.results):
            if not old:
                continue
            message = old[pick % len(old)]
            if isinstance(message, ChatReply) and message.call_id != self.requests[-1].call_id:
                assert () == self.machine.reply(message, now(self.seconds))

    @rule(step=st.floats(0, 40))
    def time_passes(self, step: float) -> None:
        """Some seconds."""
        self.seconds += step
        self.take(self.machine.time_passed(now(self.seconds)))

    @invariant()
    def it_ends_once_and_within_its_bounds(self) -> None:
        """One turn at most, after it nothing, and never more rounds or calls than allowed."""
        assert len(self.turns) <= 1
        assert self.machine.done == bool(self.turns)
        assert len(self.requests) <= LIMITS.rounds
        assert len({r.call_id for r in self.requests}) == len(self.requests)
        assert len({c.call_id for c in self.sent}) == len(self.sent) <= LIMITS.rounds * 8

    @invariant()
    def every_conversation_is_well_formed(self) -> None:
        """Each kept tool call is answered exactly once, in order, before the next request."""
        for request in self.requests:
            asked: list[str] = []
            for message in request.messages:
                if message.role == "tool":
                    assert asked.pop(0) == message.tool_call_id
                else:
                    assert [] == asked
                    asked = [c.model_call_id for c in message.tool_calls]
            assert [] == asked

    def teardown(self) -> None:
        """Given time, every turn ends."""
        for _ in range(3 * LIMITS.rounds):
            self.seconds += 100
            self.take(self.machine.time_passed(now(self.seconds)))
        assert 1 == len(self.turns)
        turn = self.turns[0]
        assert sum(len(r.tool_call_ids) for r in turn.rounds) >= len(self.sent)


AnyTurn.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestAnyTurn = AnyTurn.TestCase
