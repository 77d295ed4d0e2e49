# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Discovery documents, key sets and instance discovery."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jwt
import pytest

FABRIKAM = "11111111-1111-4111-8111-000000000002"


@pytest.mark.parametrize("name", [FABRIKAM, FABRIKAM.upper(), "fabrikam.example", "fabrikam.onmicrosoft.example"])
def test_a_tenant_is_resolved_to_its_guid_by_any_of_its_names(world: Any, name: str) -> None:
    v2 = world.http.get(f"/{name}/v2.0/.well-known/openid-configuration").json()
    v1 = world.http.get(f"/{name}/.well-known/openid-configuration").json()
    assert v2["issuer"] == f"https://localhost/{FABRIKAM}/v2.0"
    assert v2["token_endpoint"] == f"https://localhost/{FABRIKAM}/oauth2/v2.0/token"
    assert v1["issuer"] == f"https://sts.windows.net/{FABRIKAM}/"
    assert v1["token_endpoint"] == f"https://localhost/{FABRIKAM}/oauth2/token"
    assert v1["jwks_uri"] == "https://localhost/common/discovery/keys"
    assert v2["tenant_region_scope"] == "EU"


@pytest.mark.parametrize(
    ("name", "issuer"),
    [
        ("common", "https://localhost/{tenantid}/v2.0"),
        ("organizations", "https://localhost/{tenantid}/v2.0"),
        ("consumers", "https://localhost/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"),
    ],
)
def test_shared_endpoints_keep_the_braces_in_the_issuer(world: Any, name: str, issuer: str) -> None:
    document = world.http.get(f"/{name}/v2.0/.well-known/openid-configuration").json()
    assert document["issuer"] == issuer
    assert document["token_endpoint"] == f"https://localhost/{name}/oauth2/v2.0/token"
    assert document["tenant_region_scope"] is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("44444444-4444-4444-8444-000000000004", 90002),
        ("unknown.example", 90002),
        ("not a tenant", 900021),
        ("00000000-0000-0000-0000-000000000000", 900021),
    ],
)
def test_an_unknown_tenant_gives_invalid_tenant_on_discovery(world: Any, name: str, code: int) -> None:
    answer = world.http.get(f"/{name}/v2.0/.well-known/openid-configuration")
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (400, "invalid_tenant", [code])


def test_the_cloud_of_a_tenant_shows_in_discovery(make_world: Callable[..., Any]) -> None:
    tenants = [
        {"tenant_id": "11111111-1111-4111-8111-000000000021", "domain": "gcc.example", "cloud": "gcc"},
        {"tenant_id": "11111111-1111-4111-8111-000000000022", "domain": "high.example", "cloud": "gcc_high"},
    ]
    world = make_world(tenants=tenants)
    gcc = world.http.get("/gcc.example/v2.0/.well-known/openid-configuration").json()
    high = world.http.get("/high.example/v2.0/.well-known/openid-configuration").json()
    assert (gcc["tenant_region_sub_scope"], gcc["cloud_instance_name"]) == ("GCC", "microsoftonline.com")
    assert (high["tenant_region_sub_scope"], high["cloud_instance_name"]) == ("DODCON", "microsoftonline.us")
    refused = world.token("high.example")
    assert refused.json()["error_codes"] == [900382]


def test_a_tenant_of_another_cloud_may_be_refused_on_discovery(make_world: Callable[..., Any]) -> None:
    tenants = [{"tenant_id": "11111111-1111-4111-8111-000000000022", "domain": "high.example", "cloud": "gcc_high"}]
    world = make_world(tenants=tenants, unverified={"foreign_discovery": "refuse"})
    answer = world.http.get("/high.example/v2.0/.well-known/openid-configuration")
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [90038])


def test_both_key_sets_hold_several_keys_that_verify_a_token(world: Any) -> None:
    world.consented()
    token = world.token().json()["access_token"]
    for path in ("/common/discovery/keys", f"/{FABRIKAM}/discovery/v2.0/keys"):
        keys = world.http.get(path).json()["keys"]
        assert len(keys) == 2
        assert all(key["kid"] == key["x5t"] and key["x5c"] for key in keys)
        assert all(("issuer" in key) == ("v2.0" in path) for key in keys)
        key = next(key for key in keys if key["kid"] == jwt.get_unverified_header(token)["kid"])
        claims = jwt.decode(token, jwt.PyJWK(key, "RS256"), algorithms=["RS256"], audience="https://api.security.microsoft.com")
        assert claims["tid"] == FABRIKAM


def test_after_a_rollover_new_tokens_name_a_new_key_and_old_ones_still_verify(world: Any) -> None:
    world.consented()
    before = jwt.get_unverified_header(world.token().json()["access_token"])["kid"]
    rolled = world.http.post("/_emulator/keys/rotate").json()
    after = jwt.get_unverified_header(world.token().json()["access_token"])["kid"]
    published = [key["kid"] for key in world.http.get("/common/discovery/keys").json()["keys"]]
    assert after == rolled["kid"] != before
    assert {before, after} <= set(published)
    world.http.post("/_emulator/keys/rotate", json={"retire_old": True})
    assert before not in [key["kid"] for key in world.http.get("/common/discovery/keys").json()["keys"]]


@pytest.mark.parametrize(("host", "status"), [("localhost", 200), ("login.microsoftonline.com", 200), ("evil.example", 400)])
def test_instance_discovery_knows_its_own_hosts_only(world: Any, host: str, status: int) -> None:
    answer = world.http.get(
        "/common/discovery/instance",
        params={"api-version": "1.1", "authorization_endpoint": f"https://{host}/{FABRIKAM}/oauth2/v2.0/authorize"},
    )
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["tenant_discovery_endpoint"] == f"https://localhost/{FABRIKAM}/v2.0/.well-known/openid-configuration"
    else:
        assert answer.json()["error"] == "invalid_instance"
