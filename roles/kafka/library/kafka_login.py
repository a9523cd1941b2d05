#!/usr/bin/python
"""Ansible module: which users cannot log in to Kafka with the password they should have.

Speaks just enough of Kafka's protocol (SaslHandshake, SaslAuthenticate) for SCRAM-SHA-512, with the
standard library alone: one process for all users instead of a JVM each, and no password in a file
or on a command line. Changes nothing.
"""

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kafka_login
short_description: Tells which users Kafka refuses
description:
  - Tries to log in as each user with SCRAM-SHA-512, in clear or by TLS, and returns those that were refused.
  - Kafka itself cannot say whether a stored SCRAM password is the wanted one.
options:
  address:
    description: Address of the broker.
    type: str
    required: true
  port:
    description: Port of the broker.
    type: int
    required: true
  passwords:
    description: Password of each user.
    type: dict
    required: true
  ca_file:
    description: Certificates of the authorities to trust. With it the broker must speak TLS, by a name that it has.
    type: path
  timeout_seconds:
    description: How long to wait for the broker to answer.
    type: int
    default: 60
author: Lambda Data Platform
"""
EXAMPLES = r"""
- name: Which passwords does Kafka not know
  kafka_login:
    address: 127.0.0.1
    port: 9092
    passwords: {admin: "{{ admin_password }}"}
"""
RETURN = r"""
refused:
  description: The users that Kafka refused, sorted by name.
  type: list
  elements: str
  returned: always
"""

SASL_HANDSHAKE, SASL_AUTHENTICATE = 17, 36
SASL_AUTHENTICATION_FAILED = 58


class Refused(Exception):
    """The broker does not accept this user with this password."""


class Connection:
    """A TCP connection that carries Kafka requests, one at a time."""

    def __init__(self, address: str, port: int, timeout: float, context: "ssl.SSLContext | None" = None) -> None:
        self._socket = socket.create_connection((address, port), timeout)
        if context:
            self._socket = context.wrap_socket(self._socket, server_hostname=address)

    def close(self) -> None:
        self._socket.close()

    def request(self, api_key: int, version: int, body: bytes) -> bytes:
        """Send one request, return the body of its response."""
        message = struct.pack(">hhi", api_key, version, 0) + _string("kafka_login") + body
        self._socket.sendall(struct.pack(">i", len(message)) + message)
        (length,) = struct.unpack(">i", self._read(4))
        return self._read(length)[4:]

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            chunk = self._socket.recv(length - len(data))
            if not chunk:
                raise ConnectionError("the broker closed the connection")
            data += chunk
        return data


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def _authenticate(connection: Connection, data: bytes) -> bytes:
    """One step of the SASL exchange: our bytes in, the broker's out."""
    body = connection.request(SASL_AUTHENTICATE, 0, struct.pack(">i", len(data)) + data)
    error, message_length = struct.unpack_from(">hh", body)
    if error == SASL_AUTHENTICATION_FAILED:
        raise Refused
    if error:
        raise ConnectionError(f"the broker answered SaslAuthenticate with error {error}")
    offset = 4 + max(message_length, 0)
    (length,) = struct.unpack_from(">i", body, offset)
    return body[offset + 4 : offset + 4 + length]


def log_in(connection: Connection, user: str, password: str) -> None:
    """SCRAM-SHA-512 as in RFC 5802, the client's side; raises Refused."""
    body = connection.request(SASL_HANDSHAKE, 1, _string("SCRAM-SHA-512"))
    (error,) = struct.unpack_from(">h", body)
    if error:
        raise ConnectionError("the broker does not offer SCRAM-SHA-512 here")

    name = user.replace("=", "=3D").replace(",", "=2C")
    client_first = f"n={name},r={base64.b64encode(os.urandom(18)).decode()}"
    server_first = _authenticate(connection, b"n,," + client_first.encode()).decode()
    fields = dict(part.split("=", 1) for part in server_first.split(","))

    salted = hashlib.pbkdf2_hmac("sha512", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    client_key = hmac.digest(salted, b"Client Key", "sha512")
    client_final = f"c=biws,r={fields['r']}"
    signed = f"{client_first},{server_first},{client_final}".encode()
    signature = hmac.digest(hashlib.sha512(client_key).digest(), signed, "sha512")
    proof = bytes(key ^ sign for key, sign in zip(client_key, signature, strict=True))
    _authenticate(connection, f"{client_final},p={base64.b64encode(proof).decode()}".encode())


def is_refused(
    address: str, port: int, user: str, password: str, deadline: float, context: "ssl.SSLContext | None" = None
) -> bool:
    """Try until the broker says yes or no; raises OSError when it says nothing before the deadline."""
    while True:
        try:
            connection = Connection(address, port, timeout=10, context=context)
            try:
                log_in(connection, user, password)
                return False
            finally:
                connection.close()
        except Refused:
            return True
        except ssl.SSLCertVerificationError:
            raise
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "passwords": {"type": "dict", "required": True, "no_log": True},
            "ca_file": {"type": "path"},
            "timeout_seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    options = module.params
    deadline = time.monotonic() + options["timeout_seconds"]
    try:
        context = ssl.create_default_context(cafile=options["ca_file"]) if options["ca_file"] else None
        refused = [
            user
            for user, password in sorted(options["passwords"].items())
            if is_refused(options["address"], options["port"], user, password, deadline, context)
        ]
    except OSError as error:
        module.fail_json(msg=f"Kafka does not answer at {options['address']}:{options['port']}: {error}")
    module.exit_json(changed=False, refused=refused)


if __name__ == "__main__":
    main()
