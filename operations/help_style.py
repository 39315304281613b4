"""One style for defaults and variables in the help of options.

An option's help may end in brackets: `Kafka, host:port. [KAFKA_BOOTSTRAP_SERVERS, else the newest
run's]`. It is shown as typer shows its own defaults:
`[env var: KAFKA_BOOTSTRAP_SERVERS; default: the newest run's]`.
"""

import re

_BRACKETS = re.compile(r"^(?P<text>.*?)\s+\[(?P<words>[^\[\]]+)\]$", re.DOTALL)
_VARIABLE = re.compile(r"^(?:env(?: var)?: )?(?P<name>[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:, else )?")
_KNOWN = ("env var: ", "default: ", "required")
"""The beginnings of texts that typer writes."""


def styled_help(text: str) -> str:
    """Return the help of an option with its brackets in the one style. Pure.

    Args:
        text: The help text of the option.
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


def apply_help_style(command: object) -> None:
    """Apply the style to the options of a command and of its subcommands."""
    for param in getattr(command, "params", []):
        text = getattr(param, "help", None)
        if isinstance(text, str):
            param.help = styled_help(text)
    for subcommand in getattr(command, "commands", {}).values():
        apply_help_style(subcommand)
