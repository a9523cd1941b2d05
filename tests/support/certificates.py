"""Certificate authorities of the tests' own, and what they sign."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificates:
    """Files in PEM."""

    authority: Path
    authority_key: ec.EllipticCurvePrivateKey
    # Of a server at 127.0.0.1, unless a test asked for another name.
    certificate: Path
    key: Path

    def together(self) -> Path:
        """Key and certificate in one file, as a host of the platform has them."""
        path = self.key.with_name("host.pem")
        path.write_text(self.key.read_text() + self.certificate.read_text(), encoding="utf-8")
        return path


def make_certificates(
    directory: Path,
    *names: str,
    days: int = 2,
    address: str | None = "127.0.0.1",
    unit: str = "host",
    signed_by: Certificates | None = None,
) -> Certificates:
    """What a server needs, of an authority of its own or of that of other certificates.

    With days below 0 the server's certificate has expired.
    """
    directory.mkdir(exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    issuer = _name(x509.NameAttribute(NameOID.COMMON_NAME, "authority of the tests"))
    authority_key = signed_by.authority_key if signed_by else ec.generate_private_key(ec.SECP256R1())
    authority = directory / "authority.pem"
    authority.write_bytes(
        signed_by.authority.read_bytes()
        if signed_by
        else x509.CertificateBuilder(issuer, issuer, authority_key.public_key(), x509.random_serial_number())
        .not_valid_before(now - 10 * DAY)
        .not_valid_after(now + 10 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    made = Certificates(authority, authority_key, directory / "server.pem", directory / "server.key")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit), x509.NameAttribute(NameOID.COMMON_NAME, "server")
    )
    known = [x509.DNSName(name) for name in names]
    addresses = [x509.IPAddress(ipaddress.ip_address(address))] if address else []
    certificate = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - 9 * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.SubjectAlternativeName([*known, *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made.key.write_bytes(key.private_bytes(*plain))
    return made


def _name(*attributes: x509.NameAttribute) -> x509.Name:
    return x509.Name(attributes)
