"""The commands `arena feedback` and `arena prefer`: what an agent's owner tells it.

Writes `agent.feedback` and `arena.control`; reads `arena.roster`, `agent.turns` and
`judge.evaluations`.
"""

import json
from datetime import datetime
from typing import Annotated, Literal

import typer
from typer.core import TyperGroup

from arena import ids, topics
from arena.bus.base import Bus
from arena.command_sender import command_sender
from arena.errors import ArenaError, UsageError
from arena.feedback_states import FeedbackStates
from arena.halt_command import require_agent
from arena.messages import Experience, Feedback, Preferences, RiskWish, Style
from arena.messages.coaching import FEEDBACK_CHARS_MAX
from arena.node import run_async
from arena.options import AsJson, Prefix, Run, Servers
from arena.output import print_note
from arena.owner_words import WAITING_MAX, OwnerBook, preferences_key
from arena.read_topic import for_each_record
from arena.roster import read_agents
from arena.run_lookup import ArenaLocation, find_arena
from arena.tables import print_table
from arena.unknown_names import check_agent_name
from judge.prompts.frozen import require_coached

CLIENT = "arena-owner"
Whom = Literal["agent", "judge"]
NAMES = ("risk", "style", "experience")
GIVE = "give"
LIST_COLUMNS = (("agent", False), ("to", False), ("state", False), ("at", False), ("text", False))


