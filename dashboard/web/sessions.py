"""Sessions of the page: a signed cookie proves that its browser once had the token. Pure.

A cookie is "<expiry>.<nonce>.<HMAC-SHA-256>", keyed by the token, so it survives a restart of the
process, and a new token ends all sessions. A session that logged out is remembered until it
expires, or until the process ends.
"""

import hmac
from collections import OrderedDict
from hashlib import sha256

SESSION_S = 12 * 3600
NONCE_CHARS = 32
ENDED_MAX = 1_024
COOKIE_CHARS_MAX = 200
TOKEN_CHARS_MAX = 512


class Sessions:
    """Makes and checks cookies.

    Args:
        token: The token; "" if there is none, and then nothing is valid.
    """

    def __init__(self, token: str) -> None:
        """Derive the key of the cookies."""
        self._token = token.encode()
        self._key = sha256(b"arena web session\x00" + self._token).digest()
        self._ended: OrderedDict[str, None] = OrderedDict()

    def is_token(self, text: str) -> bool:
        """True for the token; takes the same time for all wrong ones."""
        given = text[:TOKEN_CHARS_MAX].encode("utf-8", "replace")
        return hmac.compare_digest(given, self._token) and bool(self._token)

    def new(self, nonce: str, now_s: float) -> str:
        """The cookie of a new session.

        Args:
            nonce: `NONCE_CHARS` random characters.
            now_s: Unix seconds.
        """
        text = f"{int(now_s) + SESSION_S}.{nonce}"
        return f"{text}.{self._signature(text)}"

    def is_valid(self, cookie: str, now_s: float) -> bool:
        """True for a cookie of this token that has not expired and not logged out.

        Args:
            cookie: The cookie; "" if there is none.
            now_s: Unix seconds.
        """
        if not self._token or not cookie.isascii() or len(cookie) > COOKIE_CHARS_MAX:
            return False
        text, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature, self._signature(text)):
            return False
        expiry, _, _ = text.partition(".")
        return now_s < int(expiry) and text not in self._ended

    def end(self, cookie: str) -> None:
        """Log a session out."""
        text, _, _ = cookie.rpartition(".")
        self._ended[text] = None
        if len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)

    def _signature(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), sha256).hexdigest()
