"""The bounds of a conversation: cut texts, and the largest turn there can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.messages import ChatMessage, RequestedCall, ToolCall
from arena.topics import RECORD_BYTES_MAX
from arena.wire import encode
from routers.conversation_limits import (
    CALLS_RUN_MAX,
    PROVIDER_BYTES_MAX,
    ROUNDS_MAX,
    clip,
    drop_provider_fields,
)
from routers.kinds.single import SingleTurn
from routers.strategy import PROMPT_BYTES_MAX, Strategy
from routers.turn_types import FinishTurn, Limits, SendRequest, SendToolCalls, TurnInput
from tests.routers.builders import TRADER, now, reply, resolved_agent, result, turn_input

PROMPT_CHARS = 60_000


@given(st.text(), st.integers(10, 200))
def test_cut_text_is_valid_and_bounded(text: str, bytes_max: int) -> None:
    """No half character, no control character, no more bytes than allowed."""
    cut = clip(text, bytes_max)

    assert len(cut.encode()) <= bytes_max
    assert not any(c < " " and c not in "\t\n" for c in cut)
    assert cut == clip(cut, bytes_max)


def test_short_text_is_unchanged() -> None:
    """Only a text that is too long is cut, with a mark."""
    assert "naïve\n" == clip("naïve\n", 20)
    assert "aaaa..." == clip("a" * 20, 7)


def hostile_calls() -> tuple[RequestedCall, ...]:
    """As many calls as a model can make, in characters that JSON escapes most."""
    return tuple(
        RequestedCall(
            model_call_id='"' * 999,
            name="execute_trade",
            arguments='"' * 2_000,
            problem='"' * 999 if index >= CALLS_RUN_MAX else "",
            provider={"signature": '"' * 32_000},
        )
        for index in range(50)
    )


@pytest.mark.parametrize("character", ['"', "\n", "\x01", "é", "∞", "😀"])
def test_largest_turn_fits_in_a_record(character: str) -> None:
    """With every bound reached in every round, the turn and each request can still be sent."""
    strategy = Strategy(name="t", prompt="\n" * PROMPT_BYTES_MAX, tools=TRADER.tools)
    full = TurnInput(turn_input().snapshot, 0, 0, strategy.prompt, "1," * (PROMPT_CHARS // 2))
    machine = SingleTurn(resolved_agent(Limits(rounds=ROUNDS_MAX), strategy), full)
    effects = machine.start(now())
    sizes = []
    for _ in range(ROUNDS_MAX):
        (effect,) = effects
        assert isinstance(effect, SendRequest)
        request = effect.request
        sizes.append(len(encode(request).value))
        answer = reply(request, *hostile_calls(), text=character * 100_000)
        answer = answer.model_copy(
            update={
                "provider": {"reasoning_content": character * 64_000},
                "reasoning": character * 64_000,
                "error": character * 900,
                "unreadable": character * 900,
                "truncated": True,
            }
        )
        (effect,) = machine.reply(answer, now(1))
        assert isinstance(effect, SendToolCalls)
        sent: tuple[ToolCall, ...] = effect.account
        for order in sent:
            effects = machine.result(result(order, character * 100_000), now(2))
    (effect,) = effects
    assert isinstance(effect, FinishTurn)
    sizes.append(len(encode(effect.turn).value))

    assert max(sizes) < RECORD_BYTES_MAX - 5_000
    assert "the provider wanted back: record limit" in effect.turn.left_out


def with_fields(*sizes: int) -> list[ChatMessage]:
    """Replies whose provider fields have these sizes as JSON."""
    return [
        ChatMessage(role="assistant", content=str(i), provider={"k": "x" * (size - 8)})
        for i, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ((), ()),
        ((64 * 1024,) * 3, (0, 1, 2)),
        ((PROVIDER_BYTES_MAX, 8), (1,)),
        ((PROVIDER_BYTES_MAX - 8, 8), (0, 1)),
        ((100_000, 100_000, 100_000), (1, 2)),
        ((PROVIDER_BYTES_MAX + 1,), ()),
    ],
)
def test_oldest_provider_fields_are_left_out_beyond_the_bound(
    sizes: tuple[int, ...], kept: tuple[int, ...]
) -> None:
    """Each is left out completely or not at all, and the texts stay."""
    messages = with_fields(*sizes)
    found, left_out = drop_provider_fields(messages)

    assert kept == tuple(i for i, message in enumerate(found) if message.provider)
    assert len(sizes) - len(kept) == left_out
    assert [m.content for m in messages] == [m.content for m in found]
    assert all(found[i] == messages[i] for i in kept)


def test_fields_of_calls_are_left_out_one_by_one() -> None:
    """The oldest calls lose theirs first; the calls themselves stay."""
    calls = tuple(
        RequestedCall(model_call_id=f"c{i}", name="t", arguments="{}", provider={"k": "x" * 80_000})
        for i in range(3)
    )
    found, left_out = drop_provider_fields([ChatMessage(role="assistant", tool_calls=calls)])

    assert 1 == left_out
    assert [False, True, True] == [bool(call.provider) for call in found[0].tool_calls]
