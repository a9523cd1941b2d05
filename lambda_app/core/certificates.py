"""What to do about a certificate that a client refuses, from what OpenSSL or libpq says about it."""

import re

RENEWAL = "playbooks/operate/certificates.yml"
_RENEW = f"run {RENEWAL}"
# In this order: libpq says no more than the last of an expired certificate and of one by a strange authority.
_REMEDIES = (
    (re.compile(r"has expired"), f"renew it: {_RENEW}"),
    (re.compile(r"not yet valid"), "compare the clocks of both hosts"),
    (
        re.compile(r"mismatch|does not match host name|certificate is not valid for"),
        "use a name or an address that the inventory gives that host, or add this one to its certificates_extra_names",
    ),
    (
        re.compile(r"self.signed|local issuer|issuer certificate|signature failure"),
        f"it is of another authority than those that this host trusts: {_RENEW}",
    ),
    (
        re.compile(r"certificate verify failed"),
        f"it has expired, or is of another authority than those that this host trusts: {_RENEW}",
    ),
    (re.compile(r"root certificate file|could not read root cert"), f"this host knows no authority to trust: {_RENEW}"),
    (re.compile(r"server does not support SSL"), "the server speaks no TLS: run playbooks/postgres.yml"),
)


def remedy(reason: str) -> str | None:
    """The next step, None when the reason is not about a certificate.

    >>> remedy("certificate verify failed: certificate has expired")
    'renew it: run playbooks/operate/certificates.yml'
    >>> remedy("connection refused")
    """
    return next((step for pattern, step in _REMEDIES if pattern.search(reason)), None)


def with_remedy(reason: str) -> str:
    """The reason, and the next step if there is one."""
    step = remedy(reason)
    return f"{reason}; {step}" if step else reason
