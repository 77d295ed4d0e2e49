# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delegated tokens: device code, authorization code with PKCE, refresh."""

from __future__ import annotations

import base64
import hashlib
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

import jwt
import pytest

HOME = "11111111-1111-4111-8111-000000000001"
FABRIKAM = "11111111-1111-4111-8111-000000000002"
APP = "33333333-3333-4333-8333-000000000001"
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
XDR = "https://api.security.microsoft.com"
LOOPBACK = "http://localhost"
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


@pytest.fixture
def world(make_world: Callable[..., Any]) -> Any:
    """The app is a public client with delegated permissions that Fabrikam consented to."""
    return make_world(
        app={
            "permissions": [],
            "scopes": ["MicrosoftThreatProtection/Incident.Read"],
            "public_redirect_uris": [LOOPBACK],
            "public_client": True,
            "secrets": [],
            "consented": [HOME, FABRIKAM],
        }
    )


def approve(world: Any, user_code: str, *, answer: str = "accept", username: str = "admin@fabrikam.example") -> str:
    form = {"user_code": user_code, "username": username, "password": "admin-pass", "consent": answer}
    return str(world.http.post("/common/oauth2/deviceauth", data=form).text)


def poll(world: Any, code: str, client_id: str = APP, tenant: str = "organizations") -> Any:
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    return world.http.post(f"/{tenant}/oauth2/v2.0/token", data={"grant_type": grant, "client_id": client_id, "device_code": code})


def start(world: Any, client_id: str = APP, scope: str = f"{XDR}/Incident.Read offline_access openid") -> dict[str, Any]:
    answer = world.http.post("/organizations/oauth2/v2.0/devicecode", data={"client_id": client_id, "scope": scope})
    assert answer.status_code == 200, answer.text
    started: dict[str, Any] = answer.json()
    return started


def test_a_device_waits_until_somebody_approves_it_and_then_gets_a_users_token(world: Any) -> None:
    started = start(world)
    assert (started["expires_in"], started["interval"]) == (900, 5)
    assert poll(world, started["device_code"]).json()["error"] == "authorization_pending"
    assert 'id="done"' in approve(world, started["user_code"])
    body = poll(world, started["device_code"]).json()
    claims = claims_of(body["access_token"])
    assert (claims["scp"], claims["tid"], claims["upn"]) == ("Incident.Read", FABRIKAM, "admin@fabrikam.example")
    assert (claims["aud"], claims["appidacr"]) == (XDR, "0")
    assert "roles" not in claims
    assert claims["oid"] != claims["sub"]
    assert body["scope"].split() == [f"{XDR}/Incident.Read", "openid"]
    assert {"refresh_token", "id_token"} <= set(body)
    assert poll(world, started["device_code"]).json()["error"] == "bad_verification_code"


def test_a_device_code_can_be_declined_and_can_expire(world: Any) -> None:
    declined, late = start(world), start(world)
    approve(world, declined["user_code"], answer="cancel")
    assert poll(world, declined["device_code"]).json()["error"] == "authorization_declined"
    world.http.post("/_emulator/clock", json={"step": 1000})
    assert poll(world, late["device_code"]).json()["error"] == "expired_token"
    assert 'data-code="70019"' in approve(world, late["user_code"])


def test_the_v1_device_flow_writes_strings_and_takes_a_code(world: Any) -> None:
    started = world.http.post("/organizations/oauth2/devicecode", data={"client_id": APP, "resource": XDR}).json()
    assert (started["expires_in"], started["interval"]) == ("900", "5")
    approve(world, started["user_code"])
    form = {"grant_type": "device_code", "client_id": APP, "code": started["device_code"], "resource": XDR}
    body = world.http.post("/organizations/oauth2/token", data=form).json()
    assert (body["expires_in"], body["scope"]) == ("3599", "Incident.Read")


def test_a_confidential_app_may_not_use_the_device_flow(make_world: Callable[..., Any]) -> None:
    world = make_world(app={"consented": [HOME, FABRIKAM], "scopes": ["MicrosoftThreatProtection/Incident.Read"]})
    started = start(world)
    answer = poll(world, started["device_code"])
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [7000218])


def test_the_bootstrap_clients_of_microsoft_can_register_an_app_for_an_administrator(world: Any) -> None:
    started = start(world, AZURE_CLI, "https://graph.microsoft.com/.default")
    approve(world, started["user_code"])
    token = poll(world, started["device_code"], AZURE_CLI).json()["access_token"]
    made = world.graph("POST", "/applications", token=token, json={"displayName": "x", "signInAudience": "AzureADMultipleOrgs"})
    assert made.status_code == 201
    assert world.graph("GET", "/me", token=token).json()["userPrincipalName"] == "admin@fabrikam.example"
    assert world.graph("POST", "/servicePrincipals", token=token, json={"appId": made.json()["appId"]}).status_code == 201


