"""One agent's turns: the list, the transcript of one turn, and its exact prompt. Pure."""

from collections.abc import Iterator

from rich.text import Text

from arena.messages import LASTING_CAUSES, ChatMessage, Round, Turn
from arena.plural import counted
from dashboard import text
from dashboard.labels import model_text
from dashboard.model.frame import Frame
from dashboard.model.rows import AgentRow
from dashboard.model.wealth import CurrencyRow
from dashboard.terminal.borders import Section, bottom, divider, pane_lines, top
from dashboard.terminal.coaching_lines import coaching_lines
from dashboard.terminal.grid import Column, blank, fit, table, wrap
from dashboard.terminal.palette import (
    ALARM,
    GAIN,
    LOSS,
    QUIET,
    SELECTED_MARK,
    TITLE,
    WARNING,
    agent_style,
    change_style,
)
from dashboard.terminal.risk_lines import risk_lines
from dashboard.terminal.screen_body import ScreenBody
from dashboard.terminal.ui import KeyLimits, Ui

PROMPT_CHARS_MAX = 400_000
RESULT_LINES_MAX = 40
THOUGHT_LINES_MAX = 12
ANSWER_LINES_MAX = 200
FIGURES_LINES = 2
"""Lines of figures of an account in one currency, and the least of any."""
TURNS = (
    Column(""),
    Column("started"),
    Column("outcome", cells_min=9),
    Column("rounds", "right"),
    Column("tools", "right"),
    Column("tokens", "right"),
    Column("cost", "right"),
    Column("took", "right", cells_min=8),
    Column("prompt", optional=1),
    Column("skipped", "right", optional=2),
    Column("words", optional=3, grow=True),
)


