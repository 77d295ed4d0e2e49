# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The security services inside the whole emulator: scenario in, token from the token endpoint, incidents out."""

from __future__ import annotations

from typing import Any

import pytest
from emulator import scenario
from emulator.server import build_app
from starlette.testclient import TestClient

CUSTOMER = "22222222-2222-4222-8222-000000000002"
UNLICENSED = "22222222-2222-4222-8222-000000000003"
SCENARIO = {
    "seed": 7,
    "clock": "2026-11-01T12:00:00Z",
    "defaults": {"security": {"incidents": 30}},
    "tenants": [
        {"tenant_id": CUSTOMER, "domain": "fabrikam.example", "security": {"alerts_per_incident": 1}},
        {"tenant_id": UNLICENSED, "domain": "tailspin.example", "defender": False},
    ],
    "apps": [
        {
            "display_name": "Contoso SOC",
            "permissions": [
                "MicrosoftGraph/SecurityIncident.Read.All",
                "MicrosoftGraph/ThreatHunting.Read.All",
                "MicrosoftThreatProtection/Incident.Read.All",
            ],
            "consented": "all",
        }
    ],
}


class Visitor:
    """A partner's app against a running cloud."""

    def __init__(self) -> None:
        self.cloud = scenario.build(SCENARIO)
        self.client = TestClient(build_app(self.cloud), base_url="https://localhost:8443")
        self.app = self.cloud.prepared_apps[0]

    def token(self, tenant: str, resource: str) -> dict[str, str]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.app["client_id"],
            "client_secret": self.app["client_secret"],
            "scope": f"{resource}/.default",
        }
        answer = self.client.post(f"/{tenant}/oauth2/v2.0/token", data=form)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def graph(self, tenant: str, path: str, method: str = "GET", **options: Any) -> Any:
        headers = self.token(tenant, "https://graph.microsoft.com")
        return self.client.request(method, f"/v1.0/security/{path}", headers=headers, **options)


@pytest.fixture(scope="module")
def visitor() -> Visitor:
    return Visitor()


def test_an_app_with_consent_reads_the_incidents_of_its_customer_on_both_backends(visitor: Visitor) -> None:
    graph = visitor.graph(CUSTOMER, "incidents?$top=50").json()["value"]
    headers = visitor.token(CUSTOMER, "https://api.security.microsoft.com")
    defender = visitor.client.get("/api/incidents", headers=headers).json()["value"]
    assert len(graph) == len(defender) == 30
    assert [one["id"] for one in graph] == [str(one["incidentId"]) for one in defender]
    assert {one["tenantId"] for one in graph} == {CUSTOMER}


def test_errors_carry_the_ids_of_the_request(visitor: Visitor) -> None:
    answer = visitor.graph(CUSTOMER, "incidents?$top=51")
    assert answer.status_code == 400
    assert answer.json()["error"]["innerError"]["request-id"] == answer.headers["request-id"]


def test_a_tenant_without_defender_refuses_although_the_graph_role_was_granted(visitor: Visitor) -> None:
    answer = visitor.graph(UNLICENSED, "incidents")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Forbidden")
    assert "Missing application roles" not in answer.json()["error"]["message"]


def test_hunting_finds_the_partners_own_app_and_its_permissions(visitor: Visitor) -> None:
    query = (
        "OAuthAppInfo | where AppName == 'Contoso SOC' | mv-expand Permissions"
        " | project Permission = tostring(Permissions.PermissionValue) | order by Permission asc"
    )
    rows = visitor.graph(CUSTOMER, "runHuntingQuery", "POST", json={"Query": query}).json()["results"]
    assert [row["Permission"] for row in rows] == ["Incident.Read.All", "SecurityIncident.Read.All", "ThreatHunting.Read.All"]


def test_the_admin_api_tells_the_truth_about_a_tenant_by_its_domain(visitor: Visitor) -> None:
    answer = visitor.client.get("/_emulator/security/fabrikam.example/versions")
    assert answer.status_code == 200
    assert len(answer.json()["versions"]) == 30
