# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of the internet on this machine: a proxy that answers for them itself, over TLS with an authority of its own.

A recipe can so be run as it is printed, with the addresses that are in it.
"""

from __future__ import annotations

import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme


@dataclass(frozen=True)
class Asked:
    """A request; `url` is whole, whichever way it came."""

    method: str
    url: str
    headers: Mapping[str, str]


# Status and body for a request.
Respond = Callable[[Asked], tuple[int, Any]]


@dataclass
class Internet:
    """The proxy, and what was asked of whom.

    :param ca_path: the authority that vouches for every host.
    """

    proxy: str
    ca_path: str
    asked: list[Asked] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What sends a program to this internet, and leaves it the emulator."""
        names = {"HTTP_PROXY": self.proxy, "HTTPS_PROXY": self.proxy, "NO_PROXY": "localhost,127.0.0.1,::1"}
        return {**names, **{name.lower(): value for name, value in names.items()}, "REQUESTS_CA_BUNDLE": self.ca_path}


@contextmanager
def internet(directory: Path, respond: Respond) -> Iterator[Internet]:
    """Run the proxy while the block lasts."""
    authority = trustme.CA()
    ca_path = directory / "internet-ca.pem"
    authority.cert_pem.write_to_path(str(ca_path))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        origin = ""

        def do_CONNECT(self) -> None:
            """Become the host that the client wants a tunnel to."""
            self.send_response(200)
            self.end_headers()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(self.path.rpartition(":")[0]).configure_cert(context)
            self.connection = context.wrap_socket(self.connection, server_side=True)
            self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
            self.origin = f"https://{self.path.removesuffix(':443')}"
            self.close_connection = False

        def do_GET(self) -> None:
            """Let the test answer."""
            asked = Asked(self.command, urllib.parse.urljoin(self.origin, self.path), dict(self.headers))
            found.asked.append(asked)
            status, body = respond(asked)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Internet(f"http://127.0.0.1:{server.server_port}", str(ca_path))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
