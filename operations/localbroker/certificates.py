"""Certificates: the home's own authority, and checks of certificates that a user provides.

`--tls-self-signed` creates `<home>/secure/ca.pem`, the authority that clients trust, its key
`ca.key`, and `keystore.pem`, the brokers' key and certificate (mode 0600). If the brokers get
another name, the same authority issues a new certificate.
"""

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from arena.credentials import credentials_directory
from arena.errors import UsageError
from operations.localbroker.security import DIRECTORY_MODE, Tls, write_private

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

AUTHORITY_NAME, AUTHORITY_KEY_NAME, KEYSTORE_NAME = "ca.pem", "ca.key", "keystore.pem"
LIFE = timedelta(days=3_650)
CLOCK_ALLOWANCE = timedelta(days=1)
"""Certificates are valid from this long ago: the clock of another host may be behind."""
FILE_BYTES_MAX = 1_000_000


def home_tls(home: Path) -> Tls:
    """Return the paths of the home's own certificates."""
    folder = credentials_directory(home)
    return Tls(keystore=folder / KEYSTORE_NAME, truststore=folder / AUTHORITY_NAME)


def ensure_home_certificate(home: Path, names: Iterable[str]) -> Tls:
    """Create the home's authority and a certificate for these names, if they are missing."""
    tls, wanted = home_tls(home), sorted({"127.0.0.1", "localhost", *names})
    tls.keystore.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    key_path = tls.truststore.with_name(AUTHORITY_KEY_NAME)
    if not (tls.truststore.exists() and key_path.exists()):
        _create_authority(tls.truststore, key_path)
        tls.keystore.unlink(missing_ok=True)
    if not tls.keystore.exists() or missing_names(tls.keystore, wanted):
        _issue(tls, key_path, wanted)
    return tls


def require_certificate_names(tls: Tls, names: Iterable[str]) -> None:
    """Require a certificate that is valid for these names.

    Raises:
        UsageError: It lacks a name, cannot be read, or has expired.
    """
    lacking = missing_names(tls.keystore, names)
    if lacking:
        raise UsageError(
            f"the certificate in {tls.keystore} is not valid for {', '.join(lacking)}",
            remedy="it must have the advertised host and the loopback address as subject "
            "alternative names; --tls-self-signed creates such a certificate",
        )
    certificate = _certificate(tls.keystore)
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise UsageError(
            f"the certificate in {tls.keystore} expired at {certificate.not_valid_after_utc}",
            remedy="have it renewed by its authority, under the same path",
        )


def missing_names(keystore: Path, names: Iterable[str]) -> list[str]:
    """Return the names for which a certificate is not valid."""
    from cryptography import x509

    try:
        found = _certificate(keystore).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        return sorted(set(names))
    hosts = {host.lower() for host in found.value.get_values_for_type(x509.DNSName)}
    addresses = {str(address) for address in found.value.get_values_for_type(x509.IPAddress)}
    return [name for name in sorted(set(names)) if not _is_valid_for(name, hosts, addresses)]


def _is_valid_for(name: str, hosts: set[str], addresses: set[str]) -> bool:
    try:
        return str(ipaddress.ip_address(name)) in addresses
    except ValueError:
        host = name.lower()
        return host in hosts or f"*.{host.partition('.')[2]}" in hosts


def _certificate(path: Path) -> "x509.Certificate":
    """Return the first certificate of a PEM file.

    Raises:
        UsageError: The file has none, or cannot be read.
    """
    from cryptography import x509

    try:
        with path.open("rb") as file:
            return x509.load_pem_x509_certificate(file.read(FILE_BYTES_MAX))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it has no certificate in PEM"
        raise UsageError(
            f"{path} cannot be used: {why}",
            remedy="give a PEM file with the key and the certificate of the broker",
        ) from None


def _create_authority(path: Path, key_path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    signed = (
        _builder("arena authority", key.public_key())
        .issuer_name(_name("arena authority"))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(key_path, _pem_of_key(key))
    write_private(path, _pem_of(signed))


def _issue(tls: Tls, key_path: Path, names: list[str]) -> None:
    """Sign a certificate for these names, with a new key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        signer = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    except ValueError:
        signer = None
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise UsageError(
            f"{key_path} is not the key of the home's own authority",
            remedy="put the file back, or choose another ARENA_HOME",
        )
    key, authority = ec.generate_private_key(ec.SECP256R1()), _certificate(tls.truststore)
    alternative = x509.SubjectAlternativeName([_general(name) for name in names])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    signed = (
        _builder("arena broker", key.public_key())
        .issuer_name(authority.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(alternative, critical=False)
        .add_extension(issuer, critical=False)
        .sign(signer, hashes.SHA256())
    )
    write_private(tls.keystore, _pem_of_key(key) + _pem_of(signed))


def _general(name: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(subject: str, key: "ec.EllipticCurvePublicKey") -> "x509.CertificateBuilder":
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_ALLOWANCE)
        .not_valid_after(now + LIFE)
    )


def _name(text: str) -> "x509.Name":
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem_of(certificate: "x509.Certificate") -> str:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _pem_of_key(key: "ec.EllipticCurvePrivateKey") -> str:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
