"""The flags of `arena chat-node` about its model."""

import pytest

from arena.server_check import ServerTarget
from chat_nodes.flags import ModelFlags

SECRET = "sk-planted-0123456789"


def test_no_secret_is_in_a_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the key of the flag nor the value of a header's variable."""
    monkeypatch.setenv("MY_HEADER", f"Basic {SECRET}")
    words = ("api-key=env:MY_HEADER",)
    asking = ModelFlags("m", "MY_KEY", SECRET, "http://h/v1", (), words, "", replay=False)
    settings = asking.settings(effort="", completion_cap=0, connections=1)
    target = ServerTarget("m", key=settings.api_key, headers=settings.headers)

    assert (SECRET, {"api-key": f"Basic {SECRET}"}) == (settings.api_key, settings.headers)
    assert SECRET not in f"{asking} {settings} {target}"


def test_replay_needs_no_secret() -> None:
    """No variable is read, and no key is kept."""
    words = ("api-key=env:NOT_SET_ANYWHERE",)
    asking = ModelFlags("m", "NOT_SET_ANYWHERE", SECRET, "", (), words, "", replay=True)
    settings = asking.settings(effort="", completion_cap=0, connections=1)

    assert ("", {}) == (settings.api_key, settings.headers)
