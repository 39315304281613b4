"""One style for what the help of an option says of its default and its variable.

An option's help may end in brackets: `Kafka, host:port. [KAFKA_BOOTSTRAP_SERVERS, else the newest
run's]`. It is shown as typer shows the defaults that it knows:
`[env var: KAFKA_BOOTSTRAP_SERVERS; default: the newest run's]`.
"""

import re

_BRACKETS = re.compile(r"^(?P<text>.*?)\s+\[(?P<words>[^\[\]]+)\]$", re.DOTALL)
_VARIABLE = re.compile(r"^(?:env(?: var)?: )?(?P<name>[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:, else )?")
_KNOWN = ("env var: ", "default: ", "required")
"""What typer writes itself."""


def styled_help(text: str) -> str:
    """The help of an option with its brackets in the one style. Pure.

    Args:
        text: As it is written beside the option.
    """
    found = _BRACKETS.match(text)
    if found is None or found["words"].startswith(_KNOWN):
        return text
    words, parts = found["words"], []
    names = []
    while variable := _VARIABLE.match(words):
        names.append(variable["name"])
        words = words[variable.end() :]
    if names:
        parts.append(f"env var: {', '.join(names)}")
    if words:
        parts.append(f"default: {words}")
    return f"{found['text']}  [{'; '.join(parts)}]"


def style(command: object) -> None:
    """Put the help of every option of a command, and of those below it, into the one style."""
    for param in getattr(command, "params", []):
        text = getattr(param, "help", None)
        if isinstance(text, str):
            param.help = styled_help(text)
    below = getattr(command, "commands", {})
    for one in below.values():
        style(one)
