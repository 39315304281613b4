"""Reads the account log for limits of risk: the accounts, the limits in force, what they did."""

from dataclasses import dataclass, field

from arena import topics
from arena.accounts import Shard
from arena.bus.base import Bus, Record
from arena.pass_overs import PassedOver, read_passed_over
from arena.read_topic import for_each_record
from arena.risk_report import RiskReport


@dataclass(slots=True)
class RiskLog:
    """The fold of the account log, with a report of what limits did.

    Attributes:
        passed_over: The records that an operator named.
        shards: Partition -> its fold.
        report: What limits did.
    """

    passed_over: PassedOver
    shards: dict[int, Shard] = field(default_factory=dict)
    report: RiskReport = field(default_factory=RiskReport)

    def take(self, record: Record) -> None:
        """Fold a record.

        Raises:
            BrokenLog: The log is damaged here.
        """
        new = Shard(passed_over=self.passed_over.get(record.partition, {}))
        shard = self.shards.setdefault(record.partition, new)
        if shard.apply(record.kind, record.value, record.offset) is not None:
            self.report.take(record.message_or_none())


async def read_risk_log(bus: Bus) -> RiskLog:
    """Read the whole account log of an arena.

    Raises:
        BrokerUnavailable: It cannot be read to its end.
        BrokenLog: It is damaged.
    """
    log = RiskLog(await read_passed_over(bus))
    await for_each_record(bus, topics.EVENTS, log.take)
    return log
