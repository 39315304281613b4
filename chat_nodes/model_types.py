"""Which code answers for a model id: the scripted rules, the local model, or a provider.

`scripted` and `scripted:<strategy>` are the rules in `chat_nodes.scripted`; `local` and
`local:<name>` the small model in `chat_nodes.local`; every other id belongs to a provider in
`chat_nodes.providers`.
"""

from collections.abc import Callable
from enum import StrEnum
from importlib import import_module

from chat_nodes.model import Model, ModelSettings
from chat_nodes.providers import provider_of


class ModelType(StrEnum):
    """What answers for a model id; scripted and local models run in the node's own process."""

    SCRIPTED = "scripted"
    LOCAL = "local"
    PROVIDER = "provider"

    @property
    def needs_server(self) -> bool:
        """True if the model has an address, and may need a key."""
        return self is ModelType.PROVIDER


LOCAL_MODEL_ID = ModelType.LOCAL.value
LOCAL_WORKERS_MAX = 2
"""Calls at once of the local model: one runs and one waits; further requests stay in Kafka."""

_IN_PROCESS = {
    ModelType.SCRIPTED.value: ModelType.SCRIPTED,
    ModelType.LOCAL.value: ModelType.LOCAL,
}


def model_type(model_id: str) -> ModelType:
    """The type of the model that a model id names."""
    return _IN_PROCESS.get(model_id.partition(":")[0], ModelType.PROVIDER)


def open_model(settings: ModelSettings) -> Model:
    """Open the model; only the libraries of its own module are loaded."""
    kind = model_type(settings.model_id)
    if kind is ModelType.PROVIDER:
        module = import_module(f"chat_nodes.providers.{provider_of(settings.model_id)}")
    else:
        module = import_module(f"chat_nodes.{kind}.model")
    opener: Callable[[ModelSettings], Model] = module.open_model
    return opener(settings)


def workers_max(model_id: str, wanted: int) -> int:
    """How many calls run at once, if `wanted` are asked for."""
    return min(wanted, LOCAL_WORKERS_MAX) if model_type(model_id) is ModelType.LOCAL else wanted
