"""Runs a short contest against each real server: `python -m tests.real_servers [CONTEST...]`.

Creates an environment per server under `.arena/real-servers/`, from hashed locks; starts the
servers on free loopback ports, one after the other; stops only what it started. Prints a table.
Exit codes: 0 if every contest ended as documented, 1 if one did not, 2 for an unknown name, 3 if a
server cannot be installed or started.
"""

import signal
import sys
from contextlib import ExitStack

from tests.real_servers.contests import CONTESTS, Contest, Played, play
from tests.real_servers.servers import ROOT, Server, ServerError, install, running, version_of

HOME = ROOT / ".arena" / "real-servers"
EXIT_NO, EXIT_USAGE, EXIT_DEPENDENCY = 1, 2, 3
HEAD = ("contest", "server", "ended", "alive", "dead", "orders")


def main(names: list[str]) -> int:
    """Run the named contests, or all."""
    known = {contest.name: contest for contest in CONTESTS}
    if unknown := [name for name in names if name not in known]:
        print(f"there is no contest {unknown[0]!r}; choose from {', '.join(known)}")
        return EXIT_USAGE
    chosen = [known[name] for name in names] or list(CONTESTS)
    HOME.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, ...]] = [HEAD]
    faults: list[str] = []
    try:
        for servers in dict.fromkeys(contest.servers for contest in chosen):
            group = [contest for contest in chosen if contest.servers == servers]
            for contest, played, versions in _play_all(servers, group):
                rows.append(_row(contest, played, versions))
                faults += [f"{contest.name}: {fault}" for fault in played.faults(contest)]
    except ServerError as error:
        print(f"\n{error}\ncheck the network, then try again", file=sys.stderr)
        return EXIT_DEPENDENCY
    print("\n" + "\n".join(_table(rows)))
    for fault in faults:
        print(f"not as documented: {fault}")
    print(
        f"\n{len(chosen) - len({f.split(':')[0] for f in faults})} of {len(chosen)} as documented"
    )
    print(f"Logs and records: {HOME}")
    return EXIT_NO if faults else 0


def _play_all(
    servers: tuple[Server, ...], contests: list[Contest]
) -> list[tuple[Contest, Played, str]]:
    """Start the servers, run the contests, stop the servers."""
    with ExitStack() as stack:
        ports: dict[str, int] = {}
        versions = []
        for server in servers:
            bins = install(server, HOME, _say)
            version = version_of(server, bins)
            versions.append(f"{server.name} {version}".strip())
            _say(f"starting {versions[-1]}")
            ports[server.port_variable] = stack.enter_context(running(server, bins, HOME))
        found = []
        for contest in contests:
            _say(f"playing {contest.name}")
            played = play(contest, ports, HOME)
            _say(f"  exit {played.exit_code} after {played.seconds:.0f} s")
            if played.faults(contest):
                print(played.output)
            found.append((contest, played, ", ".join(versions)))
        return found


def _row(contest: Contest, played: Played, versions: str) -> tuple[str, ...]:
    alive = [name for name in played.agents if name not in played.dead]
    dead = [f"{name} ({one.code} after {one.turns})" for name, one in played.dead.items()]
    return (
        contest.name,
        versions,
        f"exit {played.exit_code}, {played.snapshots} snapshots, {played.seconds:.0f} s",
        ", ".join(alive) or "-",
        ", ".join(dead) or "-",
        ", ".join(f"{name} {count}" for name, count in played.orders.items()) or "-",
    )


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """The results as a Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|---" * len(HEAD) + "|", *lines[1:]]


def _say(text: str) -> None:
    print(f" {text}", flush=True)


if __name__ == "__main__":
    # So that the servers that were started are stopped here, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
