"""What a coach sees of an agent: lines for its screen, and the screen of its versions. Pure."""

from rich.text import Text

from arena.messages.coaching import DIMENSIONS
from arena.prompt_versions import short_version
from dashboard import text
from dashboard.model.frame import Frame
from dashboard.model.results import AgentCoaching, EvaluationResult, PromptVersionResult
from dashboard.terminal.borders import Section, bottom, pane_lines, top
from dashboard.terminal.grid import Column, blank, fit, table, wrap
from dashboard.terminal.palette import GAIN, LOSS, QUIET, TITLE, WARNING
from dashboard.terminal.screen_body import ScreenBody
from dashboard.terminal.trial_lines import trial_lines
from dashboard.terminal.ui import KeyLimits, Ui

REASON_CHARS = 120
DIFF_STYLES = {"+": GAIN, "-": LOSS, "@": QUIET}
EVALUATIONS = (
    Column("market time", cells_min=11),
    Column("overall", "right"),
    Column("grade"),
    Column("returns", "right"),
    Column("risk", "right"),
    Column("quality", "right"),
    Column("consistency", "right", optional=1),
    Column("trend", cells_min=9),
    Column("cause", optional=2),
    Column("turns", "right"),
    Column("version", cells_min=8, grow=True),
)


def coaching_lines(found: AgentCoaching | None) -> list[Text]:
    """The newest evaluation, and the version in force with what is pending; neither without any."""
    lines: list[Text] = []
    if found is None:
        return lines
    if found.evaluations:
        lines.append(_evaluation_line(found.evaluations[0]))
    now = next((one for one in found.prompts if one.version == found.in_force), None)
    if now is not None and (len(found.prompts) > 1 or found.waiting or found.feedback):
        line = Text.assemble((f"prompt {short_version(now.version)} ", TITLE), no_wrap=True)
        line.append(f"by {now.author}, {_since(now)}")
        if found.waiting:
            what = f"  {short_version(found.waiting.version)} by {found.waiting.author} is pending"
            line.append(what, style=WARNING)
            if running := next((one for one in found.trials if one.state == "running"), None):
                line.append(f", trial running: {running.words}", style=WARNING)
        if found.feedback:
            line.append(f"  pending feedback: {len(found.feedback)}", style=WARNING)
        if found.frozen:
            line.append(f"  frozen {found.frozen}", style=QUIET)
        lines.append(line)
    return lines


def _evaluation_line(one: EvaluationResult) -> Text:
    line = Text.assemble((f"score {_score(one.overall)} {one.grade or ''}".rstrip(), TITLE))
    line.no_wrap = True
    line.append(f" {_trend(one)}")
    for name in DIMENSIONS:
        line.append(f"  {name} ", style=QUIET)
        line.append(_score(one.dimensions.get(name)))
    if one.corrected is not None:
        line.append(f"  quality corrected {one.corrected[0]:.2f} to {one.corrected[1]:.2f}")
    if one.failed:
        failed = ", ".join(f"{check.check} {check.failed}/{check.checked}" for check in one.failed)
        line.append(f"  failed: {failed}", style=WARNING)
    return line


def coaching_body(frame: Frame, ui: Ui, width: int, height: int) -> ScreenBody:
    """An agent's evaluations, the versions of its prompt with what changed, its owner's words."""
    inner, room = width - 4, height - 2
    found = frame.coaching
    lines = _all_lines(found, inner) if found else []
    lines = lines or wrap(f"{ui.agent} was not evaluated yet, and its prompt has one text", inner)
    scroll_max = max(0, len(lines) - room)
    first = min(ui.scroll, scroll_max)
    place = f"{min(first + 1, len(lines))}-{min(len(lines), first + room)} of {len(lines)}"
    shown = [
        top(width, Section(f"{ui.agent}: coaching", focused=True)),
        *pane_lines(lines[first : first + room], width, room),
        bottom(width, [("↑↓", "scroll"), ("esc", "back")], [Text(place, style=QUIET)]),
    ]
    limits = KeyLimits(
        agents=tuple(one.agent for one in frame.ranking),
        turns=tuple(turn.turn_id for turn in reversed(frame.turns)),
        scroll_max=scroll_max,
        page=max(1, room - 1),
    )
    return ScreenBody(shown, limits)


