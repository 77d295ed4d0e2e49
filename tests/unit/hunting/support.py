# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of hunting share: clients over a script, and the emulator's engine in the place of the services."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.m365d.partner.plugins.module_utils._core.api import ApiClient
from ansible_collections.m365d.partner.plugins.module_utils._core.hunting.backends import Column, DefenderHunting, GraphHunting
from ansible_collections.m365d.partner.plugins.module_utils._core.hunting.reader import Hunt, HuntReader, HuntReport
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.token import AccessToken
from ansible_collections.m365d.partner.plugins.module_utils._core.transport import Transport, TransportSettings
from ansible_collections.m365d.partner.plugins.module_utils._ops.hunting import ARGUMENT_SPEC, hunt_of
from unit.support.scripted_http import Answer, ScriptedSession, scripted_transport

TENANT = "11111111-1111-4111-8111-000000000001"
NOW = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
NOW_TEXT = "2026-11-01T12:00:00.0000000Z"
BASES = {"graph": "https://graph.microsoft.com", "defender": "https://api.security.microsoft.com"}
URLS = {
    "graph": "https://graph.microsoft.com/v1.0/security/runHuntingQuery",
    "defender": "https://api.security.microsoft.com/api/advancedhunting/run",
}
TOKEN = AccessToken(
    value="t.o.k", tenant_id=TENANT, resource="https://graph.microsoft.com", client_id="c", expires_at=0.0, auth_method="client_secret"
)


def backend(api: str, transport: Transport) -> GraphHunting | DefenderHunting:
    """Return a backend over a transport."""
    client = ApiClient(transport, base_url=BASES[api], tenant_id=TENANT, get_token=lambda _refresh, _claims: TOKEN)
    return GraphHunting(client) if api == "graph" else DefenderHunting(client)


def scripted(api: str, *answers: Answer, deadline: float = 300.0) -> tuple[GraphHunting | DefenderHunting, ScriptedSession, list[float]]:
    """Return a backend over a script, the session that records its requests, and the waits between them."""
    transport, session, clock = scripted_transport(*answers, deadline=deadline)
    return backend(api, transport), session, clock.slept


def hunt(**options: Any) -> Hunt:
    """Return what the options of the module ask for."""
    defaults = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
    return hunt_of({**defaults, **options}, now=NOW)


class Rows:
    """Keeps what a reader delivers."""

    def __init__(self) -> None:
        self.columns: tuple[Column, ...] = ()
        self.rows: list[dict[str, Any]] = []

    def begin(self, columns: tuple[Column, ...]) -> None:
        self.columns = columns

    def write(self, row: Mapping[str, Any]) -> None:
        self.rows.append(dict(row))


def read(source: GraphHunting | DefenderHunting, **options: Any) -> tuple[list[dict[str, Any]], HuntReport]:
    """Read what the options of the module ask for."""
    rows = Rows()
    report = HuntReader(source, hunt(**options)).read(rows)
    return rows.rows, report


class ServedSession:
    """Answers requests with the emulator: `ask` sends one to it and returns its response."""

    def __init__(self, ask: Callable[[str, str, Any], Any]) -> None:
        self._ask = ask
        self.bodies: list[Any] = []

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        self.bodies.append(kwargs["json"])
        answer = self._ask(method, url, kwargs["json"])
        return ScriptedSession(Answer(answer.status_code, answer.content, dict(answer.headers))).request(method, url, **kwargs)


def served(api: str, world: Any) -> tuple[GraphHunting | DefenderHunting, ServedSession]:
    """Return a backend that the emulator's own routes answer."""

    def _ask(method: str, url: str, body: Any) -> Any:
        path = url.split("/security/")[1] if api == "graph" else url.split("/api/")[1]
        send = world.graph if api == "graph" else world.defender
        return send(path, method=method, content=json.dumps(body), headers={"Content-Type": "application/json"})

    session = ServedSession(_ask)
    transport = Transport(TransportSettings(), session=session, sleep=lambda _seconds: None)
    return backend(api, transport), session
