"""The transcript of a turn."""

from dashboard.terminal.agent_screen import transcript
from routers.kinds.single import SingleTurn
from tests.routers.builders import now, reply, resolved_agent, result, trade, turn_input
from tests.routers.test_turn import calls_of, request_of, turn_of


def test_transcript_shows_thoughts_recovered_calls_and_notices() -> None:
    """A reader sees the model's thoughts, calls recovered from text, and the arena's notices."""
    machine = SingleTurn(resolved_agent(), turn_input())
    first = request_of(machine.start(now()))
    thought = reply(first).model_copy(update={"reasoning": "Up again.\x1b[31m"})
    second = request_of(machine.reply(thought, now(1)))
    recovered = trade().model_copy(update={"recovered": True})
    sent = calls_of(machine.reply(reply(second, recovered), now(2)))
    third = request_of(machine.result(result(sent.account[0], "bought"), now(3)))
    turn = turn_of(machine.reply(reply(third, text="Reasoning: in."), now(4)))

    lines = [line.plain.strip() for line in transcript(turn, 200)]

    assert any(line.startswith("thought: Up again.") for line in lines)
    assert not any("\x1b" in line for line in lines)
    assert any(line.startswith("arena: Your answer was empty") for line in lines)
    assert any(line.endswith("(recovered from text)") for line in lines)
    assert not any("full prompt" in line for line in lines)


def test_transcript_shows_the_size_of_a_small_prompt() -> None:
    """It also shows what the prompt leaves out."""
    machine = SingleTurn(resolved_agent(), turn_input())
    first = request_of(machine.start(now()))
    turn = turn_of(machine.reply(reply(first, text="Reasoning: flat."), now(1)))
    small = turn.model_copy(update={"prompt_size": "tiny", "left_out": "15m candles"})

    lines = [line.plain.strip() for line in transcript(small, 100)]

    assert "tiny prompt, without 15m candles" in lines
