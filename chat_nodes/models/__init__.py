"""The providers: one file each, found by name.

A model id `<provider>` or `<provider>:<rest>` is served by `chat_nodes/models/<provider>.py`; every
other id by `openai_compatible`. A provider module has `open_model(settings) -> Model`. Files that
start with `_` are skipped; `_template.py` shows how to add one.
"""

import pkgutil
from collections.abc import Callable
from importlib import import_module

from chat_nodes.models.base import Model, ModelSettings

DEFAULT_PROVIDER = "openai_compatible"
SCRIPTED = "scripted"
LOCAL = "local"
KEYLESS = frozenset({SCRIPTED, LOCAL})
"""Providers that answer in the node's own process: they ask for no key and no address."""
WORKERS_MAX = {LOCAL: 2}
"""Calls at once of a provider that cannot do more: one runs and one waits, the rest in Kafka."""
_NOT_PROVIDERS = frozenset({"base", "prompt_reader", "recorded"})


def provider_names() -> tuple[str, ...]:
    """Names of the provider modules in this folder, sorted."""
    found = (m.name for m in pkgutil.iter_modules(__path__))
    return tuple(sorted(n for n in found if not n.startswith("_") and n not in _NOT_PROVIDERS))


def provider_of(model_id: str) -> str:
    """The provider module that serves a model id."""
    name = model_id.split(":", 1)[0]
    return name if name in provider_names() else DEFAULT_PROVIDER


def open_model(settings: ModelSettings) -> Model:
    """Open the model; only its own provider's libraries are loaded."""
    module = import_module(f"{__name__}.{provider_of(settings.model_id)}")
    opener: Callable[[ModelSettings], Model] = module.open_model
    return opener(settings)
