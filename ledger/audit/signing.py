"""Ed25519 signatures of seals (RFC 8032): a key file that only its owner reads, and checking.

The key file is PEM, PKCS #8, without a password, mode 0600. `cryptography` is loaded by the first
call that needs it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from arena.errors import UsageError
from arena.written import write_new

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_MODE = 0o600
PUBLIC_HEX_CHARS = 64


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key; its public half says who signed."""

    _key: "Ed25519PrivateKey"

    @property
    def public_hex(self) -> str:
        """The public key, 32 bytes in hex."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, content: bytes) -> bytes:
        """The signature of some bytes, 64 bytes."""
        return self._key.sign(content)

    @classmethod
    def read(cls, path: Path) -> "Signer":
        """The key in a file.

        Raises:
            UsageError: There is none, it is no ed25519 key, or others may read it.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            mode = path.stat().st_mode & 0o077
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise UsageError(
                f"cannot read the key {path}: {error.strerror}",
                remedy="arena audit keygen FILE makes one",
            ) from None
        except (ValueError, TypeError):
            raise UsageError(f"{path} is no private key", remedy="name a PEM file") from None
        if mode:
            raise UsageError(f"others may read the key {path}", remedy=f"chmod 600 {path}")
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError(f"{path} is no ed25519 key", remedy="arena audit keygen FILE")
        return cls(key)


def new_key(path: Path) -> str:
    """Make a key file that is not there yet; returns the public key in hex.

    Raises:
        UsageError: The file exists.
        OSError: It cannot be written; nothing of it is left.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        write_new(path, content, KEY_MODE)
    except FileExistsError:
        raise UsageError(f"{path} is there already", remedy="name another file") from None
    return key.public_key().public_bytes_raw().hex()


def is_signed(content: bytes, signature_hex: str, public_hex: str) -> bool:
    """True where a signature over some bytes was made with the private half of a public key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))
        key.verify(bytes.fromhex(signature_hex), content)
    except (InvalidSignature, ValueError):
        return False
    return True
