"""The broker of a home: one broker or a cluster, with or without credentials.

The first start decides which, and later starts keep it: a broker created with credentials is never
started without, and the data of one broker is never mixed with that of three.
"""

from pathlib import Path

from arena.broker_files import broker_files_of
from arena.broker_state import local_state
from arena.credentials import is_secure
from arena.errors import UsageError
from operations.localbroker.broker import LocalBroker
from operations.localbroker.certificates import (
    ensure_home_certificate,
    home_tls,
    require_certificate_names,
)
from operations.localbroker.cluster import NODES, LocalCluster
from operations.localbroker.external_listener import (
    ExternalListener,
    choose_listener,
    require_protected,
)
from operations.localbroker.ports import LOOPBACK
from operations.localbroker.security import Security, Tls, ensure_security, saved_tls


def open_home_broker(
    home: Path,
    *,
    nodes: int | None = None,
    secure: bool = False,
    host: str = LOOPBACK,
    port: int | None = None,
    cache: Path | None = None,
    tls: Tls | None = None,
    external: ExternalListener | None = None,
) -> LocalBroker | LocalCluster:
    """Return the broker or the cluster of a home, not started.

    Args:
        home: The arena's local state (`.arena`).
        nodes: 1 or 3; None for the number in the home, or 1 if the home is empty.
        secure: Require credentials; a secure home stays secure without this option.
        host: The IPv4 address to listen on.
        port: The (first) client port, as for `LocalBroker`.
        cache: As for `LocalBroker`.
        tls: Certificates for a secure broker's listeners; `home_tls(home)` to create them.
        external: The listener for other hosts; None for that of the last start, if any.

    Raises:
        UsageError: The home has another kind of broker than the arguments ask for.
    """
    files = broker_files_of(home)
    alone, cluster = files.meta_properties.exists(), files.cluster.exists()
    wanted = nodes or (NODES if cluster else 1)
    if (wanted == 1 and cluster) or (wanted == NODES and alone):
        found_kind = f"a cluster of {NODES} brokers" if cluster else "the data of one broker"
        raise UsageError(
            f"{files.root} holds {found_kind}, not of {wanted}",
            remedy="leave --nodes out, or choose another ARENA_HOME",
        )
    if secure and not is_secure(home) and (alone or cluster):
        raise UsageError(
            f"{files.root} holds a broker that was created without credentials",
            remedy="a secure broker starts empty: choose another ARENA_HOME",
        )
    state = local_state(home)
    running = state is not None and state.is_running()
    found = choose_listener(files.root, external, running=running)
    secured = secure or is_secure(home)
    certificates = (saved_tls(home) or tls) if secured else None
    if found:
        require_protected(found, secure=secured, tls=certificates is not None)
    security = _security(home, tls, certificates, host, found) if secured else None
    if wanted == NODES:
        return LocalCluster(
            home, host=host, port=port, cache=cache, security=security, external=found
        )
    return LocalBroker(home, host=host, port=port, cache=cache, security=security, external=found)


def _security(
    home: Path,
    requested: Tls | None,
    certificates: Tls | None,
    host: str,
    external: ExternalListener | None,
) -> Security:
    """Return the accounts; ensure certificates that are valid for every name of the brokers."""
    names = {host, external.advertise} if external else {host}
    if certificates == home_tls(home):
        ensure_home_certificate(home, names)
    elif certificates and external:
        require_certificate_names(certificates, names)
    return ensure_security(home, requested)
