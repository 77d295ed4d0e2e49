# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token endpoints with a client secret: success bodies, claims, and every refusal that a request can provoke."""

from __future__ import annotations

import base64
import urllib.parse
import uuid
from collections.abc import Callable
from typing import Any

import jwt
import pytest

HOME = "11111111-1111-4111-8111-000000000001"
FABRIKAM = "11111111-1111-4111-8111-000000000002"
NORTHWIND = "11111111-1111-4111-8111-000000000003"
APP = "33333333-3333-4333-8333-000000000001"
XDR = "https://api.security.microsoft.com"
SECRET = "abc8Q~not-a-real-secret-but-long-enough-00"
NOBODY = "33333333-3333-4333-8333-999999999999"


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def test_v1_writes_numbers_as_strings_and_v2_as_numbers(world: Any) -> None:
    world.consented()
    v1, v2 = world.token(version=1).json(), world.token(version=2).json()
    assert (v1["expires_in"], v1["ext_expires_in"], v1["resource"]) == ("3599", "3599", XDR)
    assert int(v1["expires_on"]) - int(v1["not_before"]) == 3900
    assert (v2["expires_in"], v2["ext_expires_in"]) == (3599, 3599)
    assert set(v2) == {"token_type", "expires_in", "ext_expires_in", "access_token"}
    assert not {"refresh_token", "id_token", "scope"} & set(v1)


def test_claims_are_those_of_a_v1_app_token(world: Any) -> None:
    world.consented()
    token = world.token(version=2).json()["access_token"]
    claims, header = claims_of(token), jwt.get_unverified_header(token)
    principal = world.cloud.tenants[FABRIKAM].directory.service_principal(APP)
    assert (header["alg"], header["x5t"]) == ("RS256", header["kid"])
    assert claims["aud"] == XDR
    assert claims["iss"] == claims["idp"] == f"https://sts.windows.net/{FABRIKAM}/"
    assert claims["oid"] == claims["sub"] == principal.id
    assert (claims["appid"], claims["appidacr"], claims["ver"], claims["tid"]) == (APP, "1", "1.0", FABRIKAM)
    assert sorted(claims["roles"]) == ["AdvancedHunting.Read.All", "Incident.Read.All"]
    assert claims["nbf"] == claims["iat"]
    assert claims["exp"] - claims["iat"] == 3900
    assert "scp" not in claims


def test_the_same_app_has_another_object_id_in_every_tenant(world: Any) -> None:
    world.consented()
    ids = {claims_of(world.token(tenant).json()["access_token"])["oid"] for tenant in (HOME, FABRIKAM)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("identifier", "audience", "roles"),
    [
        (XDR, XDR, True),
        (f"{XDR}/", f"{XDR}/", True),
        ("https://security.microsoft.com/mtp", "https://security.microsoft.com/mtp", True),
        ("8ee8fdad-f234-4243-8f3b-15c294843740", "8ee8fdad-f234-4243-8f3b-15c294843740", True),
        ("https://api.securitycenter.microsoft.com", "https://api.securitycenter.microsoft.com", False),
        ("https://api.securitycenter.windows.com", "https://api.securitycenter.windows.com", False),
        ("https://securitycenter.onmicrosoft.com/windowsatpservice", "https://securitycenter.onmicrosoft.com/windowsatpservice", False),
        (None, "00000002-0000-0000-c000-000000000000", False),
    ],
)
def test_the_audience_echoes_what_was_asked_for_and_roles_belong_to_it(
    world: Any, identifier: str | None, audience: str, roles: bool
) -> None:
    world.consented()
    claims = claims_of(world.token(version=1, resource=identifier).json()["access_token"])
    assert claims["aud"] == audience
    assert ("roles" in claims) is roles


def test_a_resource_that_ends_in_a_slash_is_asked_for_with_two(world: Any) -> None:
    world.consented()
    assert claims_of(world.token(scope=f"{XDR}//.default").json()["access_token"])["aud"] == f"{XDR}/"


def test_a_service_principal_without_grants_gets_a_token_without_roles(world: Any) -> None:
    assert world.graph("POST", "/servicePrincipals", tenant=FABRIKAM, json={"appId": APP}).status_code == 201
    claims = claims_of(world.token().json()["access_token"])
    assert "roles" not in claims


def test_a_resource_that_wants_v2_tokens_gets_them(make_world: Callable[..., Any]) -> None:
    world = make_world(app={"token_version": 2, "identifier_uris": ["api://reader"]})
    token = world.token(HOME, scope="api://reader/.default").json()["access_token"]
    claims, header = claims_of(token), jwt.get_unverified_header(token)
    assert (claims["ver"], claims["aud"], claims["azp"], claims["azpacr"]) == ("2.0", APP, APP, "1")
    assert claims["iss"] == f"https://localhost/{HOME}/v2.0"
    assert "x5t" not in header
    assert "appid" not in claims


