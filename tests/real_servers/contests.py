"""The contests, their servers, and the end that each must have."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from arena.messages import Cause
from tests.real_servers.servers import (
    FOLDER,
    KATAN,
    KATAN_KEY,
    KATAN_TOOLS,
    LITELLM,
    LITELLM_MASTER_KEY,
    LLAMA,
    PROFILES,
    ROOT,
    Server,
)

DEADLINE_S = 480
TAIL_LINES_SHOWN = 12
KEYS = {
    "LLAMA_KEY": "",
    "LITELLM_KEY": LITELLM_MASTER_KEY,
    "KATAN_KEY": KATAN_KEY,
    "WRONG_KEY": "sk-made-up-and-wrong",
}


@dataclass(frozen=True, slots=True)
class Contest:
    """One contest.

    Attributes:
        name: Name of its specification.
        servers: Servers that it runs against.
        dead: Agent -> causes, one of which it must die of; other agents must be alive at the end.
    """

    name: str
    servers: tuple[Server, ...]
    dead: Mapping[str, tuple[Cause, ...]] = field(default_factory=dict)

    @property
    def spec(self) -> Path:
        """The specification, with `$..._PORT` for the ports of the servers."""
        return FOLDER / f"{self.name}.toml"


CONTESTS = (
    Contest("llama-tiny", (LLAMA,)),
    Contest("llama-full", (LLAMA,), {"scalper-small": (Cause.CONTEXT_LENGTH,)}),
    Contest("litellm-answers", (LITELLM,)),
    Contest(
        "litellm-refuses",
        (LITELLM,),
        # Without a database its proxy answers 400 "No connected db." to a wrong key.
        {
            "scalper-badkey": (Cause.AUTH,),
            "scalper-unknown": (Cause.MODEL_NOT_FOUND,),
        },
    ),
    Contest(
        "litellm-fails",
        (LITELLM,),
        {
            "scalper-broken": (Cause.SERVER_ERROR,),
            "scalper-busy": (Cause.RATE_LIMIT,),
            "scalper-short": (Cause.CONTEXT_LENGTH,),
            "scalper-slow": (Cause.TIMEOUT,),
        },
    ),
    Contest("katan-noise", (KATAN,)),
    Contest("katan-tools", (KATAN_TOOLS,), {"scalper-echo": (Cause.UNUSABLE_ANSWER,)}),
    Contest("katan-refuses", (KATAN,), {"scalper-badkey": (Cause.AUTH,)}),
    Contest("mixed", (PROFILES,)),
)


@dataclass(frozen=True, slots=True)
class Dead:
    """A dead agent: its `Cause`, the reason, its number of turns."""

    code: str
    cause: str
    turns: int


@dataclass(frozen=True, slots=True)
class Played:
    """How a contest ended.

    Attributes:
        exit_code: Exit code of `arena compete run`; -1 if the deadline ended it.
        agents: Agents that took part.
        dead: Agents that died.
        orders: Filled orders by agent, if there is a report.
        output: The last output of the command.
    """

    exit_code: int
    seconds: float = 0.0
    snapshots: int = 0
    agents: tuple[str, ...] = ()
    dead: Mapping[str, Dead] = field(default_factory=dict)
    orders: Mapping[str, int] = field(default_factory=dict)
    output: str = ""

    def faults(self, contest: Contest) -> list[str]:
        """Differences from the documented end."""
        wanted_code = 1 if contest.dead else 0
        found = []
        if self.exit_code != wanted_code:
            found.append(f"exit {self.exit_code}, not {wanted_code}")
        for agent, causes in contest.dead.items():
            one = self.dead.get(agent)
            if one is None:
                found.append(f"{agent} is not dead")
            elif one.code not in causes:
                found.append(f"{agent} died of {one.code!r}, not of {' or '.join(causes)}")
        found += [f"{name} is dead" for name in self.dead if name not in contest.dead]
        return found


def play(contest: Contest, ports: Mapping[str, int], home: Path) -> Played:
    """Run a contest.

    Args:
        contest: The contest.
        ports: Variables with the ports of its servers.
        home: Folder for its records.
    """
    spec = home / f"{contest.name}.toml"
    out = home / f"{contest.name}.json"
    out.unlink(missing_ok=True)
    text = contest.spec.read_text(encoding="utf-8")
    spec.write_text(Template(text).substitute(ports), encoding="utf-8")
    words = [
        sys.executable,
        "-m",
        "arena",
        "compete",
        "run",
        str(spec),
        "--no-web",
        "--json",
        str(out),
    ]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")} | KEYS
    try:
        done = subprocess.run(
            words,
            env=environ | {"ARENA_HOME": str(home / "arena")},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        code, printed = done.returncode, done.stdout
    except subprocess.TimeoutExpired as error:
        code, printed = -1, error.stdout.decode() if isinstance(error.stdout, bytes) else ""
    tail = "\n".join(printed.splitlines()[-TAIL_LINES_SHOWN:])
    (home / f"{contest.name}.out").write_text(printed, encoding="utf-8")
    if not out.is_file():
        return Played(code, output=tail)
    document = json.loads(out.read_bytes())
    dead = {
        one["agent"]: Dead(one.get("code", ""), one["cause"], one["turns"])
        for one in document["dead"]
    }
    return Played(
        exit_code=code,
        seconds=document["seconds"],
        snapshots=document["snapshots"],
        agents=tuple(document["agents"]),
        dead=dead,
        orders=_orders(document.get("figures")),
        output=tail,
    )


def _orders(figures: str | None) -> dict[str, int]:
    """Filled orders by agent, from the figures of a report."""
    if figures is None:
        return {}
    document = json.loads(Path(figures).read_bytes())
    return {one["name"]: one["trades"] for one in document["entries"]}
