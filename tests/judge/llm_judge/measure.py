"""Measures a call of the judge about a turn: its length, and the judge's own CPU time.

    .venv/bin/python -m tests.judge.llm_judge.measure

Renders recorded turns of scripted agents, whose prompts have their real sizes, lets the scripted
judge answer, and reads the answers. CPU is that of rendering and reading, without the answers.
"""

import time
from datetime import UTC, datetime
from statistics import mean

from arena.messages import ChatReply
from arena.wire import encode
from chat_nodes.scripted.judge import judge_answer
from judge.evaluations.llm.blind import blind_turn, is_judgeable
from judge.evaluations.llm.judgement import AskedTurn, judgement_of
from judge.evaluations.llm.request import ASKER, chat_request, turn_messages
from judge.evaluations.llm.rubric import shipped_rubric
from tests.judge.llm_judge.recorded import recorded_turns

REPEATS = 5
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def main() -> None:
    """Print the figures."""
    rubric, turns = shipped_rubric(), [turn for turn in recorded_turns() if is_judgeable(turn)]
    chars, cpu_ms = list[int](), list[float]()
    for turn in turns * REPEATS:
        began = time.process_time()
        asked = AskedTurn.of(turn, blind_turn(turn).text, rubric, "judge")
        request = chat_request(asked.call_id, turn_messages(asked.text, rubric), AT)
        encode(request)
        rendered = time.process_time()
        text = judge_answer(request)
        reply = ChatReply(
            call_id=asked.call_id, asker=ASKER, node="judge", model="m", outcome="ok", text=text
        )
        answered = time.process_time()
        encode(judgement_of(asked, reply, rubric, AT))
        spent = time.process_time() - answered + rendered - began
        chars.append(sum(len(message.content) for message in request.messages))
        cpu_ms.append(spent * 1_000)
    print(f"{len(turns)} turns: {mean(chars):,.0f} characters a call, {max(chars):,} at most")
    print(f"{mean(cpu_ms):.1f} ms CPU a call")


if __name__ == "__main__":
    main()
