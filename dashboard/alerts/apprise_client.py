"""Delivers messages by Apprise: one object per receiver, in the thread of the caller.

Every message is declared as plain text, so Apprise escapes it for receivers that show HTML or
Markdown. Redirects are not followed: a redirected POST would become a GET that succeeds and
delivers nothing. Nothing is stored on disk, and no line of Apprise or its HTTP client is logged,
because they contain addresses.
"""

import logging
from dataclasses import dataclass

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType, PersistentStoreMode

from arena.errors import UsageError
from dashboard.alerts.receivers import Receiver
from dashboard.alerts.send_failures import failure_cause

QUIET = ("apprise", "urllib3", "requests")
READ_TIMEOUT_S = 30.0
"""Apprise waits 4 s for an answer; a message that is confirmed later would be sent again."""
ADDRESSES = "Apprise's documentation lists the forms of addresses"
TYPES = {
    "alert": NotifyType.WARNING,
    "resolved": NotifyType.SUCCESS,
    "test": NotifyType.INFO,
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of one attempt.

    Attributes:
        delivered: True if the receiver confirmed the message.
        cause: Why not; "" if it did.
    """

    delivered: bool
    cause: str = ""


class AppriseClient:
    """A connection to one receiver; no network is used before `send`."""

    def __init__(self, receiver: Receiver) -> None:
        """Check the address.

        Raises:
            UsageError: Apprise does not know the scheme, or the address has another form.
        """
        silence_libraries()
        self._apprise = Apprise(asset=_asset())
        try:
            added = bool(self._apprise.add(receiver.url.get_secret_value()))
        except Exception:  # a plugin's error may contain the address
            added = False
        if not added or len(self._apprise) != 1:
            raise UsageError(
                f"{receiver.name} is not the address of a receiver that Apprise knows",
                remedy=ADDRESSES,
            )
        for service in self._apprise:
            service.socket_read_timeout = max(service.socket_read_timeout, READ_TIMEOUT_S)

    def send(self, title: str, body: str, kind: str) -> Delivery:
        """Deliver a message; blocks until the receiver has confirmed it or the attempt has failed.

        Args:
            title: The title.
            body: The text.
            kind: A key of `TYPES`.
        """
        try:
            result = self._apprise.notify(
                body=body,
                title=title,
                notify_type=TYPES[kind],
                body_format=NotifyFormat.TEXT,
                interpret_escapes=False,
                log_level=logging.DEBUG,
            )
            # An address with "optional=yes" would count as delivered in any case.
            attempts = [any(map(bool, one.attempts)) for one in result]
            if attempts and all(attempts):
                return Delivery(delivered=True)
            return Delivery(False, failure_cause(entry.message for entry in result.logs()))
        except Exception as error:  # a plugin's error may contain the address
            return Delivery(False, failure_cause([type(error).__name__]))


def silence_libraries() -> None:
    """Keep the log lines of Apprise and of its HTTP client out of every log.

    `AppriseClient.send` still captures those of Apprise, to find the cause of a failure.
    """
    for name in QUIET:
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    logging.getLogger(QUIET[0]).setLevel(logging.DEBUG)


def _asset() -> AppriseAsset:
    return AppriseAsset(
        app_id="arena",
        app_desc="Alerts of an arena",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        image_path_mask=False,
        async_mode=False,
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
        interpret_emojis=False,
        storage_mode=PersistentStoreMode.MEMORY.value,
        service_timeout=0,
        secure_logging=True,
        allow_templates=False,
        language="en",
    )
