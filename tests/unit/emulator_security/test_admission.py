# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may call: tokens, permissions, licences, quotas."""

from __future__ import annotations

from typing import Any

import pytest

LISTS = {"graph": "/v1.0/security/incidents", "defender": "/api/incidents"}


@pytest.mark.parametrize(
    ("family", "roles", "path", "method", "status"),
    [
        ("graph", ["SecurityIncident.Read.All"], "/v1.0/security/incidents", "GET", 200),
        ("graph", ["SecurityIncident.ReadWrite.All"], "/v1.0/security/incidents", "GET", 200),
        ("graph", ["SecurityAlert.Read.All"], "/v1.0/security/incidents", "GET", 403),
        ("graph", ["SecurityIncident.Read.All"], "/v1.0/security/alerts_v2", "GET", 200),
        ("graph", ["SecurityAlert.Read.All"], "/v1.0/security/alerts_v2", "GET", 200),
        ("graph", ["SecurityEvents.Read.All"], "/v1.0/security/alerts_v2", "GET", 403),
        ("graph", ["SecurityIncident.Read.All"], "/v1.0/security/incidents/1", "PATCH", 403),
        ("graph", ["SecurityIncident.ReadWrite.All"], "/v1.0/security/incidents/1", "PATCH", 404),
        ("graph", ["SecurityAlert.Read.All"], "/v1.0/security/alerts_v2/x", "PATCH", 403),
        ("defender", ["Incident.Read.All"], "/api/incidents", "GET", 200),
        ("defender", ["Incident.ReadWrite.All"], "/api/incidents", "GET", 200),
        ("defender", ["AdvancedHunting.Read.All"], "/api/incidents", "GET", 403),
        ("defender", ["Incident.Read.All"], "/api/incidents/1", "PATCH", 403),
        ("defender", [], "/api/incidents", "GET", 403),
        ("defender", [], LISTS["graph"], "GET", 401),
        ("graph", ["SecurityIncident.Read.All"], LISTS["defender"], "GET", 401),
    ],
)  # fmt: skip
def test_each_call_needs_its_permission_on_its_resource(
    world: Any, family: str, roles: list[str], path: str, method: str, status: int
) -> None:
    here = world()
    answer = here.client.request(method, path, headers=here.token(family, roles), json={} if method == "PATCH" else None)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    ("family", "path", "roles", "text"),
    [
        ("defender", "/api/incidents", [],
         "Missing application roles. API required roles: Incident.Read.All,Incident.ReadWrite.All, application roles: ."),
        ("defender", "/api/incidents", ["AdvancedHunting.Read.All"],
         "Missing application roles. API required roles: Incident.Read.All,Incident.ReadWrite.All, "
         "application roles: AdvancedHunting.Read.All."),
        ("graph", "/v1.0/security/alerts_v2", ["User.Read.All"],
         "Missing application roles. API required roles: SecurityAlert.Read.All,SecurityAlert.ReadWrite.All,"
         "SecurityIncident.Read.All,SecurityIncident.ReadWrite.All, application roles: User.Read.All."),
    ],
)  # fmt: skip
def test_a_missing_role_is_named_as_the_service_names_it(world: Any, family: str, path: str, roles: list[str], text: str) -> None:
    here = world()
    error = here.client.get(path, headers=here.token(family, roles)).json()["error"]
    assert (error["code"], error["message"]) == ("Forbidden", text)


@pytest.mark.parametrize("family", ["graph", "defender"])
def test_no_token_an_expired_one_and_a_forged_one_are_refused(world: Any, family: str) -> None:
    here = world()
    assert here.client.get(LISTS[family]).status_code == 401
    good = here.token(family)
    forged = {"Authorization": good["Authorization"][:-8] + "AAAAAAAA"}
    assert here.client.get(LISTS[family], headers=forged).status_code == 401
    here.cloud.clock.step(4000)
    assert here.client.get(LISTS[family], headers=good).status_code == 401


@pytest.mark.parametrize(
    ("licence", "family", "status", "code", "text"),
    [
        ("not_provisioned", "defender", 401, "Unauthorized", "Account is not provisioned"),
        ("inactive", "defender", 401, "Unauthorized", "Account mode is inactive"),
        ("disabled", "defender", 403, "DisabledFeature", "disabled"),
        ("not_provisioned", "graph", 403, "Forbidden", "Account is not provisioned"),
        ("inactive", "graph", 403, "Forbidden", "Account mode is inactive"),
        ("disabled", "graph", 403, "DisabledFeature", "disabled"),
    ],
)
def test_a_tenant_without_defender_is_told_so_although_the_role_is_there(
    world: Any, licence: str, family: str, status: int, code: str, text: str
) -> None:
    here = world(licence=licence)
    answer = here.client.get(LISTS[family], headers=here.token(family))
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert text in answer.json()["error"]["message"]


def test_provisioning_can_come_and_go_while_the_cloud_runs(world: Any) -> None:
    here = world()
    tenant = here.cloud.tenants[here.store.tenant_id]
    for provisioned, status in ((True, 200), (False, 401), (True, 200)):
        tenant.defender_provisioned = provisioned
        assert here.defender("incidents").status_code == status


def test_no_quota_holds_unless_the_scenario_switches_it_on(world: Any) -> None:
    here = world(incidents=1)
    assert {here.defender("incidents").status_code for _unused in range(60)} == {200}


@pytest.mark.parametrize(
    ("call", "limit"),
    [
        (lambda here: here.defender("incidents"), 50),
        (lambda here: here.defender("incidents/1"), 100),
        (lambda here: here.defender("incidents/1", method="PATCH", json={}), 50),
        (lambda here: here.graph("incidents"), 150),
    ],
)
def test_quotas_hold_per_minute(world: Any, call: Any, limit: int) -> None:
    here = world(incidents=1, quota=True)
    assert 429 not in {call(here).status_code for _unused in range(limit)}
    refused = call(here)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "60"
    here.cloud.clock.step(61)
    assert call(here).status_code != 429


def test_the_defender_api_says_how_many_calls_in_which_time(world: Any) -> None:
    here = world(incidents=1, quota={"enabled": True, "list_per_minute": 2, "per_hour": 3, "retry_after": False})
    for _unused in range(2):
        here.defender("incidents")
    first = here.defender("incidents")
    here.cloud.clock.step(61)
    here.defender("incidents")
    second = here.defender("incidents")
    assert first.json()["error"]["code"] == "429"
    assert first.json()["error"]["message"] == "API calls quota exceeded! maximum allowed 2 per 00:01:00"
    assert second.json()["error"]["message"] == "API calls quota exceeded! maximum allowed 3 per 01:00:00"
    assert "retry-after" not in first.headers


def test_quotas_are_counted_per_tenant_and_app(world: Any) -> None:
    here = world(incidents=1, quota={"enabled": True, "list_per_minute": 1})
    assert here.defender("incidents").status_code == 200
    assert here.defender("incidents").status_code == 429
    other_app = here.token("defender", client="33333333-3333-4333-8333-000000000009")
    assert here.client.get("/api/incidents", headers=other_app).status_code == 200