def agent_body(frame: Frame, ui: Ui, width: int, height: int) -> ScreenBody:
    """The agent's figures, its newest turns, and the chosen turn's transcript."""
    inner = width - 4
    row = frame.row(ui.agent)
    turns = tuple(reversed(frame.turns))
    chosen = _chosen(turns, ui.turn_id)
    list_height = min(1 + max(1, len(turns)), max(4, height // 4))
    figures = _figures(row, inner) if row else [blank(inner)] * FIGURES_LINES
    figures += [fit(one, inner) for one in coaching_lines(frame.coaching)]
    figures = figures[: max(FIGURES_LINES, height - 5 - list_height)]
    body_height = height - 4 - len(figures) - list_height
    lines = transcript(chosen, inner) if chosen else _no_turn(ui.agent, inner)
    scroll_max = max(0, len(lines) - body_height)
    first = min(ui.scroll, scroll_max)
    name = Section(ui.agent, notes=_labels(row) if row else ())
    shown = [
        top(width, name),
        *pane_lines(figures, width, len(figures)),
        divider(width, None, "", Section(f"turns ({len(turns)} newest)", focused=True), None),
        *pane_lines(_turn_list(frame, turns, chosen, inner, list_height), width, list_height),
        divider(width, None, "", _turn_title(chosen), None),
        *pane_lines(lines[first : first + body_height], width, body_height),
        bottom(width, _keys(), _place(first, body_height, len(lines))),
    ]
    limits = KeyLimits(
        agents=tuple(one.agent for one in frame.ranking),
        turns=tuple(turn.turn_id for turn in turns),
        scroll_max=scroll_max,
        page=max(1, body_height - 1),
    )
    return ScreenBody(shown, limits)


def prompt_body(frame: Frame, ui: Ui, width: int, height: int) -> ScreenBody:
    """The prompt of a turn, line by line as the model got it."""
    inner, room = width - 4, height - 2
    turns = tuple(reversed(frame.turns))
    turn = _chosen(turns, ui.turn_id)
    lines = prompt_lines(turn, inner) if turn else _no_turn(ui.agent, inner)
    scroll_max = max(0, len(lines) - room)
    first = min(ui.scroll, scroll_max)
    digest = f"sha256 {turn.prompt_sha256[:16]}" if turn else ""
    title = Section(f"{ui.agent}: exact prompt", True, [Text(digest, style=QUIET)])
    shown = [
        top(width, title),
        *pane_lines(lines[first : first + room], width, room),
        bottom(
            width,
            [("↑↓", "scroll"), ("space", "page"), ("esc", "back")],
            _place(first, room, len(lines)),
        ),
    ]
    limits = KeyLimits(
        agents=tuple(one.agent for one in frame.ranking),
        turns=tuple(one.turn_id for one in turns),
        scroll_max=scroll_max,
        page=max(1, room - 1),
    )
    return ScreenBody(shown, limits)


def _keys() -> list[tuple[str, str]]:
    return [
        ("↑↓", "turn"),
        ("space", "scroll"),
        ("p", "prompt"),
        ("c", "coaching"),
        ("←→", "agent"),
        ("esc", "back"),
    ]


def _place(first: int, room: int, total: int) -> list[Text]:
    return [Text(f"{min(first + 1, total)}-{min(total, first + room)} of {total}", style=QUIET)]


def _chosen(turns: tuple[Turn, ...], turn_id: str) -> Turn | None:
    newest = turns[0] if turns else None
    return next((turn for turn in turns if turn.turn_id == turn_id), newest)


def _no_turn(agent: str, width: int) -> list[Text]:
    return wrap(f"no turn yet: {agent} has not completed one", width)


def _labels(row: AgentRow) -> list[Text]:
    """The agent's strategy, model and node, most important first."""
    labels = [Text("scripted rules, not an LLM", style=WARNING)] if row.scripted else []
    if row.kind == "baseline":
        labels.append(Text("baseline", style=QUIET))
    labels.append(Text(f"strategy {row.strategy}", style=QUIET))
    if not row.scripted:
        labels.append(Text(f"model {model_text(row)}", style=QUIET))
    labels.append(Text(f"node {row.node}", style=QUIET))
    return labels


def _figures(row: AgentRow, width: int) -> list[Text]:
    gain = row.gain
    rank = (f"#{row.rank} ", agent_style(row.colour))
    if not row.ranked:
        rank = ("dead  ", ALARM) if row.dead else ("no rank  ", WARNING)
    worth = Text.assemble(rank, no_wrap=True)
    shown = text.money(row.equity, row.digits)
    if row.currencies:
        shown = f"wealth index {text.index(gain, row.whole)}"
    worth.append(shown, style="bold")
    worth.append(f"  {text.signed_percent(gain, row.whole)}", style=change_style(gain))
    if not row.currencies:
        worth.append(_amounts_text(row))
    work = Text(no_wrap=True)
    if row.dead:
        work.append(f"dead: {text.one_line(row.dead.cause)}   ", style=ALARM)
    elif row.not_comparable:
        work.append(f"not comparable: {text.one_line(row.not_comparable)}   ", style=WARNING)
    work.append(f"{counted(row.fills, 'trade')}, {text.count(row.rejections)} rejected   ")
    work.append(f"{counted(row.turns, 'turn')}, {text.count(row.turns_aborted)} aborted   ")
    work.append(f"not asked: {row.gates.skipped_text}   gates: {row.gates.gates}   ")
    if saved := row.gates.saved_text:
        work.append(f"saved {saved}   ")
    work.append(f"{'~' * row.estimated}{text.short_count(row.tokens)} tokens")
    accounts = [_account_line(one) for one in row.currencies]
    return [fit(one, width) for one in (worth, *accounts, work, *risk_lines(row.risk))]


def _account_line(one: CurrencyRow) -> Text:
    """An account in one of several currencies; its name is before its amounts."""
    line = Text.assemble((f"{one.currency:<5} ", TITLE), no_wrap=True)
    line.append(text.money(one.equity, one.digits), style="bold")
    gain = one.equity - one.opening
    line.append(f"  {text.signed_percent(gain, one.opening)}", style=change_style(gain))
    line.append(_amounts_text(one))
    return line


def _amounts_text(one: AgentRow | CurrencyRow) -> str:
    amounts = (
        f"cash {text.money(one.cash, one.digits)}",
        f"fees {text.money(one.fees, one.digits)}",
        f"realised {text.signed_money(one.realised, one.digits)}",
        f"latency {text.signed_money(-one.latency_cost, one.digits)}",
    )
    return "".join(f"   {words}" for words in amounts)


def _turn_list(
    frame: Frame, turns: tuple[Turn, ...], chosen: Turn | None, width: int, height: int
) -> list[Text]:
    if chosen is None:
        return [blank(width)]
    index = turns.index(chosen)
    room = height - 1
    first = max(0, min(index - room // 2, len(turns) - room))
    rows = [_turn_cells(frame, turn, turn is chosen) for turn in turns[first : first + room]]
    return table(TURNS, rows, width)


def _turn_cells(frame: Frame, turn: Turn, here: bool) -> list[Text]:
    calls = sum(len(one.tool_call_ids) for one in turn.rounds)
    tokens = turn.usage.prompt_tokens + turn.usage.completion_tokens
    started = turn.started_at.astimezone(frame.now.tzinfo)
    return [
        Text(SELECTED_MARK if here else " "),
        Text(f"{started:%H:%M:%S}", style="bold" if here else ""),
        Text(turn.outcome.replace("_", " "), style=_outcome_style(turn)),
        Text(str(len(turn.rounds))),
        Text(str(calls)),
        Text("~" * turn.usage.estimated + text.count(tokens)),
        Text(_cost(turn)),
        Text(text.milliseconds(turn.total_ms)),
        Text(turn.prompt_sha256[:8], style=QUIET),
        Text(text.count(turn.skipped_snapshots)),
        _turn_words(turn),
    ]


def _outcome_style(turn: Turn) -> str:
    """Red for a lasting failure, amber for any other turn that did not complete."""
    if turn.outcome == "completed":
        return ""
    return ALARM if turn.cause in LASTING_CAUSES else WARNING


def _turn_words(turn: Turn) -> Text:
    if turn.outcome != "completed" and turn.error:
        return Text(text.one_line(turn.error, 200), style=_outcome_style(turn))
    return Text(text.one_line(turn.final_text, 200), style=QUIET)


def _cost(turn: Turn) -> str:
    if turn.scripted:
        return "none"
    return "unknown" if turn.usage.cost_usd is None else text.cost(turn.usage.cost_usd)


def _turn_title(turn: Turn | None) -> Section:
    return Section(f"turn {turn.turn_id[:8]}" if turn else "turn")


def transcript(turn: Turn, width: int) -> list[Text]:
    """The rounds of a turn as text, with its prompt's size and its outcome."""
    rest = _after_prompt(turn)
    prompt = turn.messages[: len(turn.messages) - len(rest)]
    size = sum(len(message.content) for message in prompt)
    market = f"snapshot {turn.snapshot_id[:8]} as of {turn.as_of:%Y-%m-%d %H:%M:%S} UTC"
    age = f"{turn.snapshot_age_ms:,.0f} ms old, {turn.skipped_snapshots} skipped before it"
    if turn.asked:
        age += f", asked for {text.clean(turn.asked)} {text.clean(turn.asked_by)}".rstrip()
    version = f"prompt {turn.prompt_sha256[:16]} version {turn.prompt_version}"
    lines = [
        *wrap(f"{market}, {age}", width),
        *wrap(
            f"{version}: {counted(size, 'character')} in {counted(len(prompt), 'message')}", width
        ),
    ]
    if turn.prompt_size != "full" or turn.left_out:
        shown = f"{turn.prompt_size} prompt, without {text.clean(turn.left_out) or 'nothing'}"
        lines += wrap(shown, width)
    answers = list(_answers(rest))
    for number, one in enumerate(turn.rounds, 1):
        answer = answers.pop(0) if answers and one.outcome == "ok" else None
        lines += _round_lines(number, one, answer, width)
    for answer in answers:
        lines += _answer_lines(answer, (), width)
    style = _outcome_style(turn) or GAIN
    lines.append(
        fit(
            Text.assemble(
                (turn.outcome.replace("_", " "), style),
                f" after {text.milliseconds(turn.total_ms)}",
            ),
            width,
        )
    )
    if turn.error:
        lines += wrap(text.clean(turn.error), width, style=LOSS, indent="  ")
    return lines


_Answer = tuple[ChatMessage, list[ChatMessage]]


def _after_prompt(turn: Turn) -> tuple[ChatMessage, ...]:
    """The conversation after the prompt."""
    messages = turn.messages
    first = next((i for i, m in enumerate(messages) if m.role in ("assistant", "tool")), None)
    return () if first is None else messages[first:]


def _answers(messages: tuple[ChatMessage, ...]) -> Iterator[_Answer]:
    """Each assistant message with the tool messages that follow it."""
    answer: _Answer | None = None
    for message in messages:
        if message.role == "assistant":
            if answer:
                yield answer
            answer = (message, [])
        elif answer:
            answer[1].append(message)
    if answer:
        yield answer


def _round_lines(number: int, one: Round, answer: _Answer | None, width: int) -> list[Text]:
    used = one.usage
    head = Text.assemble(
        (f"round {number}", TITLE),
        ("" if one.outcome == "ok" else f"  {one.outcome}", WARNING),
        f"  model {text.milliseconds(one.model_ms)}",
        f"  tools {text.milliseconds(one.tools_ms)}" if one.tool_call_ids else "",
        f"  {'~' * used.estimated}{text.count(used.prompt_tokens)}",
        f" + {text.count(used.completion_tokens)} tokens",
        (f"  {one.finish_reason}" if one.finish_reason else "", QUIET),
        no_wrap=True,
    )
    lines = [fit(head, width)]
    if one.error:
        lines += wrap(text.clean(one.error), width, style=LOSS, indent="  ")
    if answer:
        lines += _answer_lines(answer, one.tools_ok, width)
    return lines


def _answer_lines(answer: _Answer, tools_ok: tuple[bool, ...], width: int) -> list[Text]:
    message, results = answer
    lines: list[Text] = []
    if message.reasoning:
        thought = f"thought: {text.clean(message.reasoning)}"
        lines += wrap(thought, width, style=QUIET, indent="  ", limit=THOUGHT_LINES_MAX)
    if message.content:
        answer_text = text.clean(message.content)
        lines += wrap(f'"{answer_text}"', width, indent="  ", limit=ANSWER_LINES_MAX)
    by_call = {result.tool_call_id: result.content for result in results}
    for index, call in enumerate(message.tool_calls):
        call_text = f"{text.one_line(call.name, 60)} {text.one_line(call.arguments, 2_000)}"
        call_text += " (recovered from text)" if call.recovered else ""
        lines += wrap(call_text, width, style="bold", indent="  ", limit=RESULT_LINES_MAX)
        ok = tools_ok[index] if index < len(tools_ok) else None
        mark = {True: "ok", False: "refused", None: "no answer"}[ok]
        result = text.clean(by_call.get(call.model_call_id, ""))
        style = QUIET if ok else WARNING
        lines += wrap(
            f"→ {mark}: {result}", width, style=style, indent="    ", limit=RESULT_LINES_MAX
        )
    for notice in (text.clean(one.content) for one in results if one.role == "user"):
        lines += wrap(f"arena: {notice}", width, style=WARNING, indent="  ", limit=RESULT_LINES_MAX)
    return lines


def prompt_lines(turn: Turn, width: int) -> list[Text]:
    """The whole prompt of a turn; characters that could act on the terminal are made visible."""
    rest = _after_prompt(turn)
    lines: list[Text] = []
    for message in turn.messages[: len(turn.messages) - len(rest)]:
        lines.append(fit(Text(f"[{message.role}]", style=TITLE), width))
        shown = text.clean(message.content, PROMPT_CHARS_MAX)
        lines += wrap(shown, width)
        if len(message.content) > PROMPT_CHARS_MAX:
            cut = text.count(len(message.content) - PROMPT_CHARS_MAX)
            lines.append(fit(Text(f"({cut} more characters)", style=WARNING), width))
        lines.append(blank(width))
    return lines or wrap("no prompt: the turn was aborted before one was sent", width)
