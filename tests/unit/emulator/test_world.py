# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication, faults, the request log, the admin API, and scenario files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from emulator import scenario
from emulator.entra.codes import CODES
from emulator.scenario import ScenarioError

HOME = "11111111-1111-4111-8111-000000000001"
FABRIKAM = "11111111-1111-4111-8111-000000000002"
APP = "33333333-3333-4333-8333-000000000001"
MTP = "8ee8fdad-f234-4243-8f3b-15c294843740"
BODY = {"displayName": "Made by test", "signInAudience": "AzureADMultipleOrgs"}
SECRET = "abc8Q~not-a-real-secret-but-long-enough-00"


# -- replication --------------------------------------------------------------------------------------------------


def test_each_step_of_a_fresh_registration_is_late_by_the_number_of_looks(make_world: Callable[..., Any]) -> None:
    world = make_world(replication_delay={"requests": 2})

    def until_done(method: str, path: str, body: dict[str, Any], success: int) -> tuple[list[int], Any]:
        seen = []
        for _attempt in range(6):
            answer = world.graph(method, path, json=body)
            seen.append(answer.status_code)
            if answer.status_code == success:
                return seen, answer.json()
        raise AssertionError(seen)

    app = world.graph("POST", "/applications", json=BODY).json()
    seen, principal = until_done("POST", "/servicePrincipals", {"appId": app["appId"]}, 201)
    assert seen == [400, 400, 201]
    resource = world.cloud.tenants[HOME].directory.service_principal(MTP).id
    role = "a9790345-4595-42e4-971a-ccdc79f19b7c"
    grant = {"principalId": principal["id"], "resourceId": resource, "appRoleId": role}
    seen, _unused = until_done("POST", f"/servicePrincipals/{resource}/appRoleAssignedTo", grant, 201)
    assert seen == [400, 400, 201]
    secret = world.graph("POST", f"/applications/{app['id']}/addPassword", json={}).json()["secretText"]
    outcomes = []
    for _attempt in range(12):
        answer = world.token(HOME, client_id=app["appId"], client_secret=secret)
        body = answer.json()
        outcomes.append(body["error_codes"][0] if "error" in body else "roles" if _roles(body) else "no roles")
        if outcomes[-1] == "roles":
            break
    assert outcomes == [700016, 700016, 700016, 700016, 7000215, 7000215, "no roles", "no roles", "roles"]


def _roles(body: dict[str, Any]) -> list[str]:

    found: list[str] = jwt.decode(body["access_token"], options={"verify_signature": False}).get("roles", [])
    return found


def test_a_delay_in_seconds_passes_with_the_clock(make_world: Callable[..., Any]) -> None:
    world = make_world(replication_delay={"seconds": 30})
    app = world.graph("POST", "/applications", json=BODY).json()
    assert world.graph("GET", f"/applications/{app['id']}").status_code == 404
    world.http.post("/_emulator/clock", json={"step": 31})
    assert world.graph("GET", f"/applications/{app['id']}").status_code == 200


def test_a_change_shows_the_old_value_until_it_has_replicated(world: Any) -> None:
    world.http.post("/_emulator/replication", json={"requests": 1})
    path = f"/applications(appId='{APP}')"
    assert world.graph("PATCH", path, json={"notes": "new"}).status_code == 204
    assert [world.graph("GET", path).json()["notes"] for _unused in range(2)] == [None, "new"]


def test_a_revoked_role_stays_in_tokens_until_the_removal_has_replicated(world: Any) -> None:
    world.consented()
    world.http.post("/_emulator/replication", json={"requests": 1})
    path = f"/servicePrincipals(appId='{APP}')/appRoleAssignments"
    for one in world.graph("GET", path, tenant=FABRIKAM).json()["value"]:
        world.graph("DELETE", f"{path}/{one['id']}", tenant=FABRIKAM)
    assert [len(_roles(world.token().json())) for _unused in range(2)] == [2, 0]


def test_a_disabled_app_gets_tokens_until_that_has_replicated(world: Any) -> None:
    world.consented()
    world.http.post("/_emulator/replication", json={"requests": 1})
    world.graph("PATCH", f"/servicePrincipals(appId='{APP}')", tenant=FABRIKAM, json={"accountEnabled": False})
    codes = [world.token().json().get("error_codes") for _unused in range(3)]
    assert codes[-1] == [7000112]


# -- faults -------------------------------------------------------------------------------------------------------


def inject(world: Any, **rule: Any) -> str:
    answer = world.http.post("/_emulator/faults", json=rule)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["faults"][0]["id"])


