# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud with one tenant, its security routes, and tokens that the cloud itself signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import pytest
from emulator import first_party
from emulator.clock import Clock
from emulator.context import RequestContext, attach, family_of
from emulator.directory import Directory
from emulator.entra.keys import SigningKeys
from emulator.entra.tokens import sign
from emulator.errors import ApiError
from emulator.replication import Replication
from emulator.security import SecurityStore, build_store, routes
from emulator.settings import Settings
from emulator.state import Cloud, SecurityStores, Tenant
from starlette.routing import Router
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

NOW = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
TENANT = "11111111-1111-4111-8111-000000000001"
OTHER_TENANT = "22222222-2222-4222-8222-000000000002"
CLIENT = "33333333-3333-4333-8333-000000000003"
AUDIENCES = {"graph": "https://graph.microsoft.com", "defender": "https://api.security.microsoft.com"}
READERS = {
    "graph": ("SecurityIncident.ReadWrite.All", "SecurityAlert.ReadWrite.All", "ThreatHunting.Read.All"),
    "defender": ("Incident.ReadWrite.All", "AdvancedHunting.Read.All"),
}


class Frame:
    """Does what the server's middleware does for one request: context, and errors as answers."""

    def __init__(self, app: ASGIApp, cloud: Cloud) -> None:
        self.app = app
        self.cloud = cloud

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # Start and stop of the application.
            await self.app(scope, receive, send)
            return
        family = family_of(scope["path"])
        attach(scope, RequestContext(self.cloud, family, "request-1", "client-request-1"))
        try:
            await self.app(scope, receive, send)
        except ApiError as exc:
            response = exc.render(
                family="graph" if family == "graph" else "defender",
                now=self.cloud.now(),
                request_id="request-1",
                client_request_id="client-request-1",
            )
            await response(scope, receive, send)


@dataclass
class World:
    """A running cloud and a client in front of it."""

    cloud: Cloud
    client: TestClient
    security: dict[str, Any] = field(default_factory=dict)

    @property
    def store(self) -> SecurityStore:
        return self.cloud.security[TENANT]

    def token(self, family: str, roles: Sequence[str] | None = None, *, tenant: str = TENANT, client: str = CLIENT) -> dict[str, str]:
        issued = int(self.cloud.clock.timestamp()) - 300
        claims = {
            "aud": AUDIENCES[family], "iss": f"https://sts.windows.net/{tenant}/", "iat": issued, "nbf": issued, "exp": issued + 3900,
            "appid": client, "app_displayname": "Contoso SOC", "oid": "44444444-4444-4444-8444-000000000004", "tid": tenant,
            "roles": list(READERS[family] if roles is None else roles), "ver": "1.0",
        }  # fmt: skip
        header = {"typ": "JWT", "alg": "RS256", "kid": self.cloud.keys.current.kid}
        return {"Authorization": f"Bearer {sign(self.cloud, header, claims)}"}

    def graph(self, path: str, params: dict[str, Any] | None = None, *, method: str = "GET", **options: Any) -> Any:
        headers = self.token("graph") | options.pop("headers", {})
        return self.client.request(
            method, f"/v1.0/security/{path}" if "://" not in path else path, params=params, headers=headers, **options
        )

    def defender(self, path: str, params: dict[str, Any] | None = None, *, method: str = "GET", **options: Any) -> Any:
        headers = self.token("defender") | options.pop("headers", {})
        url = path if "://" in path else f"/api/{path}"
        return self.client.request(method, url, params=params, headers=headers, **options)

    def admin(self, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any:
        return self.client.request(method, f"/_emulator/security/{path}", json=body)

    def graph_ids(self, **params: Any) -> list[str]:
        """The ids of every page, following the links."""
        found: list[str] = []
        answer = self.graph("incidents", {f"${name}": value for name, value in params.items()})
        while True:
            assert answer.status_code in (200, 206), answer.text
            found += [incident["id"] for incident in answer.json()["value"]]
            link = answer.json().get("@odata.nextLink")
            if link is None:
                return found
            answer = self.graph(link)


def _tenant(tenant_id: str, domain: str, replication: Replication, security: dict[str, Any]) -> Tenant:
    return Tenant(tenant_id, domain, domain.split(".")[0].title(), Directory(tenant_id, replication), settings={"security": security})


@pytest.fixture(scope="session")
def signing_keys() -> SigningKeys:
    return SigningKeys(NOW)


@pytest.fixture
def world(signing_keys: SigningKeys) -> Iterator[Callable[..., World]]:
    """A maker of worlds: ``world(incidents=20, next_link="skip")``; the keywords are the tenant's ``security`` mapping."""

    def make(**security: Any) -> World:
        clock = Clock(NOW)
        clock.freeze()
        clock.set(NOW)
        replication = Replication(clock)
        cloud = Cloud(seed=7, clock=clock, replication=replication, settings=Settings())
        cloud.keys = signing_keys
        for tenant_id, domain in ((TENANT, "fabrikam.com"), (OTHER_TENANT, "northwind.com")):
            cloud.add_tenant(_tenant(tenant_id, domain, replication, security if tenant_id == TENANT else {}))
        first_party.register(cloud)
        cloud.security = SecurityStores(lambda tenant_id: build_store(cloud.tenants[tenant_id], {}, cloud.seed, NOW))
        app = Frame(Router(routes(cloud)), cloud)
        return World(cloud, TestClient(app, base_url="https://localhost:8443"), security)

    return make  # type: ignore[return-value]
