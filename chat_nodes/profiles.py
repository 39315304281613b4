"""The first dialect of known providers, by the host of their address. Pure.

Sources: "vendor" is the vendor's page, specification or source; "reports" are public issue threads.
The dialect is adapted after refusals, so a missing or outdated line costs one attempt.
"""

import re
from dataclasses import dataclass

from arena.chat_body import ALL_FIELDS, PLAIN, REASONING
from arena.messages import WireForm
from chat_nodes.dialect import MAX_COMPLETION_TOKENS, MAX_TOKENS, Dialect


@dataclass(frozen=True, slots=True)
class Profile:
    """One provider.

    Attributes:
        hosts: Its host names; one that starts with a dot matches every name that ends with it.
        token_limit, seed, wire: As in `Dialect`.
        source: Kinds of sources, as in the module's docstring.
    """

    name: str
    hosts: tuple[str, ...]
    token_limit: str = MAX_TOKENS
    seed: str = "seed"
    wire: WireForm = PLAIN
    source: str = "vendor"

    def dialect(self) -> Dialect:
        """The dialect of the first request to this provider."""
        return Dialect(token_limit=self.token_limit, seed=self.seed, wire=self.wire)


UNKNOWN = Profile("unknown", ())
"""A self-hosted server, such as vLLM, SGLang, Ollama, llama.cpp, LM Studio or LiteLLM."""

PROFILES = (
    Profile("openai", ("api.openai.com",), MAX_COMPLETION_TOKENS, source="vendor, reports"),
    Profile(
        "azure",
        (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"),
        MAX_COMPLETION_TOKENS,
        source="vendor, reports",
    ),
    # `reasoning_content` must be present in every round of calls, even if it is empty.
    Profile(
        "deepseek",
        ("api.deepseek.com",),
        wire=WireForm(empty_reasoning=True),
        source="vendor, reports",
    ),
    Profile(
        "gemini",
        ("generativelanguage.googleapis.com", ".aiplatform.googleapis.com"),
        seed="",
        source="reports",
    ),
    Profile("anthropic", ("api.anthropic.com",)),
    # The schema is closed: unknown fields are refused; ids are nine letters and digits.
    Profile(
        "mistral",
        ("api.mistral.ai", "codestral.mistral.ai"),
        seed="random_seed",
        wire=WireForm(dropped_fields=(ALL_FIELDS,), tool_ids="short"),
        source="vendor, reports",
    ),
    Profile(
        "groq",
        ("api.groq.com",),
        MAX_COMPLETION_TOKENS,
        wire=WireForm(dropped_fields=(REASONING, "reasoning")),
        source="vendor, reports",
    ),
    Profile("xai", ("api.x.ai",)),
    Profile("openrouter", ("openrouter.ai",), source="vendor, reports"),
    Profile("together", ("api.together.xyz", "api.together.ai")),
    Profile("fireworks", ("api.fireworks.ai",)),
    Profile("moonshot", ("api.moonshot.ai", "api.moonshot.cn", "api.kimi.com"), source="reports"),
    Profile("dashscope", (".aliyuncs.com",), source="reports"),
    Profile("zhipu", ("open.bigmodel.cn", "api.z.ai"), source="reports"),
    Profile(
        "minimax",
        ("api.minimax.io", "api.minimaxi.com", "api.minimax.chat"),
        MAX_COMPLETION_TOKENS,
        source="reports",
    ),
)

_NEW_OPENAI_MODEL = re.compile(r"(?:^|[/.])(?:gpt-[5-9]|o[1-9](?:-|$))", re.IGNORECASE)


def profile_of(host: str) -> Profile:
    """The provider at a host name; `UNKNOWN` if it is not listed."""
    name = host.lower().rstrip(".")
    for profile in PROFILES:
        for known in profile.hosts:
            if name == known or (known.startswith(".") and name.endswith(known)):
                return profile
    return UNKNOWN


def first_dialect(host: str, model_id: str) -> Dialect:
    """The dialect of the first request to a model.

    Args:
        host: Host name of the server.
        model_id: Id as the provider spells it; OpenAI's newer models refuse `max_tokens` on every
            server.
    """
    profile = profile_of(host)
    dialect = profile.dialect()
    if _NEW_OPENAI_MODEL.search(model_id):
        return Dialect(MAX_COMPLETION_TOKENS, dialect.seed, dialect.wire)
    return dialect
