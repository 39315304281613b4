"""Contests against real servers can be run, and a wrong end is detected; none is run here."""

from string import Template

import pytest

from arena.messages import Cause
from operations.specs.arena_spec import parse_spec
from tests.real_servers.__main__ import main
from tests.real_servers.contests import CONTESTS, KEYS, Contest, Dead, Played
from tests.real_servers.servers import LLAMA

PORTS = {f"{name}_PORT": "1" for name in ("LLAMA", "LITELLM", "KATAN", "PROFILES")}


@pytest.mark.parametrize("contest", CONTESTS, ids=lambda contest: contest.name)
def test_every_contest_has_a_valid_specification(contest: Contest) -> None:
    """Ports are filled in, keys are known, and the agents that must die take part."""
    text = contest.spec.read_text(encoding="utf-8")

    spec = parse_spec(Template(text).substitute(PORTS), path=contest.name)

    assert contest.dead.keys() <= {agent.name for agent in spec.agents}
    assert {n.api_key_env for n in spec.chat_nodes if not n.keyless} <= KEYS.keys()


@pytest.mark.parametrize(
    ("played", "faults"),
    [
        (Played(1, dead={"a": Dead("auth", "401", 1)}), []),
        (Played(0, dead={"a": Dead("auth", "401", 1)}), ["exit 0, not 1"]),
        (Played(1), ["a is not dead"]),
        (Played(1, dead={"a": Dead("quota", "402", 1)}), ["a died of 'quota', not of auth"]),
        (
            Played(1, dead={"a": Dead("auth", "401", 1), "b": Dead("timeout", "late", 5)}),
            ["b is dead"],
        ),
    ],
)
def test_undocumented_end_is_a_fault(played: Played, faults: list[str]) -> None:
    """The exit code, the dead agents and their causes."""
    assert faults == played.faults(Contest("x", (LLAMA,), {"a": (Cause.AUTH,)}))


def test_unknown_contest_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is installed or started; the known names are listed."""
    assert 2 == main(["nothing"])
    assert "choose from llama-tiny, llama-full" in capsys.readouterr().out
