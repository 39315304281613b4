"""The commands in README's text: which are run in order, shortened, in the background or left out.

Reads README.md. A fenced block without a language has commands if one of its lines starts like a
command. Patterns of commands decide, so a new line of README is run without a change here, or the
test fails until a pattern is added.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*(?:make|arena|curl|sed|scripts/\S+|\.) ")
COMMENT = re.compile(r"\s+# .*$")
PAGE = "127.0.0.1:8080"
"""The page's address in README; the walk takes a free port instead."""
FILE = re.compile(r"# (\S+\.toml)\n")

LEFT_OUT = (
    (r"^make test\b", "is the suite that runs this test"),
    (r"^make (check|real-servers|bench|storm|verdict-check)\b", "takes over a minute"),
    (r"^[A-Z_]+_API_KEY=", "needs a key"),
    (r"^arena doctor\b", "asks for keys, and model servers for their models"),
    (r"^arena web --host", "needs a certificate, and listens beyond this machine"),
    (r"^arena alerts\b", "needs receivers, or runs until it is stopped"),
    (r"examples/live\.toml|arena connector coinbase(?!.*--ws-url)", "needs the live feed"),
    (r"examples/local-model\.toml", "needs a model server on this machine"),
    (r"local-llm", "fetches a model, over a minute"),
    (r"^arena (prompts|feedback|judge evaluations)\b.*reckless", "needs the coached example arena"),
    (
        r"^arena (up|exchange|connector|chat-node|router|routers|tools|judge|ledger run)\b"
        r"(?! (list|call|new|check))(?!.*--once)",
        "runs until it is stopped",
    ),
    (r"^\. \.venv/bin/activate$", "the test has `arena` on its path"),
)
"""Pattern of a command -> why the walk leaves it out."""

SHORTER = (
    (r"^make demo$", "arena demo --seconds 12 --speed 300 --agents scalper,cash"),
    (r"^make compete$", "arena compete run examples/competition.toml --snapshots 6"),
    (r"^(arena compete run \S+\.toml)$", r"\1 --snapshots 6"),
    (r"^(arena backtest \S+\.toml)$", r"\1 --snapshots 6"),
    (r"^(arena backtest sweep .*) --snapshots 80$", r"\1 --snapshots 6"),
    (r"^(arena compete report .*) --open$", r"\1"),
    (r"^arena broker start$", "arena broker start --port 0"),
    (r"^make demo ARGS=.*", r"arena demo --seconds 270 --speed 300 --agents scalper,cash"),
)
"""Pattern of a command -> its replacement, because it takes over a minute, opens a browser or
needs a port that another arena on this machine may use."""

BESIDE = (
    (r"^arena demo --seconds 270", " --web-port {port}", r"^ *Page: http"),
    (r"^arena web --run", " --port {port}", r"^arena web: http"),
)
"""Pattern of a command that runs in the background -> how it gets the port of the page, and the
line with which it is ready. It runs until the next one of them, or until its section ends."""

OUTPUTS = (
    (r"/health$", r'^\{"status":"ok"\}$'),
    (r"/leaderboard$", r'"agents":\[\{.*"scalper"'),
    (r"/verdict$", r"^(null|\{.*\})$"),
    (r"/turns\b", r'"turn_id":"'),
    (r"/portfolio\b", r'"agent":"scalper"'),
    (r"/trades\b", r'"order_id":"'),
    (r"/events$", r"(?m)^event: leaderboard$"),
    (r"/halt$", r'"done":"halted".*"confirmed":true'),
    (r"/resume$", r'"done":"resumed".*"confirmed":true'),
)
"""Pattern of a command that asks the page -> pattern of its output, within a deadline."""

EXIT_CODES = {f"curl -sN --max-time 5 http://{PAGE}/api/v1/events": 28}
"""Command -> its exit code, if that is not 0."""


@dataclass(frozen=True, slots=True)
class ReadmeCommand:
    """One command of README.

    Attributes:
        line: Line in README.md, from 1.
        text: The command in README, without its comment.
        run: The command to run; "" if it is left out.
        why: The reason for leaving it out, or "".
        ready: Pattern of the line with which a command in the background is ready; "" if it is run
            to its end.
        output: Pattern of its output; "" for any.
        section: Number of the section, from 1; sections start with a heading of level 2.
    """

    line: int
    text: str
    run: str
    why: str = ""
    ready: str = ""
    output: str = ""
    section: int = 0


def steps_of(text: str) -> list[ReadmeCommand]:
    """The commands of all blocks, in order.

    Raises:
        ValueError: A block without a language has commands and other text.
    """
    found = []
    for block in FENCE.finditer(text):
        first = text.count("\n", 0, block.start(2)) + 1
        lines = [COMMENT.sub("", line).rstrip() for line in block[2].splitlines()]
        commands = [bool(COMMAND.match(f"{line} ")) for line in lines]
        if block[1] or not any(commands):
            continue
        for number, (line, is_command) in enumerate(zip(lines, commands, strict=True), first):
            if is_command:
                section = text.count("\n## ", 0, block.start())
                found.append(replace(step_of(number, line), section=section))
            elif line and not line.startswith("#"):
                raise ValueError(f"README.md:{number}: {line!r} among commands is not one")
    return found


def step_of(line: int, text: str) -> ReadmeCommand:
    """Decide about one command."""
    for pattern, why in LEFT_OUT:
        if re.search(pattern, text):
            return ReadmeCommand(line, text, "", why)
    run = text
    for pattern, instead in SHORTER:
        run = re.sub(pattern, instead, run)
    for pattern, port, ready in BESIDE:
        if re.search(pattern, run):
            return ReadmeCommand(line, text, run + port, ready=ready)
    output = next(
        (found for pattern, found in OUTPUTS if PAGE in run and re.search(pattern, run)), ""
    )
    return ReadmeCommand(line, text, run, output=output)


def with_port(step: ReadmeCommand, port: int) -> str:
    """The command to run, with the port of the page that this walk uses."""
    if step.ready:
        return step.run.format(port=port)
    return step.run.replace(PAGE, f"127.0.0.1:{port}")


def files_of(text: str) -> dict[str, str]:
    """The files in README: name -> content, from TOML blocks that start with their name."""
    shown = (block[2] for block in FENCE.finditer(text) if block[1] == "toml")
    return {name[1]: content for content in shown if (name := FILE.match(content))}


def left_out_lines(steps: list[ReadmeCommand]) -> list[str]:
    """The commands that are left out or shortened, a line each."""
    return [
        f"README.md:{step.line}: {step.text}: "
        + (f"left out: {step.why}" if not step.run else f"run as: {step.run}")
        for step in steps
        if step.run != step.text
    ]


def make_targets(makefile: Path) -> set[str]:
    """The targets of a Makefile."""
    return set(re.findall(r"^([a-z-]+):", makefile.read_text(encoding="utf-8"), re.MULTILINE))
