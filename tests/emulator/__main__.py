# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m emulator --port N --scenario FILE --state-dir DIR`: serve until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .machine import Machine
from .scenario import ScenarioError, build, endpoints, load
from .server import ABORT, build_app
from .state import Cloud
from .tls import make_tls, write_private

SCENARIOS = Path(__file__).parent / "scenarios"


class _Protocol(HttpToolsProtocol):
    """Lets the application drop the connection, for the fault `reset`."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {ABORT: self.transport.abort}
        self.scope["extensions"] = extensions


class _Server(uvicorn.Server):
    """Says so once, when connections are accepted; serves the metadata service of a machine beside the cloud."""

    ready: dict[str, Any]
    metadata: uvicorn.Config
    metadata_socket: socket.socket

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self.servers.append(await asyncio.get_running_loop().create_server(self._metadata_protocol, sock=self.metadata_socket))
            print(json.dumps(self.ready), flush=True)

    def _metadata_protocol(self) -> asyncio.Protocol:
        return HttpToolsProtocol(config=self.metadata, server_state=self.server_state, app_state={})


def listen(port: int) -> list[socket.socket]:
    """Sockets on the loopback addresses, IPv6 only where it exists. Port 0 takes any that is free on both."""
    for _attempt in range(20):
        first = socket.socket(socket.AF_INET)
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(("127.0.0.1", port))
        second = _ipv6(first.getsockname()[1])
        if second is not None or not socket.has_ipv6 or not _has_loopback6():
            return [first] if second is None else [first, second]
        if port:
            return [first]
        first.close()
    raise OSError("no free port")


def _ipv6(port: int) -> socket.socket | None:
    made = None
    try:
        made = socket.socket(socket.AF_INET6)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(("::1", port))
    except OSError:
        if made is not None:
            made.close()
        return None
    return made


def _has_loopback6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _add_machine(server: _Server, cloud: Cloud) -> dict[str, Any]:
    """Give the server the metadata service of a machine; return what clients on it need."""
    machine = Machine(cloud)
    server.metadata = uvicorn.Config(machine.app(), log_config=None, access_log=False, lifespan="off", server_header=False)
    server.metadata.load()
    server.metadata_socket = socket.create_server(("127.0.0.1", 0))
    return machine.description(f"http://127.0.0.1:{server.metadata_socket.getsockname()[1]}")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m emulator", description="The Microsoft cloud on a laptop")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--scenario", default="minimal", help="a YAML file, or the name of one that is delivered with the emulator")
    parser.add_argument("--state-dir", type=Path, required=True, help="gets ca.pem, endpoints.json and emulator.log")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Start, serve, end. Exit status 2 for a scenario that cannot be used."""
    arguments = _arguments(argv)
    arguments.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = arguments.state_dir / "emulator.log"
    os.close(os.open(log, os.O_WRONLY | os.O_CREAT, 0o600))
    logging.basicConfig(filename=log, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)
    path = Path(arguments.scenario)
    if not path.exists():
        path = SCENARIOS / f"{arguments.scenario.removesuffix('.yml')}.yml"
    try:
        cloud = build(load(path))
    except ScenarioError as exc:
        print(f"emulator: {exc}", file=sys.stderr)
        return 2
    sockets = listen(arguments.port)
    cloud.origin = f"https://localhost:{sockets[0].getsockname()[1]}"
    context, ca_path = make_tls(arguments.state_dir)
    config = uvicorn.Config(
        build_app(cloud),
        log_config=None,
        access_log=False,
        http=_Protocol,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    config.load()
    config.ssl = context
    server = _Server(config)
    server.ready = endpoints(cloud, ca_path=str(ca_path.resolve()), pid=os.getpid()) | {"machine": _add_machine(server, cloud)}
    write_private(arguments.state_dir / "endpoints.json", json.dumps(server.ready, indent=2).encode())
    server.run(sockets=sockets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