def test_an_ordinary_person_may_register_but_not_change_the_apps_of_others(world: Any) -> None:
    started = start(world, AZURE_CLI, "https://graph.microsoft.com/.default")
    form = {"user_code": started["user_code"], "username": "user@fabrikam.example", "password": "user-pass", "consent": "accept"}
    world.http.post("/common/oauth2/deviceauth", data=form)
    token = poll(world, started["device_code"], AZURE_CLI).json()["access_token"]
    made = world.graph("POST", "/applications", token=token, json={"displayName": "x", "signInAudience": "AzureADMyOrg"}).json()
    assert world.graph("PATCH", f"/applications/{made['id']}", token=token, json={"notes": "mine"}).status_code == 204
    automation = world.cloud.automation[FABRIKAM]["client_id"]
    assert world.graph("PATCH", f"/applications(appId='{automation}')", token=token, json={"notes": "x"}).status_code == 403
    assert world.graph("POST", "/servicePrincipals", token=token, json={"appId": APP}).status_code == 403


def test_a_credential_of_a_public_client_is_refused(world: Any) -> None:
    answer = world.token(client_id=AZURE_CLI)
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [700025])


# -- authorization code -------------------------------------------------------------------------------------------


def link(**more: str) -> str:
    query = {
        "client_id": APP,
        "response_type": "code",
        "redirect_uri": f"{LOOPBACK}:8400/",
        "scope": f"{XDR}/Incident.Read openid offline_access",
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return "/organizations/oauth2/v2.0/authorize?" + urllib.parse.urlencode(query | more)


def code_from(world: Any, address: str) -> str:
    answer = world.consent(address)
    assert answer.status_code == 302, answer.text
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.headers["location"]).query))
    assert query["state"] == "s"
    return query["code"]


def redeem(world: Any, code: str, **more: str) -> Any:
    form = {
        "grant_type": "authorization_code",
        "client_id": APP,
        "code": code,
        "redirect_uri": f"{LOOPBACK}:8400/",
        "code_verifier": VERIFIER,
    }
    return world.http.post("/organizations/oauth2/v2.0/token", data=form | more)


def test_a_code_is_redeemed_once_with_its_verifier(world: Any) -> None:
    code = code_from(world, link())
    assert redeem(world, code, code_verifier="x" * 50).json()["error_codes"] == [501481]
    assert redeem(world, code, redirect_uri="http://localhost:1/").json()["error_codes"] == [50011]
    body = redeem(world, code).json()
    assert claims_of(body["access_token"])["scp"] == "Incident.Read"
    assert claims_of(body["id_token"])["preferred_username"] == "admin@fabrikam.example"
    assert redeem(world, code).json()["error_codes"] == [54005]


def test_a_code_expires_and_belongs_to_its_tenant(world: Any) -> None:
    code = code_from(world, link())
    form = {"grant_type": "authorization_code", "client_id": APP, "code": code, "code_verifier": VERIFIER}
    other = world.http.post(f"/{HOME}/oauth2/v2.0/token", data=form)
    assert other.json()["error_codes"] == [700005]
    world.http.post("/_emulator/clock", json={"step": 700})
    assert redeem(world, code).json()["error_codes"] == [70008]
    assert redeem(world, "invented").json()["error_codes"] == [70000]


def test_a_refresh_token_gives_another_access_token(world: Any) -> None:
    first = redeem(world, code_from(world, link())).json()
    form = {"grant_type": "refresh_token", "client_id": APP, "refresh_token": first["refresh_token"], "scope": f"{XDR}/.default"}
    again = world.http.post(f"/{FABRIKAM}/oauth2/v2.0/token", data=form)
    assert claims_of(again.json()["access_token"])["scp"] == "Incident.Read"
    world.http.post("/_emulator/clock", json={"step": 91 * 86400})
    assert world.http.post(f"/{FABRIKAM}/oauth2/v2.0/token", data=form).json()["error_codes"] == [700082]


def test_a_scope_nobody_consented_to_needs_consent(world: Any) -> None:
    page = world.http.post(
        link(scope=f"{XDR}/AdvancedHunting.Read"), data={"username": "user@fabrikam.example", "password": "user-pass", "consent": "accept"}
    )
    assert 'data-code="90094"' in page.text
    page = world.http.post(
        link(scope=f"{XDR}/No.Such"), data={"username": "admin@fabrikam.example", "password": "admin-pass", "consent": "accept"}
    )
    assert 'data-code="650053"' in page.text


@pytest.mark.parametrize(("mode", "mark"), [("fragment", "#code="), ("query", "?code=")])
def test_the_response_mode_says_where_the_code_goes(world: Any, mode: str, mark: str) -> None:
    assert mark in world.consent(link(response_mode=mode)).headers["location"]


def test_form_post_hands_the_code_over_in_a_form(world: Any) -> None:
    page = world.consent(link(response_mode="form_post"))
    assert re.search(r'<form method="post" action="http://localhost:8400/">.*name="code"', page.text)
