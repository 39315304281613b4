"""Clients of model servers, one file per provider.

A model id `<provider>` or `<provider>:<rest>` is served by `chat_nodes/providers/<provider>.py`;
every other id by `openai_compatible`. A provider module has `open_model(settings) -> Model`. Files
that start with `_` are skipped; `_template.py` shows how to add one.
"""

import pkgutil

DEFAULT_PROVIDER = "openai_compatible"


def provider_names() -> tuple[str, ...]:
    """Names of the provider modules in this folder, sorted."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def provider_of(model_id: str) -> str:
    """The provider module that serves a model id."""
    name = model_id.partition(":")[0]
    return name if name in provider_names() else DEFAULT_PROVIDER
