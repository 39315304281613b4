"""Messages are delivered as plain text to receivers on this machine, and failures have a cause."""

import email
import io
import logging
from email import policy
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from arena.errors import UsageError
from dashboard.alerts.apprise_client import AppriseClient
from dashboard.alerts.receivers import Receiver
from dashboard.alerts.send_failures import CAUSES, UNKNOWN, failure_cause
from dashboard.alerts.texts import plain, plain_name
from tests.dashboard.alerts.local_receivers import MailServer, WebHook

SECRET = "topsecret4711"
HOSTILE = (
    "x\u202e\u200b\x1b[31m\x00\r\n<b>bold</b> <!channel> <@U1> @everyone @here"
    " [link](http://evil.test) ![x](http://evil.test/i.png) `code` *a* _b_ |spoiler| &amp;"
    " \U000e0041" + "\u0301" * 50
)


def client(url: str) -> AppriseClient:
    """A client of an address."""
    return AppriseClient(Receiver("env:A 1 (x)", SecretStr(url)))


def test_message_is_delivered_to_a_web_hook(hook: WebHook) -> None:
    """Title, text and the type of the alert arrive unchanged."""
    found = client(hook.url()).send("demo: halted", "a & b\nc", "alert")

    assert found.delivered
    (body,) = hook.bodies
    assert ("demo: halted", "a & b\nc", "warning") == (
        body["title"],
        body["message"],
        body["type"],
    )


@pytest.mark.parametrize("status", [301, 302, 401, 404, 429, 500, 503])
def test_refusal_of_a_web_hook_is_named_by_its_status(hook: WebHook, status: int) -> None:
    """A redirect is not followed: the alert would be lost without an error."""
    hook.status = lambda path, number: status

    found = client(hook.url(SECRET)).send("t", "b", "alert")

    assert (False, f"it answered {status}") == (found.delivered, found.cause)
    assert 1 == len(hook.requests)


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        (f"json://u:{SECRET}@127.0.0.1:9/{SECRET}", "the connection was refused"),
        (f"json://u:{SECRET}@nohost.invalid/{SECRET}", "its host is unknown"),
    ],
)
def test_cause_of_a_failure_has_no_secret(url: str, cause: str) -> None:
    """The cause is in our own words, and no library logs the address."""
    out, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(out), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        found = client(url).send("t", "b", "alert")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

    assert (False, cause) == (found.delivered, found.cause)
    assert SECRET not in out.getvalue()


def test_receiver_that_is_optional_for_apprise_is_not_for_us(hook: WebHook) -> None:
    """`optional=yes` in an address does not make a failure a success."""
    hook.status = lambda path, number: 500

    assert not client(hook.url("x?optional=yes")).send("t", "b", "alert").delivered


@pytest.mark.parametrize(
    "url", [f"nothing://{SECRET}", f"slack://{SECRET}", "json://", "json://a/, json://b/"]
)
def test_unknown_address_is_refused_without_its_text(url: str) -> None:
    """The refusal names the receiver."""
    with pytest.raises(UsageError, match="env:A 1") as caught:
        client(url)

    assert SECRET not in str(caught.value)


def test_every_cause_can_be_found() -> None:
    """Words of ours only; an unknown failure has general ones."""
    lines = {"Read timed out", "Connection refused", "getaddrinfo failed", "bad certificate",
             "Network is unreachable", "SMTPAuthenticationError", "Connection reset"}  # fmt: skip

    assert {words for _, words in CAUSES} == {failure_cause([line]) for line in lines}
    assert UNKNOWN == failure_cause([SECRET])


def test_mail_is_delivered_as_text(mail: MailServer) -> None:
    """Markup in a message is shown in the mail and not interpreted."""
    port = mail.server_address[1]
    url = f"mailto://127.0.0.1:{port}/?from=arena@example.org&to=op@example.org&mode=insecure"

    found = client(url).send("demo: halted", plain(HOSTILE) + " <i>", "alert")

    assert found.delivered, found.cause
    (raw,) = mail.mails
    message = email.message_from_bytes(raw, policy=policy.default)
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert "demo: halted" == message["Subject"]
    assert ["text/plain"] == [part.get_content_type() for part in parts]
    assert "<i>" in parts[0].get_content()


@pytest.mark.parametrize("write", [plain, plain_name])
def test_words_of_others_are_text_for_every_receiver(write: Any) -> None:  # Any: two functions
    """They cannot mention, link, hide or format anything."""
    shown = write(HOSTILE)

    assert not set("<>[]`|@\n\r\x1b\x00\u202e\u200b") & set(shown)
    assert "://" not in shown
    assert "\\u202e" in shown
    assert "\u0301" * 5 not in shown
    assert len(shown) <= 320


@pytest.mark.parametrize(
    ("url", "host", "shown"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops", "slack.com", "&lt;x&gt;"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", "telegram.org", "&lt;x&gt; &amp; *c*"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js/", "discord.com", "<x> & *c*"),
    ],
)
def test_chats_get_text_and_not_markup(
    url: str, host: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Apprise would send to Slack, Telegram and Discord shows a message as it is.

    Their servers cannot be started here, so the request is caught before it leaves.
    """
    sent: list[str] = []

    # Any: what requests accepts.
    def catch(session: Any, method: str, url: str, **request: Any) -> requests.Response:
        if host in url:
            sent.append(str(request.get("data") or request.get("json")))
        answer = requests.Response()
        answer.status_code, answer._content = 200, b'{"ok": true, "result": []}'
        return answer

    monkeypatch.setattr(requests.Session, "request", catch)
    client(url).send("demo: halted", f"{plain(HOSTILE)} <x> & *c*", "alert")

    (post,) = sent
    assert shown in post
    assert not any(
        mark in post for mark in ("<!", "<@", "@everyone", "<b>bold", "](", "evil.test)>")
    )
    assert "slack" not in host or '"mrkdwn": false' in post
