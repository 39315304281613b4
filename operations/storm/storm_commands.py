"""The processes of a storm: its supervisor's ARENA.toml, and the commands it runs itself. Pure.

Every kind runs twice if the arena allows it: two executors, chat nodes of one name, processes
that play the same agents, books on SQLite and on PostgreSQL.
"""

AGENTS = {
    "mo": ("momentum", None),
    "brain": ("brainrot", None),
    "scalp": ("scalper", None),
    "coin": ("random", 2),
}
"""Agent -> its strategy and seed."""
NODE = "rules"
PRODUCTS = ("BTC-USD", "ETH-USD", "SOL-USD")
DRIVERS = tuple(f"storm-{n}" for n in range(6))
"""Agents whose orders the driver sends; they are on no roster."""
PREFIX = "storm."
DATABASE = "DATABASE_URL"


def spec_text(seed: int) -> str:
    """The ARENA.toml that the supervisor runs."""
    products = ", ".join(f'"{product}"' for product in PRODUCTS)
    lines = [
        "[arena]",
        'name = "storm"',
        f'prefix = "{PREFIX}"',
        f"products = [{products}]",
        "interval_s = 60",
        "[market]",
        'source = "exchange"',
        f"seed = {seed % 1_000_000}",
        "speed = 20",
        "[ledger]",
        "enabled = true",
        "[dashboard]",
        "show = false",
        "[[chat_nodes]]",
        f'name = "{NODE}"',
        'model_id = "scripted"',
    ]
    for name, (strategy, chance) in AGENTS.items():
        lines += [
            "[[agents]]",
            f'name = "{name}"',
            f'strategy = "{strategy}"',
            f'chat_node = "{NODE}"',
            'process = "agents"',
            *([] if chance is None else [f"seed = {chance}"]),
        ]
    return "\n".join(lines) + "\n"


def agent_flags() -> list[str]:
    """The flags that name the agents to `arena routers`."""
    found = []
    for name, (strategy, chance) in AGENTS.items():
        number = "" if chance is None else f"#{chance}"
        found += ["--agent", f"{name}={strategy}@{NODE}{number}"]
    return found


def commands_alone(*, postgres: bool) -> dict[str, list[str]]:
    """Process -> its words after `arena`; the login it uses follows from the first."""
    found = {
        "tools-2": ["tools", "--name", "tools-2"],
        "chat-node-2": ["chat-node", "--name", NODE, "--model-id", "scripted"],
        "agents-2": ["routers", "--name", "agents-2", *agent_flags()],
        "judge": ["judge"],
        "ledger-postgres": ["ledger", "run", "--name", "ledger-postgres"],
        "dashboard": ["dashboard"],
    }
    if not postgres:
        del found["ledger-postgres"]
    return found
