"""The process `arena chat-node`: one model for every agent that names the node."""

from dataclasses import dataclass, field

from arena.model_prices import PriceList
from arena.node import Node
from chat_nodes.model import Model
from chat_nodes.node import ChatNodeSettings, serve_model
from chat_nodes.outside_model import model_of
from chat_nodes.recordings import Recordings


@dataclass(frozen=True, slots=True)
class ChatNodeOptions:
    """Options of a chat node.

    Attributes:
        model: The model, which the process closes.
        settings: Workers, limits, budget.
        recordings: File of replies, if they are recorded or replayed.
        prices: Prices of the known models; None for the arena's own list.
        key_is_flag: The key was given as a flag, which is logged as a warning.
        key_sent: Environment variable of the key, and the host it is sent to; None for no log line.
    """

    model: Model
    settings: ChatNodeSettings = field(default_factory=ChatNodeSettings)
    recordings: Recordings | None = None
    prices: PriceList | None = None
    key_is_flag: bool = False
    key_sent: tuple[str, str | None] | None = None


async def serve(node: Node, options: ChatNodeOptions) -> None:
    """Serve the model until cancelled."""
    if options.key_is_flag:
        node.log.warning("the key was given as a flag; --api-key-env NAME keeps it private")
    elif options.key_sent is not None:
        variable, host = options.key_sent
        node.log.info("sends the key", variable=variable, host=host)
    model = model_of(node, options.model)
    await serve_model(node, model, options.settings, options.recordings, options.prices)
