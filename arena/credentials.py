"""Credentials of a home's secure broker: one file of variables per principal, read here.

The files are `<home>/secure/<principal>.env`, mode 0600. The local broker writes them when it is
made secure; every process and command that connects to it reads its own.
"""

from pathlib import Path

from arena import acls
from arena.errors import UsageError
from arena.process_kinds import account_of_command

PLAINTEXT = "PLAINTEXT"

ADMIN = "admin"
BROKER = "broker"
PRINCIPALS = (ADMIN, BROKER, *acls.PRINCIPALS)
"""Accounts of a secure broker. `broker` is what the brokers are to each other."""


def credentials_directory(home: Path) -> Path:
    """Where the credentials of an arena's home lie."""
    return home.resolve() / "secure"


def is_secure(home: Path) -> bool:
    """True where the broker of this home was made a secure one."""
    return (credentials_directory(home) / f"{BROKER}.env").exists()


def credentials_for(home: Path, principal: str) -> dict[str, str]:
    """The environment with which a principal connects to this home's broker.

    Returns:
        Nothing where the broker of this home is not a secure one.

    Raises:
        UsageError: No such principal is known.
    """
    if not is_secure(home):
        return {}
    try:
        return read_credentials(credentials_directory(home), principal)
    except FileNotFoundError:
        raise UsageError(
            f"there are no credentials for {principal!r} in {credentials_directory(home)}",
            remedy="accounts are made at the first start: take one that is there, or begin anew in "
            "another ARENA_HOME",
        ) from None


def credentials_of_command(home: Path, command: str) -> dict[str, str]:
    """The environment with which the process of an `arena` command connects.

    Returns:
        Nothing where the broker of this home is not a secure one, or where the command does not
        use it (`exchange`).
    """
    account = account_of_command(command)
    return credentials_for(home, account) if account else {}


def read_credentials(directory: Path, name: str) -> dict[str, str]:
    """The variables in a principal's file.

    Raises:
        FileNotFoundError: The principal has no file here.
    """
    lines = (directory / f"{name}.env").read_text(encoding="utf-8").splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines) if value}
