"""The fold of `arena.control`: no record makes it lose a halt."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from arena import kill_switch as switch_module
from arena.bus.base import Record
from arena.kill_switch import KillSwitch
from arena.messages import Halt, Message, PassOver, Resume, RiskRequest
from arena.wire import encode

AT = datetime(2026, 11, 21, 9, 12, 3, tzinfo=UTC)


def halt(agent: str | None = None) -> Halt:
    """A halt of an agent, or of all agents."""
    return Halt(agent=agent, reason="drill", by="test", at=AT)


def resume(agent: str | None = None) -> Resume:
    """The end of a halt."""
    return Resume(agent=agent, by="test", at=AT)


def passed() -> PassOver:
    """Another message of the topic."""
    return PassOver(
        topic="account.events", partition=0, offset=1, sha256="", error="", by="t", at=AT
    )


def record(
    key: bytes | None,
    what: Message | bytes | None,
    headers: Mapping[str, bytes] | None = None,
    offset: int = 7,
) -> Record:
    """A record of the topic, with a message or with any bytes."""
    if isinstance(what, Message):
        encoded = encode(what)
        what, headers = encoded.value, dict(encoded.headers)
    return Record("arena.control", 0, offset, 0, key, what, headers or {})


UNREADABLE: list[tuple[Message | bytes | None, dict[str, bytes]]] = [
    (None, {}),
    (None, {"type": b"Resume", "schema": b"1"}),
    (b"", {"type": b"Resume", "schema": b"1"}),
    (b"{", {"type": b"Resume", "schema": b"1"}),
    (b"\xff\xfe", {"type": b"Resume"}),
    (b"[" * 100_000, {"type": b"Halt"}),
    (b'{"by": "x", "at": "never"}', {"type": b"Resume"}),
    (encode(resume()).value, {}),
    (encode(resume()).value, {"type": b"Continue"}),
    (encode(resume()).value, {"type": b"Resume", "schema": b"99"}),
    (encode(resume()).value, {"type": b""}),
    (passed(), {}),
    (resume("someone-else"), {}),
    (halt("someone-else"), {}),
]


@pytest.mark.parametrize("key", [b"all", b"agent/momentum"])
@pytest.mark.parametrize(("what", "headers"), UNREADABLE)
def test_unreadable_record_halts_its_scope(
    key: bytes, what: Message | bytes | None, headers: dict[str, bytes]
) -> None:
    """It is named with its position, and ends with the next readable resume of its key."""
    switch = KillSwitch()
    noted = switch.take(record(key, what, headers))
    stop = switch.halt_of("momentum")

    assert noted.error
    assert stop is not None
    assert "arena.control[0]@7" in stop.sentence
    assert (switch.halt_of("scalper") is None) == (key != b"all")
    assert len(switch.unread()) == 1

    switch.take(record(key, resume(None if key == b"all" else "momentum")))
    assert switch.halt_of("momentum") is None


@pytest.mark.parametrize("key", [b"all", b"agent/momentum"])
@pytest.mark.parametrize(("what", "headers"), UNREADABLE)
def test_unreadable_halt_survives_compaction_and_restart(
    key: bytes, what: Message | bytes | None, headers: dict[str, bytes]
) -> None:
    """The newest record of each key alone folds to what the whole log does."""
    agent = None if key == b"all" else "momentum"
    last = record(key, what, headers)
    whole, compacted = KillSwitch(), KillSwitch()
    for one in [record(key, halt(agent)), record(key, resume(agent)), last]:
        whole.take(one)
    compacted.take(last)

    assert whole.halts == compacted.halts
    assert whole.halts


@pytest.mark.parametrize(
    "key",
    [
        None,
        b"",
        b"ALL",
        b" all",
        b"all\x00",
        b"agent/",
        b"agent/\xff",
        b"agent/a b",
        b"agent/../x",
        b"agent/all",
        b"preferences/all",
        b"pass-over/account.events/0/1",
    ],
)
@pytest.mark.parametrize("what", [None, b"{", resume(), halt(), passed(), resume("momentum")])
def test_other_keys_change_nothing(key: bytes | None, what: Message | bytes | None) -> None:
    """A halt in force is not changed by records with other keys."""
    switch, empty = KillSwitch(), KillSwitch()
    for one in (record(b"all", halt()), record(b"agent/momentum", halt("momentum"))):
        switch.take(one)
    before = dict(switch.halts)
    noted = switch.take(record(key, what))
    empty.take(record(key, what))

    assert before == switch.halts
    assert {} == empty.halts
    assert bool(noted.error) == (not isinstance(what, PassOver))


def test_agent_named_all_is_not_all_agents() -> None:
    """Its resume ends only its own halt."""
    switch = KillSwitch()
    switch.take(record(b"all", halt()))
    switch.take(record(b"agent/all", resume("all")))
    assert switch.halt_of("momentum") is not None

    switch.take(record(b"all", resume()))
    switch.take(record(b"agent/all", halt("all")))
    assert switch.halt_of("momentum") is None


def test_refusal_is_bounded_for_any_reason() -> None:
    """A reason of a megabyte does not grow the account log."""
    switch = KillSwitch()
    switch.take(record(b"all", halt().model_copy(update={"reason": "x" * 1_000_000})))
    stop = switch.halt_of("momentum")

    assert stop is not None
    assert len(stop.sentence) < 500


def test_too_many_scopes_halt_all_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    """A halt without room is not forgotten: it stops all, and no resume lifts that by mistake."""
    monkeypatch.setattr(switch_module, "SCOPES_MAX", 3)
    switch = KillSwitch()
    for number in range(3):
        switch.take(record(f"agent/a{number}".encode(), halt(f"a{number}")))
    assert switch.halt_of("momentum") is None

    switch.take(record(b"agent/a3", None))
    assert len(switch.halts) == 3
    for number in range(4):
        switch.take(record(f"agent/a{number}".encode(), resume(f"a{number}")))
    switch.take(record(b"all", resume()))
    stop = switch.halt_of("momentum")

    assert stop is not None
    assert "more than" in stop.sentence
    assert ["all"] == switch.scopes() == switch.newest_scopes(1)


def test_all_agents_can_be_halted_at_scope_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The halt of all counts as itself, so its resume ends it."""
    monkeypatch.setattr(switch_module, "SCOPES_MAX", 1)
    switch = KillSwitch()
    switch.take(record(b"agent/a", halt("a")))
    switch.take(record(b"all", halt()))
    assert switch.halt_of("momentum") is not None

    switch.take(record(b"all", resume()))
    assert switch.halt_of("momentum") is None


def test_shown_halts_are_bounded() -> None:
    """The newest halts are named, and a line states how many are left out."""
    switch = KillSwitch()
    switch.take(record(b"all", halt()))
    for number in range(1_000):
        switch.take(record(f"agent/a{number}".encode(), halt(f"a{number}")))
    switch.take(record(b"agent/a7", halt("a7")))

    assert ["a7", "a998", "a999", "all"] == switch.newest_scopes(3)
    assert ["halted: everybody since", "halted: 998 more;"] == [
        " ".join(line.split()[:3]) for line in (switch.lines(3)[0], switch.lines(3)[-1])
    ]


@pytest.mark.parametrize("key", [b"risk/all", b"risk/momentum"])
def test_requests_for_limits_change_no_halt(key: bytes) -> None:
    """Records under the keys of risk requests are passed by, whatever they hold."""
    switch = KillSwitch()
    switch.note(halt("bo"))

    for what in (RiskRequest(by="test", at=AT), b"not a message"):
        found = switch.take(record(key, what, {"type": b"RiskRequest", "schema": b"1"}))
        assert (None, "", "") == (found.message, found.error, found.scope)

    assert ["bo"] == switch.scopes()
