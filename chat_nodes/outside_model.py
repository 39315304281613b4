"""A model that takes real time, in a chat node on virtual time: a backtest with real models.

The model's calls run where time passes; virtual time stands still meanwhile. So a decision deadline
is never missed by a model, however slow it is: only the time-out of an attempt ends one.
"""

from arena.messages import ChatRequest
from arena.node import Node
from arena.outside import Outside
from chat_nodes.model import CallFailed, Model, RawReply
from chat_nodes.recorded_model import RecordedModel


class OutsideModel:
    """Makes the calls of a model outside of virtual time.

    Args:
        model: The model; only this class may use it.
        outside: Where its calls run.

    Attributes:
        outside: Where its calls run, and the clock that measures them.
    """

    def __init__(self, model: Model, outside: Outside) -> None:
        """Take the model, which has not been called yet."""
        self._model = model
        self.outside = outside
        self.model_id = model.model_id
        self.scripted = model.scripted
        self.host = model.host
        self.secrets = model.secrets

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """Make one attempt of at most `timeout_s` seconds of the machine's time."""
        return await self.outside.run(lambda: self._complete(request, timeout_s))

    async def close(self) -> None:
        """Close connections."""
        await self.outside.run(self._close)

    async def _complete(self, request: ChatRequest, timeout_s: float) -> RawReply | CallFailed:
        return await self._model.complete(request, timeout_s=timeout_s)

    async def _close(self) -> None:
        await self._model.close()


def model_of(node: Node, model: Model) -> Model:
    """The model as a node calls it: outside, if the node is on virtual time."""
    if node.outside is None or model.scripted or isinstance(model, RecordedModel):
        return model
    return OutsideModel(model, node.outside)


def outside_of(model: Model) -> Outside | None:
    """Where a model's calls run; None if they run in the node's own time."""
    return model.outside if isinstance(model, OutsideModel) else None
