"""A certificate authority of the tests' own, and what it signs."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

OPTIONS = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]


@dataclass(frozen=True)
class Certificates:
    """Files in PEM."""

    authority: Path
    # Of a server at 127.0.0.1.
    certificate: Path
    key: Path


def make_certificates(directory: Path) -> Certificates:
    """A new authority each time."""
    made = Certificates(directory / "authority.pem", directory / "server.pem", directory / "server.key")
    authority_key = directory / "authority.key"
    _openssl("-keyout", authority_key, "-out", made.authority, "-subj", "/CN=authority of the tests")
    signed = ["-CA", made.authority, "-CAkey", authority_key, "-addext", "subjectAltName=IP:127.0.0.1"]
    _openssl("-keyout", made.key, "-out", made.certificate, "-subj", "/CN=server", *signed)
    return made


def _openssl(*options: str | Path) -> None:
    subprocess.run(["openssl", *OPTIONS, *options], check=True, capture_output=True)
