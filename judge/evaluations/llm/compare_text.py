"""A comparison of two agents as text for people. Pure."""

from arena.messages import PairwiseComparison
from arena.plural import counted
from arena.prompt_versions import short_version
from judge.evaluations.llm.calibration_text import share_text
from judge.evaluations.llm.pairs import winner_of


def comparison_lines(found: PairwiseComparison) -> list[str]:
    """The result first, then the counts and what limits them."""
    a, b = found.agent_a, found.agent_b
    decided = found.a_better + found.b_better
    winner = winner_of(found)
    result = {"a": f"{a} decides better", "b": f"{b} decides better"}.get(
        winner, "no clear difference"
    )
    percent = f"{100 * found.confidence:.0f} %"
    lines = [
        f"{result}: on {counted(found.pairs, 'snapshot')},"
        f" {a} was better {found.a_better} times, {b} {found.b_better} times,"
        f" and {found.ties} were ties."
    ]
    if found.share_b is not None:
        share = share_text(*found.share_b)
        lines.append(
            f"Share of {b} of the {decided} with a winner: {share} ({percent} interval; it is too"
            " narrow, because decisions on neighbouring snapshots are alike)."
        )
    if found.first_place:
        lines.append(
            f"In {found.first_place} of the ties both orders preferred the answer that came first."
        )
    if found.failed:
        lines.append(f"{counted(found.failed, 'pair')} had no usable answer.")
    for name, versions in ((a, found.versions_a), (b, found.versions_b)):
        if len(versions) > 1:
            shown = ", ".join(short_version(one) for one in versions)
            lines.append(f"{name} played by several versions of its prompt: {shown}.")
    who = "scripted rules, not an LLM" if found.scripted else found.model or "no model"
    cost = "unknown" if found.cost_usd is None else f"{found.cost_usd:.4f} USD"
    lines.append(f"Chat node {found.node}: {who}. {counted(2 * found.pairs, 'call')}, cost {cost}.")
    return lines
