"""Compares orders filled on paper with the executor's, and measures the CPU of an answer's checks.

    .venv/bin/python -m tests.judge.prompts.search.measure RECORDS AGENT...

RECORDS is the folder of a run's exported records.
"""

import asyncio
import sys
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

from arena.bus.exported import ExportedBus
from judge.evaluations.checks import both_ways_bps
from judge.evaluations.turn_view import view_of
from judge.prompts.search.answer_checks import score_answer
from judge.prompts.search.paper_fills import fill_calls
from judge.prompts.search.read_recorded import read_recorded
from judge.prompts.search.recorded import RecordedPrompt, recorded_text
from tests.judge.prompts.search.searches import reply


def compare(prompts: tuple[RecordedPrompt, ...]) -> Counter[str]:
    """How many recorded orders got the same answer on paper as from the executor."""
    found: Counter[str] = Counter()
    for prompt in prompts:
        messages = prompt.turn.messages
        at = 1 + len(prompt.shown)
        calls = messages[at].tool_calls if at < len(messages) else ()
        if not calls:
            continue
        before = sum(len(message.tool_calls) for message in messages[:at])
        real = view_of(prompt.turn).calls[before : before + len(calls)]
        shown = "\n".join(one.content for one in prompt.shown if one.role != "assistant")
        costs = both_ways_bps(messages[0].content)
        tools = frozenset(tool.name for tool in prompt.offered.tools)
        cost_bps = Decimal(costs) / 2 if costs else None
        paper = fill_calls(calls, tools, shown, prompt.account, cost_bps)
        if not paper.is_known:
            found["unknown"] += len(calls)
            continue
        for ours, theirs in zip(paper.results, real, strict=True):
            found["same" if ours.ok == theirs.ok else "other"] += 1
    return found


async def measure(records: Path, agents: list[str]) -> None:
    """Print the figures of each agent."""
    for agent in agents:
        bus = ExportedBus(records)
        await bus.start()
        try:
            prompts = await read_recorded(bus, agent)
        finally:
            await bus.close()
        text = recorded_text(prompts)
        started_s = time.process_time()
        for prompt in prompts:
            score_answer(prompt, text, text, reply(prompt.turn.final_text))
        cpu_ms = (time.process_time() - started_s) * 1_000 / max(1, len(prompts))
        counts = compare(prompts)
        print(f"{agent}: {len(prompts)} prompts, orders {dict(counts)}, {cpu_ms:.1f} ms an answer")


if __name__ == "__main__":
    asyncio.run(measure(Path(sys.argv[1]), sys.argv[2:]))