@pytest.mark.parametrize(
    ("rule", "status", "check"),
    [
        ({"throttle": 7}, 429, lambda answer: answer.headers["retry-after"] == "7"),
        ({"throttle": None}, 429, lambda answer: "retry-after" not in answer.headers),
        ({"unavailable": 3}, 503, lambda answer: answer.headers["retry-after"] == "3"),
        ({"status": 500, "code": "InternalServerError"}, 500, lambda answer: answer.json()["error"]["code"] == "InternalServerError"),
        ({"status": 502, "body": "<html>"}, 502, lambda answer: answer.text == "<html>"),
        ({"status": 418, "headers": {"X-Tea": "pot"}}, 418, lambda answer: answer.headers["x-tea"] == "pot"),
        ({"redirect": "https://evil.example/"}, 302, lambda answer: answer.headers["location"] == "https://evil.example/"),
        ({"non_json": True}, 200, lambda answer: answer.headers["content-type"] == "text/html"),
        ({"empty": True}, 200, lambda answer: answer.content == b""),
        ({"set": {"value": "odd"}}, 200, lambda answer: answer.json()["value"] == "odd"),
    ],
)
def test_a_fault_changes_the_answer_of_the_request_it_matches(
    world: Any, rule: dict[str, Any], status: int, check: Callable[[Any], bool]
) -> None:
    token = world.graph_token()
    inject(world, family="graph", path="^/v1.0/contracts", times=1, **rule)
    hit, missed = world.graph("GET", "/contracts", token=token), world.graph("GET", "/contracts", token=token)
    assert hit.status_code == status
    assert check(hit)
    assert missed.status_code == 200
    assert world.graph("GET", "/organization", token=token).status_code == 200


def test_a_foreign_next_link_points_elsewhere(world: Any) -> None:
    inject(world, family="graph", foreign_next_link="https://evil.example")
    answer = world.graph("GET", "/contracts?$top=1", token=world.graph_token()).json()
    assert answer["@odata.nextLink"].startswith("https://evil.example/v1.0/contracts?")


def test_a_dropped_connection_is_seen_by_the_client(world: Any) -> None:
    inject(world, family="login", path="/token$", reset=True)
    with pytest.raises(ConnectionResetError):
        world.token()


def test_rules_count_skip_stop_and_are_removed(world: Any) -> None:
    world.consented()
    rule = inject(world, family="login", aadsts=50196, skip=1, times=2)
    codes = [world.token().json().get("error_codes") for _unused in range(4)]
    assert codes == [None, [50196], [50196], None]
    shown = world.http.get("/_emulator/faults").json()["faults"]
    assert [(one["id"], one["seen"], one["applied"]) for one in shown] == [(rule, 4, 2)]
    assert world.http.delete(f"/_emulator/faults/{rule}").json() == {"removed": 1}
    assert world.http.get("/_emulator/faults").json()["faults"] == []


@pytest.mark.parametrize(
    ("match", "hits"),
    [
        ({"tenant": FABRIKAM}, True),
        ({"tenant": "fabrikam.example"}, True),
        ({"tenant": HOME}, False),
        ({"method": "GET"}, False),
        ({"family": "graph"}, False),
        ({"path": "oauth2/token$"}, False),
        ({"probability": 0}, False),
    ],
)
def test_a_rule_matches_by_tenant_method_family_path_and_chance(world: Any, match: dict[str, Any], hits: bool) -> None:
    world.consented()
    inject(world, throttle=1, **match)
    assert (world.token().status_code == 429) is hits


def test_a_rule_can_name_the_tenant_and_client_of_a_bearer_token(world: Any) -> None:
    token = world.graph_token(FABRIKAM)
    inject(world, family="graph", tenant="fabrikam.example", client_id=world.cloud.automation[FABRIKAM]["client_id"], status=500)
    assert world.graph("GET", "/organization", token=token).status_code == 500
    assert world.graph("GET", "/organization").status_code == 200


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_of_the_table_can_be_provoked(world: Any, code: int) -> None:
    inject(world, family="login", aadsts=code, times=1)
    answer = world.token()
    body = answer.json()
    assert body["error_codes"] == [code]
    assert (answer.status_code == 401) == (body["error"] == "invalid_client")


@pytest.mark.parametrize("rule", [{}, {"explode": True}, {"status": 500, "path": "("}, {"aadsts": 1}])
def test_a_rule_that_makes_no_sense_is_refused(world: Any, rule: dict[str, Any]) -> None:
    assert world.http.post("/_emulator/faults", json=rule).status_code == 400


# -- log and admin ------------------------------------------------------------------------------------------------


def test_the_log_counts_by_family_operation_and_tenant(world: Any) -> None:
    world.consented()
    world.http.delete("/_emulator/requests")
    token = world.token().json()["access_token"]
    world.token(client_secret="wrong")
    world.http.get("/api/incidents", headers={"Authorization": f"Bearer {token}"})
    counters = world.http.get("/_emulator/counters").json()
    assert counters["families"] == {"login": 2, "defender": 1}
    assert (counters["operations"]["login.token"], counters["tokens_issued"]) == (2, 1)
    assert counters["tokens_by_tenant"] == {FABRIKAM: 1}
    assert counters["statuses"] == {"login.200": 1, "login.401": 1, "defender.200": 1}
    failed = world.http.get("/_emulator/requests", params={"status": "401", "family": "login"}).json()["requests"]
    assert [(one["error"], one["credential"], one["tenant_id"], one["client_id"]) for one in failed] == [
        ("AADSTS7000215", "secret", FABRIKAM, APP)
    ]