def _all_lines(found: AgentCoaching, width: int) -> list[Text]:
    lines: list[Text] = []
    if found.evaluations:
        lines += table(EVALUATIONS, [_cells(one) for one in found.evaluations], width)
        newest = found.evaluations[0]
        for check in newest.failed:
            lines += wrap(f"{check.check}: {check.words}", width, style=WARNING)
        if newest.judged is not None:
            lines += wrap(f"model as judge: {text.clean(newest.judged.words)}", width, style=QUIET)
        for note in newest.notes:
            lines += wrap(f"note: {text.clean(note)}", width, style=QUIET)
    if found.waiting is not None:
        lines += [*_gap(lines, width), *_version_lines(found.waiting, width)]
        if found.waiting_trial:
            lines += wrap(text.clean(found.waiting_trial), width, style=WARNING)
        lines += wrap(f"arena prompts approve {found.agent}, or reject", width, style=WARNING)
    lines += trial_lines(found.trials, width, gap=bool(lines))
    for one in found.prompts:
        lines += [*_gap(lines, width), *_version_lines(one, width)]
    lines += _owner_lines(found, width)
    return lines


def _gap(lines: list[Text], width: int) -> list[Text]:
    return [blank(width)] if lines else []


def _cells(one: EvaluationResult) -> list[Text]:
    scores = (_score(one.dimensions.get(name)) for name in DIMENSIONS)
    words = (
        f"{one.as_of:%m-%d %H:%M:%S}",
        _score(one.overall),
        one.grade or "-",
        *scores,
        _trend(one),
        one.cause,
        text.count(one.turns),
        short_version(one.version) or "-",
    )
    return [Text(word) for word in words]


def _version_lines(one: PromptVersionResult, width: int) -> list[Text]:
    head = Text.assemble((f"{short_version(one.version)} ", TITLE), no_wrap=True)
    head.append(one.state, style=WARNING if one.state == "pending" else "")
    template = f" ({one.template})" if one.template else ""
    head.append(f"  by {one.author}{template}, {_since(one)}")
    lines = [fit(head, width)]
    if one.reason:
        lines += wrap(f"because: {text.one_line(one.reason, REASON_CHARS)}", width, indent="  ")
    if one.decided_by:
        why = f": {text.one_line(one.decided_for, REASON_CHARS)}" if one.decided_for else ""
        lines += wrap(f"decided by {text.one_line(one.decided_by, 60)}{why}", width, indent="  ")
    for line in one.diff:
        style = DIFF_STYLES.get(line[:1], "")
        lines += wrap(text.clean(line), width, style=style, indent="    ")
    return lines


def _owner_lines(found: AgentCoaching, width: int) -> list[Text]:
    lines: list[Text] = []
    wish = found.preferences
    if wish is not None:
        named = (("risk", wish.risk), ("style", wish.style), ("experience", wish.experience))
        words = ", ".join(f"{name} {value}" for name, value in named if value) or "nothing"
        lines += [blank(width), *wrap(f"the owner prefers: {words}", width)]
    for one in found.feedback:
        words = f'pending feedback to the {one.to}: "{text.clean(one.text)}"'
        lines += wrap(words, width, style=WARNING)
    return lines


def _since(one: PromptVersionResult) -> str:
    return "never in force" if one.since is None else f"since {one.since:%m-%d %H:%M:%S}"


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _trend(one: EvaluationResult) -> str:
    return one.trend if one.trend_change is None else f"{one.trend} {one.trend_change:+.2f}"
