"""Common random numbers: the seed of a model call."""

import math
from collections.abc import Mapping

import pytest

from arena.messages import ChatMessage, ChatRequest, Sampling
from chat_nodes.dialect import Dialect, options_of
from chat_nodes.local import model as local
from chat_nodes.local.prompt import local_prompt
from chat_nodes.model import ModelSettings
from chat_nodes.profiles import first_dialect
from chat_nodes.seeds import SEED_MAX, call_seed
from tests.chat_nodes.example_requests import FALLING, RISING, prompt, request

SNAPSHOTS = 400


def seeded_request(
    seed: int | None, snapshot: int | str = 0, changes: Mapping[str, object] | None = None
) -> ChatRequest:
    """A request of an agent with a seed."""
    made = request(prompt({"A": RISING, "B": FALLING}), sampling=Sampling(seed=seed))
    return made.model_copy(update={"snapshot_id": f"snapshot-{snapshot}", **(changes or {})})


@pytest.mark.parametrize(
    "changes",
    [
        {"agent": "scalper-nano-3"},
        {"strategy": "scalper"},
        {"turn_id": "another"},
        {"round": 3, "call_id": "another"},
        {"messages": (ChatMessage(role="user", content="another prompt"),)},
        {"prompt_size": "tiny"},
    ],
)
def test_seed_is_the_same_for_every_cell(changes: dict[str, object]) -> None:
    """It follows from the repeat and the snapshot, not from the agent or its request."""
    assert call_seed(seeded_request(3)) == call_seed(seeded_request(3, changes=changes))


def test_repeats_and_snapshots_have_different_seeds() -> None:
    """The luck of a repeat averages out over a season."""
    seeds = [call_seed(seeded_request(k, t)) for k in range(1, 9) for t in range(SNAPSHOTS)]

    assert len(seeds) == len(set(seeds))
    assert all(seed is not None and 1 <= seed <= SEED_MAX for seed in seeds)


@pytest.mark.parametrize("seed", [0, 1, 2, 2**31 - 1, 2**80, -1])
def test_seeds_are_uniformly_distributed(seed: int) -> None:
    """The mean over a season is that of a uniform distribution, whatever the agent's seed."""
    seeds = [call_seed(seeded_request(seed, t)) or 0 for t in range(SNAPSHOTS)]

    error = SEED_MAX / math.sqrt(12 * SNAPSHOTS)
    assert abs(sum(seeds) / SNAPSHOTS - SEED_MAX / 2) < 4 * error


def test_seed_is_stable_across_versions() -> None:
    """A replayed contest sends it, so it must not change."""
    assert [call_seed(seeded_request(k, "a")) for k in (1, 2)] == [165809735, 581451670]


@pytest.mark.parametrize("name", ["seed", "random_seed"])
def test_seed_is_sent_under_the_provider_name(name: str) -> None:
    """The options are those in `llm.calls`, so the records show what was sent."""
    options = options_of(Dialect(seed=name), seeded_request(3), ModelSettings("m"))

    assert call_seed(seeded_request(3)) == options[name]


@pytest.mark.parametrize(
    ("dialect", "settings", "expected"),
    [
        (Dialect(omitted=frozenset({"seed"})), ModelSettings("m"), None),
        (Dialect(seed=""), ModelSettings("m"), None),
        (first_dialect("generativelanguage.googleapis.com", "gemini-2.5-flash"), None, None),
        (Dialect(), ModelSettings("m", options={"seed": 7}), 7),
        (Dialect(), ModelSettings("m", options={"seed": None}), None),
    ],
)
def test_model_without_seeds_gets_none(
    dialect: Dialect, settings: ModelSettings | None, expected: int | None
) -> None:
    """A seed that was refused, or that the operator set or removed, stays so."""
    options = options_of(dialect, seeded_request(3), settings or ModelSettings("m"))

    assert expected == options.get("seed")


def test_agent_without_a_seed_sends_none() -> None:
    """The provider draws at random; the local model derives a seed from the prompt."""
    made = seeded_request(None)

    assert call_seed(made) is None
    assert "seed" not in options_of(Dialect(), made, ModelSettings("m"))
    assert local.request_options(made, local_prompt(made), ModelSettings("local"))["seed"]


def test_local_model_gets_the_same_seed() -> None:
    """Its sampler is also seeded by repeat and snapshot."""
    made = seeded_request(2, 5)

    sent = local.request_options(made, local_prompt(made), ModelSettings("local"))
    assert call_seed(made) == sent["seed"]