def test_neither_log_nor_state_show_a_secret_or_a_token(world: Any) -> None:
    world.consented()
    token = world.token().json()["access_token"]
    world.http.get("/api/incidents", headers={"Authorization": f"Bearer {token}"})
    world.http.get(f"/organizations/adminconsent?client_id={APP}&code=very-secret-code&state=visible")
    shown = "".join(world.http.get(f"/_emulator/{what}").text for what in ("requests", "state", "", "counters", "faults"))
    for secret in (SECRET, token, "very-secret-code", world.cloud.bootstrap["client_secret"], "admin-pass"):
        assert secret not in shown
    assert "state=visible" in shown


def test_the_clock_can_be_set_frozen_and_stepped(world: Any) -> None:
    world.http.post("/_emulator/clock", json={"freeze": True, "set": "2030-01-01T00:00:00Z"})
    first = world.http.get("/_emulator/clock").json()["time"]
    assert first == world.http.post("/_emulator/clock", json={"step": 0}).json()["time"]
    assert first.startswith("20")
    world.http.post("/_emulator/clock", json={"set": "2030-01-01T00:00:00Z"})
    assert world.http.post("/_emulator/clock", json={"step": 86400}).json()["time"] == "2030-01-02T00:00:00+00:00"
    assert world.http.post("/_emulator/clock", json={"jump": 1}).status_code == 400


def test_defender_can_be_taken_away_and_given_back(world: Any) -> None:
    world.consented()
    world.http.patch("/_emulator/tenants/fabrikam.example", json={"defender": False})
    assert world.token().json()["error_codes"] == [500011]
    world.http.patch("/_emulator/tenants/fabrikam.example", json={"defender": True})
    assert _roles(world.token().json()) == []
    world.consented()
    assert len(_roles(world.token().json())) == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PATCH", "tenants/unknown.example", {"defender": True}, 404),
        ("PATCH", "tenants/fabrikam.example", {"colour": "blue"}, 400),
        ("PATCH", "tenants/fabrikam.example", {"sign_in_block": 1}, 400),
        ("POST", "apps/unknown/expire", {}, 404),
        ("POST", "idp/ci/token", {}, 400),
        ("GET", "nothing", None, 404),
    ],
)
def test_admin_calls_that_make_no_sense_say_so(world: Any, method: str, path: str, body: Any, status: int) -> None:
    answer = world.http.request(method, f"/_emulator/{path}", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]


# -- scenarios ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        {"colour": "blue"},
        {"unverified": {"colour": "blue"}},
        {"tenants": [{"tenant_id": "no guid", "domain": "a.example"}]},
        {"tenants": [{"domain": "a.example"}]},
        {"tenants": [{"tenant_id": FABRIKAM, "domain": "a.example", "colour": "blue"}]},
        {"tenants": [{"tenant_id": HOME, "domain": "a.example"}]},
        {"apps": [{"display_name": "x", "permissions": ["MicrosoftGraph/No.Such"]}]},
        {"apps": [{"display_name": "x", "permissions": ["NoSuch/Incident.Read.All"]}]},
        {"apps": [{"display_name": "x", "colour": "blue"}]},
        {"apps": [{"display_name": "x", "consented": ["unknown.example"]}]},
        {"clock": "yesterday"},
        {"faults": [{"explode": True}]},
    ],
)
def test_a_scenario_with_a_mistake_is_refused_with_a_sentence(raw: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario.build(raw)
    assert str(caught.value)


@pytest.mark.parametrize("name", ["minimal", "demo", "fleet"])
def test_the_delivered_scenarios_build_and_their_tokens_work(name: str) -> None:
    cloud = scenario.build(scenario.load(Path(scenario.__file__).parent / "scenarios" / f"{name}.yml"))
    shown = scenario.endpoints(cloud, ca_path="ca.pem", pid=1)
    assert len(shown["tenants"]) == len(cloud.tenants)
    assert all(one["admin"]["password"] and one["automation"]["client_secret"] for one in shown["tenants"])
    assert json.dumps(shown)


def test_a_fixed_clock_starts_where_the_scenario_says(make_world: Callable[..., Any]) -> None:
    world = make_world(clock="2026-11-01T00:00:00Z")
    assert world.http.get("/_emulator/clock").json()["time"].startswith("2026-11-01T00:0")


def test_ids_are_the_same_for_the_same_seed_and_secrets_never(make_world: Callable[..., Any]) -> None:
    first, second = make_world(), make_world()
    assert first.cloud.bootstrap["client_id"] == second.cloud.bootstrap["client_id"]
    assert first.cloud.bootstrap["client_secret"] != second.cloud.bootstrap["client_secret"]
    made = [world.graph("POST", "/applications", json=BODY).json()["appId"] for world in (first, second)]
    assert made[0] == made[1]
