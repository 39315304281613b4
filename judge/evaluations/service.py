"""Publishes evaluations of agents, in the judge's process.

Reads what the judge reads, and `judge.evaluations`, `arena.control` and `agent.feedback` for
earlier evaluations and for what asks for one. Writes `judge.evaluations`, keyed by the agent. Its
only state is the topics: nothing is evaluated twice after a restart, and of what was missed
meanwhile only the newest is made up for.
"""

from collections.abc import Awaitable, Callable

from arena import topics
from arena.bus.base import Record
from arena.messages import AgentEvaluation
from arena.node import Node
from judge.checkpoints import SeasonCheckpoint
from judge.evaluations.book import EvaluationBook
from judge.evaluations.due import Due, due_evaluations
from judge.evaluations.evaluate import EvaluationOptions, evaluate
from judge.evaluations.llm.rubric import shipped_rubric

CatchUp = Callable[[], Awaitable[None]]


class AgentEvaluator:
    """Evaluates agents when they are due.

    Attributes:
        book: Earlier evaluations, and what asks for one.
        rubric: The questions that a model is asked about turns.
    """

    def __init__(
        self, node: Node, checkpoint: SeasonCheckpoint, options: EvaluationOptions
    ) -> None:
        """Create an evaluator.

        Args:
            node: The judge's node.
            checkpoint: The judge's season, with the checks of its turns.
            options: Options of the judge.
        """
        self.node = node
        self.checkpoint = checkpoint
        self.options = options
        self.book = EvaluationBook()
        self.rubric = shipped_rubric()

    def apply(self, record: Record) -> None:
        """Fold a record of `judge.evaluations.book.BOOK_TOPICS`."""
        self.book.apply(record)

    def due(self) -> list[Due]:
        """Return what is due now."""
        checkpoint = self.checkpoint
        return due_evaluations(checkpoint.builder, checkpoint.checks, self.book, self.options)

    async def publish_due(self, catch_up: CatchUp) -> None:
        """Publish what is due.

        Args:
            catch_up: Reads all topics to their ends: what was decided before a turn ended, and what
                another judge published meanwhile.
        """
        if not self.due():
            return
        await catch_up()
        for due in self.due():
            await self._publish(due)

    async def _publish(self, due: Due) -> None:
        began = self.node.clock.monotonic()
        # In a thread, so that heartbeats continue. Nothing is folded until it returns.
        found = await self.node.threads.run(lambda: self.evaluate(due))
        await self.node.bus.append(topics.EVALUATIONS.name, found, key=found.agent)
        self.book.take(found)
        took_ms = (self.node.clock.monotonic() - began) * 1000
        self.node.counters["agent_evaluations"] += 1
        self.node.gauges["agent_evaluation_ms"] = round(took_ms, 1)
        self.node.log.info(
            "evaluated an agent",
            agent=found.agent,
            evaluation_id=found.evaluation_id,
            overall=found.overall,
            cause=found.cause,
            duration_ms=round(took_ms, 1),
        )

    def evaluate(self, due: Due) -> AgentEvaluation:
        """Make one evaluation."""
        checkpoint = self.checkpoint
        earlier = self.book.earlier(due.agent, self.rubric)
        return evaluate(
            checkpoint.builder.folds,
            checkpoint.checks,
            due.agent,
            due.last,
            due.asked,
            earlier,
            self.options,
        )
