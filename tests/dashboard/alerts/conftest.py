"""Fixtures: receivers on this machine."""

from collections.abc import Iterator

import pytest

from tests.dashboard.alerts.local_receivers import MailServer, WebHook, mail_server, web_hook


@pytest.fixture
def hook() -> Iterator[WebHook]:
    """A web hook."""
    with web_hook() as running:
        yield running


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """A mail server."""
    with mail_server() as running:
        yield running
