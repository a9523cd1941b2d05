"""Takes Alertmanager's notifications on loopback and writes each alert into the journal.

A request that was answered with 200 is in the journal; Alertmanager sends again what was not.
"""

import logging
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lambda_app.core.events import Event
from lambda_app.core.operate.alert_lines import alert_line, is_resolved, parse_notification
from lambda_app.errors import InvalidConfiguration
from lambda_app.host import logs

# A notification with a thousand alerts has a tenth of this.
BODY_LIMIT_BYTES = 8 * 1024 * 1024
REQUEST_TIMEOUT_SECONDS = 10

logger = logging.getLogger(__name__)


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_TIMEOUT_SECONDS

    def do_GET(self) -> None:
        """Who waits for the receiver to be ready asks so."""
        self._answer(HTTPStatus.OK)

    def do_POST(self) -> None:
        """A notification."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY_LIMIT_BYTES:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE if length.isdecimal() else HTTPStatus.LENGTH_REQUIRED)
            return
        try:
            alerts = parse_notification(self.rfile.read(int(length)))
        except ValueError as error:
            logger.warning(
                "A request is not a notification of Alertmanager: %s", error, extra=Event.NOTIFICATION_REFUSED.fields()
            )
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        for alert in alerts:
            fields = {"alert": alert.labels.get("alertname", ""), "alert_status": alert.status}
            if is_resolved(alert):
                logger.info("%s", alert_line(alert), extra=Event.ALERT_RESOLVED.fields(**fields))
            else:
                logger.log(logs.ALERT, "%s", alert_line(alert), extra=Event.ALERT_FIRING.fields(**fields))
        self._answer(HTTPStatus.OK)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server has
        """Nothing: what counts is in the alert's own line."""

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def bind(address: str) -> ThreadingHTTPServer:
    """A receiver at HOST:PORT, to be served by the caller; raises InvalidConfiguration when it is not one, or taken."""
    host, _, port = address.rpartition(":")
    try:
        return ThreadingHTTPServer((host, int(port)), _Handler)
    except (OSError, OverflowError, ValueError) as error:
        raise InvalidConfiguration(f"Alerts cannot be taken at {address!r} (HOST:PORT): {error}") from error
