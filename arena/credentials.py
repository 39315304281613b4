"""Reads the credentials of a home's secure broker: one file of variables per principal.

The files are `<home>/secure/<principal>.env`, mode 0600. The local broker writes them when it is
first started with --secure; every process and command that connects reads its own.
"""

from pathlib import Path

from arena import acls
from arena.errors import UsageError
from arena.process_kinds import OLDER_ACCOUNTS, account_of_command

PLAINTEXT = "PLAINTEXT"

ADMIN = "admin"
BROKER = "broker"
PRINCIPALS = (ADMIN, BROKER, *acls.PRINCIPALS)
"""Users of a secure broker. `broker` is the user of connections between brokers."""


def credentials_directory(home: Path) -> Path:
    """The folder of the credentials in an arena's home."""
    return home.resolve() / "secure"


def is_secure(home: Path) -> bool:
    """True if the broker of this home is a secure one."""
    return (credentials_directory(home) / f"{BROKER}.env").exists()


def credentials_for(home: Path, principal: str) -> dict[str, str]:
    """The environment variables with which a principal connects to this home's broker.

    Returns:
        No variables if the broker of this home is not a secure one.

    Raises:
        UsageError: The principal is unknown.
    """
    if not is_secure(home):
        return {}
    directory, older = credentials_directory(home), OLDER_ACCOUNTS.get(principal)
    if older is not None and not (directory / f"{principal}.env").exists():
        principal = older
    try:
        return read_credentials(directory, principal)
    except FileNotFoundError:
        raise UsageError(
            f"no credentials for {principal!r} in {directory}",
            remedy="accounts are created at the first start: use an existing one, or start again "
            "in another ARENA_HOME",
        ) from None


def credentials_of_command(home: Path, command: str) -> dict[str, str]:
    """The environment variables with which the process of an `arena` command connects.

    Returns:
        No variables if the broker of this home is not a secure one, or if the command does not
        connect to it (`exchange`).
    """
    account = account_of_command(command)
    return credentials_for(home, account) if account else {}


def read_credentials(directory: Path, name: str) -> dict[str, str]:
    """Read the variables in a principal's file.

    Raises:
        FileNotFoundError: The principal has no file.
    """
    lines = (directory / f"{name}.env").read_text(encoding="utf-8").splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines) if value}