def test_a_graph_token_has_a_nonce_and_no_naive_check_verifies_it(world: Any) -> None:
    token = world.graph_token()
    header = jwt.get_unverified_header(token)
    key = next(key for key in world.http.get("/common/discovery/keys").json()["keys"] if key["kid"] == header["kid"])
    assert "nonce" in header
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, jwt.PyJWK(key, "RS256"), algorithms=["RS256"], options={"verify_aud": False})
    assert claims_of(token)["idtyp"] == "app"
    assert world.graph("GET", "/organization", token=token).status_code == 200


def test_client_capabilities_appear_in_the_token(world: Any) -> None:
    world.consented()
    asked = '{"access_token":{"xms_cc":{"values":["cp1"]}}}'
    assert claims_of(world.token(claims=asked).json()["access_token"])["xms_cc"] == ["CP1"]


def test_the_secret_may_come_as_http_basic(world: Any) -> None:
    world.consented()
    raw = f"{urllib.parse.quote_plus(APP)}:{urllib.parse.quote_plus(SECRET)}"
    basic = {"Authorization": "Basic " + base64.b64encode(raw.encode()).decode()}
    answer = world.token(client_secret=None, client_id=None, headers=basic)
    assert answer.status_code == 200
    assert world.cloud.log.entries[-1].credential == "secret_basic"


@pytest.mark.parametrize(
    ("form", "status", "error", "code"),
    [
        ({"grant_type": None}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"client_id": None}, 400, "invalid_request", 900144),
        ({"client_id": NOBODY}, 400, "unauthorized_client", 700016),
        ({"client_id": "not-a-guid"}, 400, "unauthorized_client", 700016),
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000216),
        ({"client_secret": None}, 401, "invalid_client", 7000216),
        ({"scope": None}, 400, "invalid_request", 900144),
        ({"scope": ""}, 400, "invalid_request", 28003),
        ({"scope": f"{XDR}/Incident.Read.All"}, 400, "invalid_scope", 1002012),
        ({"scope": f"{XDR}/.default https://graph.microsoft.com/.default"}, 400, "invalid_scope", 700022),
        ({"scope": ".default"}, 400, "invalid_scope", 700023),
        ({"scope": 'quo"te/.default'}, 400, "invalid_scope", 70011),
        ({"scope": "openid"}, 400, "invalid_scope", 70011),
        ({"scope": "https://unknown.example/.default"}, 400, "invalid_resource", 500011),
        ({"resource": XDR}, 400, "invalid_request", 901002),
        ({"claims": "not json"}, 400, "invalid_request", 9002313),
        ({"claims": '{"access_token":{"xms_cc":{"values":5}}}'}, 400, "invalid_request", 9002313),
        ({"client_secret": None, "client_assertion": "x"}, 400, "invalid_request", 900144),
        ({"client_secret": None, "client_assertion": "x", "client_assertion_type": "y"}, 400, "invalid_request", 9002313),
    ],
)
def test_what_is_wrong_with_a_request_is_said_by_code_and_status(
    world: Any, form: dict[str, Any], status: int, error: str, code: int
) -> None:
    world.consented()
    answer = world.token(**form)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert body["error_description"].endswith(f"Timestamp: {body['timestamp']}")
    assert answer.headers["cache-control"] == "no-store, no-cache"


@pytest.mark.parametrize(
    ("tenant", "code"),
    [
        ("common", 9001023),
        ("organizations", 9001023),
        ("consumers", 9001023),
        ("unknown.example", 90002),
        ("44444444-4444-4444-8444-000000000004", 90002),
        ("not a tenant", 900023),
        ("00000000-0000-0000-0000-000000000000", 900021),
    ],
)
def test_a_tenant_that_cannot_issue_tokens_is_an_invalid_request(world: Any, tenant: str, code: int) -> None:
    answer = world.token(tenant)
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (400, "invalid_request", [code])


def test_a_single_tenant_app_is_refused_on_common_and_elsewhere(make_world: Callable[..., Any]) -> None:
    world = make_world(app={"sign_in_audience": "AzureADMyOrg"})
    assert world.token("common").json()["error_codes"] == [50194]
    assert world.token(FABRIKAM).json()["error_codes"] == [700016]
    assert world.token(HOME).status_code == 200


def test_only_post_is_accepted(world: Any) -> None:
    answer = world.http.get(f"/{FABRIKAM}/oauth2/v2.0/token")
    assert (answer.status_code, answer.json()["error_codes"]) == (405, [900561])


