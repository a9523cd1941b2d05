"""What is said about a certificate that a client refuses ends with the next step."""

import pytest

from lambda_app.core.certificates import remedy, with_remedy


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        # As Python's ssl says it, in kafka-python and urllib.
        ("certificate has expired", "renew it: run playbooks/operate/certificates.yml"),
        ("certificate is not yet valid", "compare the clocks"),
        ("Hostname mismatch, certificate is not valid for 'a'", "certificates_extra_names"),
        ("IP address mismatch, certificate is not valid for '10.0.0.9'", "certificates_extra_names"),
        ("unable to get local issuer certificate", "another authority"),
        ("self-signed certificate in certificate chain", "another authority"),
        ("certificate signature failure", "another authority"),
        # As libpq says it.
        ('server certificate for "a" (and 4 other names) does not match host name "b"', "certificates_extra_names"),
        ("SSL error: certificate verify failed", "it has expired, or is of another authority"),
        ('root certificate file "/etc/lambda/ca.pem" does not exist', "knows no authority"),
        ("server does not support SSL, but SSL was required", "run playbooks/postgres.yml"),
    ],
)
def test_refused_certificate_has_a_remedy(reason: str, step: str) -> None:
    assert step in (remedy(reason) or "")
    assert with_remedy(reason).startswith(f"{reason}; ")


@pytest.mark.parametrize("reason", ["Connection refused", "password authentication failed", ""])
def test_other_reasons_stay_as_they_are(reason: str) -> None:
    assert with_remedy(reason) == reason
