"""Ed25519 signatures of seals (RFC 8032): key files, signing and verification.

The key file is PEM, PKCS #8, without a password, mode 0600. `cryptography` is imported by the first
call that needs it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from arena.atomic_files import write_new
from arena.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key that signs seals."""

    _key: "Ed25519PrivateKey"

    @property
    def public_hex(self) -> str:
        """The public key, 32 bytes in hex."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, content: bytes) -> bytes:
        """Return the signature of some bytes, 64 bytes."""
        return self._key.sign(content)

    @classmethod
    def read(cls, path: Path) -> "Signer":
        """Read a key from a file.

        Raises:
            UsageError: The file is missing, not an ed25519 key, or readable by others.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            mode = path.stat().st_mode & 0o077
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise UsageError(
                f"cannot read the key {path}: {error.strerror}",
                remedy="arena audit keygen FILE creates one",
            ) from None
        except (ValueError, TypeError):
            raise UsageError(f"{path} is not a private key", remedy="name a PEM file") from None
        if mode:
            raise UsageError(f"other users may read the key {path}", remedy=f"chmod 600 {path}")
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError(f"{path} is not an ed25519 key", remedy="arena audit keygen FILE")
        return cls(key)


def new_key(path: Path) -> str:
    """Create a new key file; return the public key in hex.

    Raises:
        UsageError: The file exists.
        OSError: It cannot be written; no partial file is left.
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
        raise UsageError(f"{path} already exists", remedy="name another file") from None
    return key.public_key().public_bytes_raw().hex()


def is_signed(content: bytes, signature_hex: str, public_hex: str) -> bool:
    """True if a signature over some bytes was made with the key of a public key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))
        key.verify(bytes.fromhex(signature_hex), content)
    except (InvalidSignature, ValueError):
        return False
    return True
