# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A receiver of incidents over HTTPS, as a partner's own system may be: it stumbles, refuses, and counts what it got."""

from __future__ import annotations

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

AUTHORIZATION = "Bearer the-token-of-the-receiver-7f3a"
_SECRET_PATH = "/hooks/c0nt0s0-h00k"


class Receiver:
    """Runs in a thread; answers the planned statuses first, and then 202."""

    def __init__(self, directory: Path) -> None:
        self.received: list[tuple[dict[str, str], Any]] = []
        self.planned: list[int] = []
        self.path = _SECRET_PATH
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(directory / "receiver-ca.pem"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_address[1]}{_SECRET_PATH}"
        self.ca_path = str(directory / "receiver-ca.pem")
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def accepted(self) -> dict[str, Any]:
        """The bodies by their keys: what a receiver has that heeds them."""
        return {headers["idempotency-key"]: body for headers, body in self.received}


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class _Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.planned.pop(0) if receiver.planned else 202
            if self.path != receiver.path or self.headers.get("Authorization") != AUTHORIZATION:
                status = 401
            if status == 202:
                receiver.received.append(({name.lower(): value for name, value in self.headers.items()}, json.loads(body)))
            self.send_response(status)
            if status in (429, 503):
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    return _Handler