def test_a_body_that_is_no_form_lacks_its_grant_type(world: Any) -> None:
    answer = world.http.post(f"/{FABRIKAM}/oauth2/v2.0/token", json={"grant_type": "client_credentials"})
    assert answer.json()["error_codes"] == [900144]


def test_a_parameter_sent_twice_makes_the_request_malformed(world: Any) -> None:
    body = f"grant_type=client_credentials&client_id={APP}&client_id={APP}"
    answer = world.http.post(f"/{FABRIKAM}/oauth2/v2.0/token", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.json()["error_codes"] == [9002313]


def _disabled(world: Any) -> None:
    world.consented()
    path = f"/servicePrincipals(appId='{APP}')"
    assert world.graph("PATCH", path, tenant=FABRIKAM, json={"accountEnabled": False}).status_code == 204


def _without_defender(world: Any) -> None:
    world.consented()
    assert world.http.patch(f"/_emulator/tenants/{FABRIKAM}", json={"defender": False}).status_code == 200


def _resource_disabled(world: Any) -> None:
    world.consented()
    world.http.patch(f"/_emulator/tenants/{FABRIKAM}", json={"resource_disabled": True})


def _blocked(world: Any) -> None:
    world.consented()
    world.http.patch(f"/_emulator/tenants/{FABRIKAM}", json={"sign_in_block": 53003})


def _expired(world: Any) -> None:
    world.consented()
    assert len(world.http.post(f"/_emulator/apps/{APP}/expire").json()["expired"]) == 1


def _by_microsoft(world: Any) -> None:
    world.consented()
    world.http.patch(f"/_emulator/apps/{APP}", json={"disabled_by_microsoft": True})


def _app_deleted(world: Any) -> None:
    world.consented()
    assert world.graph("DELETE", f"/applications(appId='{APP}')").status_code == 204


def _assignment_required(world: Any) -> None:
    assert world.graph("POST", "/servicePrincipals", tenant=FABRIKAM, json={"appId": APP}).status_code == 201
    path = "/servicePrincipals(appId='8ee8fdad-f234-4243-8f3b-15c294843740')"
    assert world.graph("PATCH", path, tenant=FABRIKAM, json={"appRoleAssignmentRequired": True}).status_code == 204


@pytest.mark.parametrize(
    ("prepare", "code", "error"),
    [
        (lambda world: None, 700016, "unauthorized_client"),
        (_disabled, 7000112, "unauthorized_client"),
        (_without_defender, 500011, "invalid_resource"),
        (_resource_disabled, 500014, "invalid_resource"),
        (_blocked, 53003, "interaction_required"),
        (_expired, 7000222, "invalid_client"),
        (_by_microsoft, 7000112, "unauthorized_client"),
        (_app_deleted, 700016, "unauthorized_client"),
        (_assignment_required, 501051, "invalid_grant"),
    ],
)
def test_the_state_of_the_customer_decides_which_refusal_comes(world: Any, prepare: Callable[[Any], None], code: int, error: str) -> None:
    prepare(world)
    body = world.token().json()
    assert (body["error"], body["error_codes"]) == (error, [code])


def test_a_missing_service_principal_may_answer_with_the_newer_code(make_world: Callable[..., Any]) -> None:
    world = make_world(unverified={"missing_service_principal": 7000229})
    answer = world.token()
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (401, "invalid_client", [7000229])


def test_errors_may_be_joined_by_line_ends_as_in_older_answers(make_world: Callable[..., Any]) -> None:
    world = make_world(unverified={"error_separator": "crlf"})
    assert "\r\nTrace ID: " in world.token().json()["error_description"]


def test_the_client_request_id_becomes_the_correlation_id(world: Any) -> None:
    wanted = str(uuid.uuid4())
    assert world.token(headers={"client-request-id": wanted}).json()["correlation_id"] == wanted


def test_a_token_outlives_the_consent_that_made_it(world: Any) -> None:
    world.consented()
    token = world.token().json()["access_token"]
    world.graph("DELETE", f"/servicePrincipals(appId='{APP}')", tenant=FABRIKAM)
    assert world.token().json()["error_codes"] == [700016]
    assert world.http.get("/api/incidents", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_time_decides_over_token_and_secret(world: Any) -> None:
    world.consented()
    token = world.token().json()["access_token"]
    world.http.post("/_emulator/clock", json={"step": 3700})
    refused = world.http.get("/api/incidents", headers={"Authorization": f"Bearer {token}"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "Unauthorized")
    world.http.post("/_emulator/clock", json={"step": 731 * 86400})
    assert world.token().json()["error_codes"] == [7000222]
