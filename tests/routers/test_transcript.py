"""The bounds of a conversation: cut texts, and the largest turn there can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.messages import RequestedCall, ToolCall
from arena.topics import RECORD_BYTES_MAX
from arena.wire import encode
from routers.plan import FinishTurn, Limits, Opening, SendRequest, SendToolCalls
from routers.strategy import PROMPT_BYTES_MAX, Strategy
from routers.transcript import ROUNDS_MAX, clip
from routers.turn import TurnMachine
from tests.routers.builders import TRADER, now, opening, player, reply, result

PROMPT_CHARS = 60_000


@given(st.text(), st.integers(10, 200))
def test_a_cut_text_is_valid_and_bounded(text: str, bytes_max: int) -> None:
    """No half character, no control character, no more bytes than allowed."""
    cut = clip(text, bytes_max)

    assert len(cut.encode()) <= bytes_max
    assert not any(c < " " and c not in "\t\n" for c in cut)
    assert cut == clip(cut, bytes_max)


def test_a_short_text_stays_as_it_is() -> None:
    """Only what is too long is cut, and shows it."""
    assert "naïve\n" == clip("naïve\n", 20)
    assert "aaaa..." == clip("a" * 20, 7)


def hostile_calls() -> tuple[RequestedCall, ...]:
    """As much as a model can ask for, in the characters that JSON escapes most."""
    return tuple(
        RequestedCall(model_call_id='"' * 999, name="execute_trade", arguments='"' * 2_000)
        for _ in range(50)
    )


@pytest.mark.parametrize("character", ['"', "\n", "\x01", "é", "∞", "😀"])
def test_the_worst_turn_fits_in_a_record(character: str) -> None:
    """With every bound reached in every round, the turn and each request can still be sent."""
    strategy = Strategy(name="t", prompt="\n" * PROMPT_BYTES_MAX, tools=TRADER.tools)
    full = Opening(opening().snapshot, 0, 0, strategy.prompt, "1," * (PROMPT_CHARS // 2))
    machine = TurnMachine(player(Limits(rounds=ROUNDS_MAX), strategy), full)
    effects = machine.start(now())
    sizes = []
    for _ in range(ROUNDS_MAX):
        (effect,) = effects
        assert isinstance(effect, SendRequest)
        request = effect.request
        sizes.append(len(encode(request).value))
        answer = reply(request, *hostile_calls(), text=character * 100_000)
        (effect,) = machine.reply(answer, now(1))
        assert isinstance(effect, SendToolCalls)
        sent: tuple[ToolCall, ...] = effect.account
        for order in sent:
            effects = machine.result(result(order, character * 100_000), now(2))
    (effect,) = effects
    assert isinstance(effect, FinishTurn)
    sizes.append(len(encode(effect.turn).value))

    assert max(sizes) < RECORD_BYTES_MAX - 5_000
