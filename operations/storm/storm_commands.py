"""The commands of a storm: its supervisor's ARENA.toml, and the processes it starts itself. Pure.

Every kind runs twice if the arena allows it: two executors, two chat nodes of one name, two
processes with the same agents, ledgers on SQLite and PostgreSQL.
"""

AGENTS = {
    "mo": ("random", 1),
    "brain": ("brainrot", None),
    "scalp": ("random", 3),
    "coin": ("random", 2),
}
"""Agent -> its strategy and seed. The checker computes market orders again, and no exits: momentum
and scalper place those."""
NODE = "rules"
PRODUCTS = ("BTC-USD", "ETH-USD", "SOL-USD")
SENDER_AGENTS = tuple(f"storm-{n}" for n in range(6))
"""Agents for which the order sender sends orders; they are not on the roster."""
PREFIX = "storm."
DATABASE = "DATABASE_URL"


def spec_text(seed: int) -> str:
    """Return the ARENA.toml for the supervisor."""
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
    """Return the flags of `arena routers` for the agents."""
    found = []
    for name, (strategy, chance) in AGENTS.items():
        number = "" if chance is None else f"#{chance}"
        found += ["--agent", f"{name}={strategy}@{NODE}{number}"]
    return found


def extra_commands(*, postgres: bool) -> dict[str, list[str]]:
    """Return process -> its arguments after `arena`; the first determines its login."""
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
