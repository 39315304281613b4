"""How an agent's turns begin: its player and its prompts, from the roster and what it remembers.

Reads what the roster holds now, writes nothing.
"""

from arena.bus.base import Record
from routers.market import SeenMarket
from routers.memory import History
from routers.plan import Opening, Player
from routers.prompt import left_out_text, render_system, render_user
from routers.roster import Roster
from routers.seat import Seat
from routers.turn import TurnMachine


class Openings:
    """Makes the turns of one agent."""

    def __init__(self, seat: Seat, roster: Roster) -> None:
        """The player is made when it is first asked for."""
        self._seat = seat
        self._roster = roster
        self._player: Player | None = None
        self._system = ""
        self._roster_version = -1

    def player(self) -> Player:
        """The player with the tools and rules that the roster holds now."""
        roster, seat = self._roster, self._seat
        if self._player is None or self._roster_version != roster.version:
            self._roster_version = roster.version
            self._system = render_system(seat.strategy.prompt, roster.rules, seat.prompt_size)
            self._player = Player.of(
                seat.agent,
                seat.chat_node,
                seat.strategy,
                seat.limits,
                roster.offers.values(),
                seat.prompt_size,
            )
        return self._player

    def open(self, record: Record, seen: SeenMarket, skipped: int, history: History) -> TurnMachine:
        """The turn on a snapshot.

        Args:
            record: Where the snapshot stood.
            seen: The snapshot and its texts.
            skipped: Older ones that were passed over since the last turn.
            history: What the agent remembers.
        """
        player = self.player()
        size, lines = player.form.size, tuple(history.lines)
        market = seen.text(size)
        user = render_user(market, seen.snapshot, history.known, lines, size)
        opening = Opening(
            snapshot=seen.snapshot,
            snapshot_offset=record.offset,
            skipped=skipped,
            system=self._system,
            user=user,
            known=history.known,
            left_out=left_out_text(self._system, market, history.known, lines, size),
        )
        return TurnMachine(player, opening)