class _GiveByDefault(TyperGroup):
    """A first word that is not a command is the agent: `arena feedback momentum "..."`."""

    def resolve_command(self, ctx, args):  # type: ignore[no-untyped-def]  # as in click
        """Choose the command; `give` for the name of an agent."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = [GIVE, *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_GiveByDefault,
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog='Example: arena feedback momentum "Take profits earlier."',
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Agent = Annotated[str, typer.Argument(help="Agent.")]
SomeAgent = Annotated[str | None, typer.Argument(help="Agent. [all]", show_default=False)]


@app.command(GIVE)
def give(
    agent: Agent,
    text: Annotated[str, typer.Argument(help=f"At most {FEEDBACK_CHARS_MAX} characters.")],
    to: Annotated[
        Whom, typer.Option("--to", help="judge: it evaluates the agent at once.")
    ] = "agent",
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """Tell an agent something: `arena feedback AGENT "text"`; its next prompts show it.

    It waits until a turn that ended with a decision showed it: see `arena feedback list`.

    Example: arena feedback momentum "Take profits earlier."
    """
    if not text.strip() or len(text) > FEEDBACK_CHARS_MAX:
        raise UsageError(
            f"the text has {len(text):,} characters" if text.strip() else "the text is blank",
            remedy=f"write 1 to {FEEDBACK_CHARS_MAX} characters",
        )
    with find_arena(servers, prefix, run, start_broker=False) as location:
        run_async(lambda: _give(location, agent, text, to, as_json=as_json))


@app.command("list")
def list_(
    agent: SomeAgent = None,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """List feedback: pending until a turn used it, or an evaluation answered it.

    Example: arena feedback list momentum --json
    """
    with find_arena(servers, prefix, run, offline=True) as location:
        run_async(lambda: _list(location, agent, as_json=as_json))


def prefer(
    agent: Agent,
    risk: Annotated[RiskWish | None, typer.Option("--risk", help="low, medium or high.")] = None,
    style: Annotated[
        Style | None, typer.Option("--style", help="conservative, balanced or aggressive.")
    ] = None,
    experience: Annotated[
        Experience | None,
        typer.Option("--experience", help="beginner, intermediate or advanced."),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove all preferences.")] = False,
    run: Run = None,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: AsJson = False,
) -> None:
    """State what an agent's owner prefers, for its next prompts; without options show it.

    Preferences that are not named stay. They are the owner's words: they change no rule and no
    limit.

    Example: arena prefer momentum --risk low --style conservative
    """
    wishes = {"risk": risk, "style": style, "experience": experience}
    given = {name: str(value) for name, value in wishes.items() if value is not None}
    if clear and given:
        flags = " ".join(f"--{name} {value}" for name, value in given.items())
        raise UsageError(
            f"--clear removes all preferences, and {flags} states some", remedy="give one of both"
        )
    changes = bool(given) or clear
    with find_arena(servers, prefix, run, start_broker=False, offline=not changes) as location:
        run_async(lambda: _prefer(location, agent, given if changes else None, as_json=as_json))


async def _give(location: ArenaLocation, agent: str, text: str, to: Whom, *, as_json: bool) -> None:
    bus = location.bus(CLIENT)
    now = bus.clock.now()
    by = command_sender()
    said = Feedback(
        feedback_id=ids.derive("feedback", agent, text, by, now.isoformat()),
        agent=check_agent_name(agent),
        to=to,
        text=text,
        by=by,
        at=now,
    )
    await bus.start()
    try:
        await require_agent(bus, agent)
        if to == "agent":
            require_coached(agent, await read_agents(bus), "its prompts show no feedback")
        states = await _states(bus)
        waiting = sum(one.feedback.to == to and not one.used_by for one in states.entries(agent))
        if waiting >= WAITING_MAX:
            raise ArenaError(
                f"{waiting} pieces of feedback are already pending for {agent}",
                remedy="wait until some are used: see `arena feedback list`",
            )
        await bus.append(topics.FEEDBACK.name, said, key=agent)
    finally:
        await bus.close()
    if as_json:
        print(json.dumps({"feedback_id": said.feedback_id, "agent": agent, "to": to}))
    elif to == "agent":
        print(f"pending: the next prompt of {agent} shows it")
    else:
        print(f"pending: the judge evaluates {agent}")


async def _states(bus: Bus) -> FeedbackStates:
    states = FeedbackStates()
    for spec in (topics.FEEDBACK, topics.TURNS, topics.EVALUATIONS):
        await for_each_record(bus, spec, states.apply)
    return states


async def _list(location: ArenaLocation, agent: str | None, *, as_json: bool) -> None:
    bus = location.bus(CLIENT)
    await bus.start()
    try:
        if agent is not None:
            await require_agent(bus, agent)
        states = await _states(bus)
    finally:
        await bus.close()
    entries = [*states.entries(agent)]
    if as_json:
        print(json.dumps([one.document() for one in entries], indent=2))
        return
    print_note(f"reading {location.name}")
    rows = [
        (
            one.feedback.agent,
            one.feedback.to,
            one.state,
            f"{one.feedback.at:%Y-%m-%d %H:%M}",
            one.feedback.text,
        )
        for one in entries
    ]
    print_table(LIST_COLUMNS, rows)


async def _prefer(
    location: ArenaLocation, agent: str, given: dict[str, str] | None, *, as_json: bool
) -> None:
    """Show preferences, or change those that are given; an empty dictionary clears all."""
    bus = location.bus(CLIENT)
    await bus.start()
    try:
        await require_agent(bus, agent)
        book = OwnerBook()
        await for_each_record(bus, topics.CONTROL, book.apply)
        found = book.preferences.get(agent)
        if given is not None:
            require_coached(agent, await read_agents(bus), "its prompts show no preferences")
            found = _preferences_after(found, check_agent_name(agent), given, bus.clock.now())
            await bus.append(topics.CONTROL.name, found, key=preferences_key(agent))
    finally:
        await bus.close()
    wishes = {name: getattr(found, name, None) for name in NAMES}
    if as_json:
        print(json.dumps({"agent": agent, **wishes}))
    else:
        named = ", ".join(f"{name} {value}" for name, value in wishes.items() if value)
        print(f"{agent}: {named or 'no preferences'}")


def _preferences_after(
    before: Preferences | None, agent: str, given: dict[str, str], at: datetime
) -> Preferences:
    """The preferences after some were given; those that are not named stay, an empty one clears."""
    kept = {} if before is None or not given else before.model_dump(include=set(NAMES))
    return Preferences.model_validate(
        {**kept, **given, "agent": agent, "by": command_sender(), "at": at}
    )
