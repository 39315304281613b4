"""The flags of `arena router` and `arena routers`."""

import pytest

from arena.errors import EXIT_USAGE, UsageError
from routers.agent_config import spec_of
from routers.cli import (
    AgentArguments,
    _limits,
    agent_configs,
    parse_agent,
    with_prompt_sizes,
    with_prompts,
)
from routers.turn_types import Limits
from tests.routers.builders import WALL
from tests.warm_commands import run_arena


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("mo=momentum@rules", ("mo", "momentum", "rules", None)),
        ("a=my/own@home.toml@n-1", ("a", "my/own@home.toml", "n-1", None)),
        ("mo=momentum@rules#3", ("mo", "momentum", "rules", 3)),
        ("a=my#own.toml@n#0", ("a", "my#own.toml", "n", 0)),
    ],
)
def test_agent_flag_is_parsed(text: str, parts: tuple[str, str, str, int | None]) -> None:
    """The last @ separates the node, so a path may have one; a seed may follow the node."""
    assert parts == parse_agent(text)


@pytest.mark.parametrize(
    "text", ["", "mo", "mo=momentum", "mo@rules", "=@", "a b=x@n", "a=x@n m", "a=x@n#", "a=x@n#-1"]
)
def test_agent_flag_in_another_form_is_refused(text: str) -> None:
    """The error shows the value."""
    with pytest.raises(UsageError):
        parse_agent(text)


def test_unknown_strategy_is_a_usage_error() -> None:
    """Exit code 2 and the list of strategies, before anything is connected."""
    ran = run_arena("router", "--name", "a", "--chat-node-name", "n", "--strategy", "hodl")

    assert EXIT_USAGE == ran.returncode
    assert "there is no strategy 'hodl'" in ran.stderr
    assert "momentum" in ran.stderr


def test_duplicate_agent_name_is_a_usage_error() -> None:
    """Two agents cannot share an account."""
    ran = run_arena("routers", "--agent", "a=cash@n", "--agent", "a=random@n")

    assert EXIT_USAGE == ran.returncode
    assert "named twice" in ran.stderr


@pytest.mark.parametrize("command", ["router", "routers"])
def test_help_ends_with_a_one_line_example(command: str) -> None:
    """It can be copied and works as typed."""
    last = run_arena(command, "--help").stdout.rstrip().splitlines()[-1]

    assert last.strip().startswith(f"Example: arena {command} --")


def test_seed_sets_sampling_and_lock_step_extends_the_tool_timeout() -> None:
    """The strategy's other settings stay; in lock-step a tool may take as long as the decision."""
    limits = _limits(rounds=4, decision_s=60, tool_s=10, pacing="lock-step")
    plain, seeded = agent_configs(
        [("a", "momentum", "n", None), ("b", "momentum", "n", 3)],
        limits,
        None,
        "lock-step",
        None,
    )

    assert (None, 3) == (plain.strategy.sampling.seed, seeded.strategy.sampling.seed)
    assert plain.strategy.sampling == seeded.strategy.sampling.model_copy(update={"seed": None})
    assert (60, True) == (seeded.limits.tool_s, seeded.lock_step)
    assert 10 == _limits(rounds=4, decision_s=60, tool_s=10, pacing="real-time").tool_s


def sizes_of(*texts: str) -> list[str]:
    """The sizes of the prompts of agents a and b."""
    agents = [parse_agent("a=cash@n"), parse_agent("b=cash@n")]
    configs = agent_configs(agents, Limits(), None, "real-time", None)
    return [agent_config.prompt_size for agent_config in with_prompt_sizes(configs, texts)]


@pytest.mark.parametrize(
    ("texts", "sizes"),
    [
        ((), ["full", "full"]),
        (("tiny",), ["tiny", "tiny"]),
        (("b=compact",), ["full", "compact"]),
        (("b=tiny", "compact"), ["compact", "tiny"]),
    ],
)
def test_prompt_sizes_for_all_agents_and_for_one(texts: tuple[str, ...], sizes: list[str]) -> None:
    """A size with an agent's name takes precedence, in any order."""
    assert sizes == sizes_of(*texts)


@pytest.mark.parametrize("text", ["", "small", "a=", "c=tiny", "=tiny", "a=TINY"])
def test_unknown_prompt_size_or_agent_is_refused(text: str) -> None:
    """The error shows the value, the sizes and the agents."""
    with pytest.raises(UsageError) as caught:
        sizes_of(text)

    assert repr(text) in str(caught.value)
    assert "full, compact, tiny" in caught.value.remedy


def test_prompts_flag_freezes_all_agents_of_a_process() -> None:
    """The roster then says so; without the flag they are coached."""
    agents: list[AgentArguments] = [("a", "cash", "rules", None), ("b", "cash", "rules", None)]
    configs = agent_configs(agents, Limits(), None, "real-time", None)
    frozen = with_prompts(configs, "frozen")

    assert [True, True] == [config.coached for config in configs]
    assert ["frozen"] * 2 == [spec_of(config, WALL).prompts for config in frozen]
