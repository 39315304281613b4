"""Passwords as files, and the environment variables that a process gets from them."""

import stat
from pathlib import Path

import pytest

from arena.acls import PRINCIPALS, may_read, may_write
from arena.credentials import ADMIN, credentials_for, credentials_of_command, is_secure
from arena.errors import UsageError
from arena.process_kinds import OLDER_ACCOUNTS
from arena.settings import KafkaAccess, Settings
from arena.topics import TOPICS
from operations.commands.supervised_run import planned_processes
from operations.localbroker.home_broker import open_home_broker
from operations.localbroker.security import Tls, ensure_security, scram_arguments, secure_properties
from operations.specs.arena_spec import ArenaSpec, load_spec

SPEC = """\
[arena]
name = "small"
products = ["BTC-USD"]

[market]
source = "exchange"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[agents]]
name = "holder"
strategy = "buy_and_hold"
chat_node = "rules"
"""


@pytest.fixture
def spec(tmp_path: Path) -> ArenaSpec:
    """An arena with one node of each kind."""
    path = tmp_path / "ARENA.toml"
    path.write_text(SPEC)
    return load_spec(path)


def test_credentials_are_private_to_the_user(tmp_path: Path) -> None:
    """One file per account, which no other user can read, in a folder that none can list."""
    ensure_security(tmp_path)

    files = sorted((tmp_path / "secure").iterdir())

    assert sorted([ADMIN, "broker", *PRINCIPALS]) == [file.stem for file in files]
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}
    assert 0o700 == stat.S_IMODE((tmp_path / "secure").stat().st_mode)


def test_passwords_are_random_and_persistent(tmp_path: Path) -> None:
    """Every account has its own password of 256 bits, and the next start finds the same."""
    first = ensure_security(tmp_path / "a").passwords
    other = ensure_security(tmp_path / "b").passwords

    assert first == ensure_security(tmp_path / "a").passwords
    assert len(set(first.values()) | set(other.values())) == 2 * (len(PRINCIPALS) + 2)
    assert min(map(len, first.values())) >= 43


def test_a_home_without_a_secure_broker_has_no_credentials(tmp_path: Path) -> None:
    """A process whose broker needs no login gets no variables."""
    assert not is_secure(tmp_path)
    assert {} == credentials_for(tmp_path, "router")
    assert {} == credentials_of_command(tmp_path, "tools")


def test_commands_get_the_credentials_of_their_kind(tmp_path: Path) -> None:
    """`arena tools` is the executor, `routers` a router; the exchange needs no login."""
    ensure_security(tmp_path)

    users = {
        command: credentials_of_command(tmp_path, command).get("KAFKA_SASL_USERNAME")
        for command in ("tools", "router", "routers", "chat-node", "connector", "exchange")
    }

    assert {
        "tools": "executor",
        "router": "router",
        "routers": "router",
        "chat-node": "chat-node",
        "connector": "connector",
        "exchange": None,
    } == users
    with pytest.raises(UsageError, match="no credentials for 'mallory'"):
        credentials_for(tmp_path, "mallory")


@pytest.mark.parametrize("kind", sorted(OLDER_ACCOUNTS))
def test_home_of_an_earlier_version_has_an_account_for_every_kind(
    tmp_path: Path, kind: str
) -> None:
    """A kind without one uses that of an older kind, which may do all that the kind may do."""
    ensure_security(tmp_path)
    own = credentials_for(tmp_path, kind)
    (tmp_path / "secure" / f"{kind}.env").unlink()
    older = credentials_for(tmp_path, kind)
    account = OLDER_ACCOUNTS[kind]

    assert (kind, account) == (own["KAFKA_SASL_USERNAME"], older["KAFKA_SASL_USERNAME"])
    assert [] == [
        f"{may.__name__} {spec.name}"
        for spec in TOPICS
        for may in (may_read, may_write)
        if may(kind, spec) and not may(account, spec)
    ]


def test_newer_kinds_have_an_older_account() -> None:
    """These came after the first secure broker."""
    assert {"alerts", "supervisor", "web"} == set(OLDER_ACCOUNTS)


def test_each_process_of_a_run_has_its_own_login(tmp_path: Path, spec: ArenaSpec) -> None:
    """`arena up` logs in as the administrator; none of its processes does."""
    ensure_security(tmp_path)
    access = KafkaAccess.of(credentials_for(tmp_path, ADMIN))
    settings = Settings(home=tmp_path, access=access)

    found = planned_processes(spec, settings, tmp_path, dashboard=(), terminal=False)

    users = {p.name: p.environ.get("KAFKA_SASL_USERNAME") for p in found}
    assert users == {
        "exchange": None,
        "connector": "connector",
        "tools": "executor",
        "chat-node-rules": "chat-node",
        "router-holder": "router",
        "dashboard": "dashboard",
    }
    passwords = ensure_security(tmp_path).passwords.values()
    assert not [word for p in found for word in p.argv if word in passwords]


def test_security_prints_no_password(tmp_path: Path) -> None:
    """The accounts can be logged; the lines for the broker cannot."""
    security = ensure_security(tmp_path)

    assert not any(password in repr(security) for password in security.passwords.values())
    assert security.passwords["broker"] in secure_properties(security)
    assert len(scram_arguments(security)) == 2 * len(security.passwords)


def test_tls_is_kept(tmp_path: Path) -> None:
    """A broker that had TLS once is never started without it, nor with another certificate."""
    tls = Tls(keystore=tmp_path / "broker.pem", truststore=tmp_path / "ca.pem")
    ensure_security(tmp_path, tls)

    assert tls == ensure_security(tmp_path).tls
    assert "SASL_SSL" == credentials_for(tmp_path, "router")["KAFKA_SECURITY_PROTOCOL"]
    with pytest.raises(UsageError, match=r"was created with .*broker\.pem certificate"):
        ensure_security(tmp_path, Tls(tmp_path / "other.pem", tmp_path / "ca.pem"))


def test_open_broker_cannot_be_made_secure(tmp_path: Path) -> None:
    """Topics that every client could write are not presented as protected."""
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    (tmp_path / "kafka" / "data" / "meta.properties").write_text("cluster.id=x\n")

    with pytest.raises(UsageError, match="created without credentials"):
        open_home_broker(tmp_path, secure=True)
    with pytest.raises(UsageError, match="the data of one broker, not of 3"):
        open_home_broker(tmp_path, nodes=3)
