"""Decides which shards this process should serve: a question of liveness, never of safety.

Members of the group `node:executor` share the partitions of `account.commands`; a member without
any is a hot standby. The group has no other purpose: commands are read by log readers, from the
offset that follows from the account log. Safety comes from the epochs in the log alone, so this
module may be wrong for a while, in either direction, and only time is lost:

* A member that lost a shard serves it for another `GRACE_S`: a rebalance in which it gets the shard
  back must not stop trading, and if another member has it, the first append shows that.
* A member that waits for its first assignment (after a kill -9 the group waits for the dead
  member's session to end) serves a shard that has no owner, or whose owner is a dead process of
  this machine.
"""

import psutil

from arena import topics
from arena.bus.base import LATEST, Assignment
from arena.node import Node
from arena.unknown_names import NODE_GROUP

GROUP = f"{NODE_GROUP}executor"
OLD_GROUP = "executor"
"""Until 0.2.0; an agent may have this name."""
GRACE_S = 12.0
"""A little longer than the session time-out of a dead member."""
POLL_S = 1.0


class ShardMembership:
    """This process's membership in the group of executors."""

    def __init__(self, node: Node) -> None:
        """Create the membership; `run` joins."""
        self._node = node
        self._joined = False
        self._assigned: frozenset[int] = frozenset()
        self._lost_at: dict[int, float] = {}
        self._provisional: set[int] = set()

    async def run(self) -> None:
        """Join the group and stay a member until cancelled."""
        reader = await self._node.bus.group_reader(
            GROUP,
            topics.COMMANDS.name,
            start=LATEST,
            on_change=self._changed,
            old_group=OLD_GROUP,
        )
        reader.partition_counts = {}  # The executor itself checks whether partitions are added.
        try:
            self._joined = True
            self._changed(reader.assignment())
            while True:
                reader.pause(reader.assignment())
                await reader.read(timeout_s=POLL_S, max_records=1)
        finally:
            await reader.close()

    def assigned(self, shard: int) -> bool:
        """True if the group assigns the shard to this process now."""
        return shard in self._assigned

    def should_serve(self, shard: int) -> bool:
        """True if this process should own the shard, or may keep it."""
        if shard in self._assigned or (not self._joined and shard in self._provisional):
            return True
        lost_at = self._lost_at.get(shard)
        return lost_at is not None and self._node.clock.monotonic() - lost_at < GRACE_S

    def give_up(self, shard: int) -> None:
        """Another process owns the shard: wait to be assigned it."""
        self._lost_at.pop(shard, None)
        self._provisional.discard(shard)

    def note_owner(self, shard: int, owner: str) -> None:
        """Note the last owner of a shard, as its epoch names it; "" if it never had one."""
        if not owner or is_dead_neighbour(owner, self._node.host):
            self._provisional.add(shard)
        else:
            self._provisional.discard(shard)

    def _changed(self, assignment: Assignment) -> None:
        shards = frozenset(partition for _, partition in assignment)
        if self._joined:
            now = self._node.clock.monotonic()
            self._lost_at |= dict.fromkeys(self._assigned - shards, now)
        self._assigned = shards
        self._node.log.info("assignment", shards=sorted(shards))


def is_dead_neighbour(owner: str, host: str) -> bool:
    """True if an owner's id names a process of this host that has ended.

    Args:
        owner: "<kind>/<name>/<host>/<process id>/<unique>".
        host: This machine.
    """
    parts = owner.split("/")
    if len(parts) < 3 or parts[-3] != host or not parts[-2].isdigit():
        return False
    try:
        status: str = psutil.Process(int(parts[-2])).status()
    except psutil.NoSuchProcess:
        return True
    return status == psutil.STATUS_ZOMBIE
