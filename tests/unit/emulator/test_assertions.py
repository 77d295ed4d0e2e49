# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client assertions: by certificate and by a federated identity provider."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

HOME = "11111111-1111-4111-8111-000000000001"
FABRIKAM = "11111111-1111-4111-8111-000000000002"
APP = "33333333-3333-4333-8333-000000000001"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
V2_AUDIENCE = f"https://localhost/{FABRIKAM}/oauth2/v2.0/token"


def present(world: Any, assertion: str, **more: Any) -> Any:
    return world.token(client_secret=None, client_assertion=assertion, client_assertion_type=TYPE, **more)


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture
def certified(make_world: Callable[..., Any], certificate: Any) -> Any:
    """A world whose app has the certificate, consented in every tenant with Defender."""
    return make_world(app={"certificates": [certificate.pem], "consented": [HOME, FABRIKAM]})


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
@pytest.mark.parametrize("thumbprint", ["x5t", "x5t#S256", "kid"])
def test_both_algorithms_and_every_thumbprint_are_accepted(certified: Any, certificate: Any, algorithm: str, thumbprint: str) -> None:
    digest = certificate.thumbprint("sha256" if thumbprint == "x5t#S256" else "sha1")
    answer = present(certified, certificate.assertion(header={thumbprint: encoded(digest)}, algorithm=algorithm))
    assert answer.status_code == 200, answer.text
    assert jwt.decode(answer.json()["access_token"], options={"verify_signature": False})["appidacr"] == "2"
    assert certified.cloud.log.entries[-1].credential == "certificate"


@pytest.mark.parametrize(
    "audience",
    [
        V2_AUDIENCE,
        f"https://localhost/{FABRIKAM}/oauth2/token",
        "https://localhost/fabrikam.example/oauth2/v2.0/token",
        f"https://login.microsoftonline.com/{FABRIKAM}/oauth2/v2.0/token",
        f"https://localhost/{FABRIKAM}/v2.0",
    ],
)
def test_the_audience_is_the_tenants_token_endpoint_under_any_of_its_names(certified: Any, certificate: Any, audience: str) -> None:
    assert present(certified, certificate.assertion(aud=audience)).status_code == 200


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"aud": f"https://localhost/{HOME}/oauth2/v2.0/token"}, 50012, 401),
        ({"aud": None}, 90014, 400),
        ({"iss": None}, 90014, 400),
        ({"iss": "33333333-3333-4333-8333-999999999999"}, 700021, 401),
        ({"sub": "33333333-3333-4333-8333-999999999999"}, 700021, 401),
        ({"exp": int(time.time()) - 3600}, 700024, 401),
        ({"nbf": int(time.time()) + 3600, "exp": int(time.time()) + 7200}, 700024, 401),
        ({"exp": None}, 50027, 400),
        ({"exp": float("inf")}, 50027, 400),
        ({"nbf": [5]}, 50027, 400),
        ({"aud": [{"odd": 1}]}, 50012, 401),
        ({"algorithm": "ES256"}, 5002738, 401),
        ({"header": {}}, 5002723, 401),
        ({"header": {"x5t": "AAAAAAAAAAAAAAAAAAAAAAAAAAA"}}, 700027, 401),
    ],
)
def test_what_is_wrong_with_an_assertion_is_said_by_its_code(
    certified: Any, certificate: Any, change: dict[str, Any], code: int, status: int
) -> None:
    if change.get("algorithm") == "ES256":
        assertion = certificate.assertion().split(".")
        header = encoded(b'{"alg":"ES256","x5t":"AAAA"}')
        answer = present(certified, ".".join([header, *assertion[1:]]))
    else:
        answer = present(certified, certificate.assertion(**change))
    assert (answer.json()["error_codes"], answer.status_code) == ([code], status)
    assert (answer.json()["error"] == "invalid_client") == (status == 401)


@pytest.mark.parametrize("assertion", ["not-a-jwt", "a.b.c", "W10.W10.W10"])
def test_something_that_is_no_token_is_malformed(certified: Any, assertion: str) -> None:
    assert present(certified, assertion).json()["error_codes"] == [50027]


def test_a_signature_by_another_key_under_a_registered_thumbprint_is_refused(
    certified: Any, certificate: Any, other_certificate: Any
) -> None:
    header = {"x5t": encoded(certificate.thumbprint())}
    answer = present(certified, other_certificate.assertion(header=header))
    assert answer.json()["error_codes"] == [700027]
    assert "[Reason - The provided signature value did not match" in answer.json()["error_description"]


def test_an_expired_certificate_is_refused(certified: Any, certificate: Any) -> None:
    certified.http.post(f"/_emulator/apps/{APP}/expire")
    assert present(certified, certificate.assertion()).json()["error_codes"] == [700027]


# -- federated ----------------------------------------------------------------------------------------------------

SUBJECT = "repo:contoso/automation:ref:refs/heads/main"


@pytest.fixture
def federated(make_world: Callable[..., Any]) -> Any:
    """A world whose app trusts the emulator's provider `ci`."""
    entry = {"name": "ci-main", "issuer": "https://localhost/_emulator/idp/ci", "subject": SUBJECT}
    return make_world(app={"federated": [entry], "secrets": [], "consented": [HOME, FABRIKAM]})


def issued(world: Any, name: str = "ci", **body: Any) -> str:
    answer = world.http.post(f"/_emulator/idp/{name}/token", json={"subject": SUBJECT} | body)
    assert answer.status_code == 200
    return str(answer.json()["token"])


def test_a_token_of_a_trusted_provider_is_a_credential(federated: Any) -> None:
    assert present(federated, issued(federated)).status_code == 200
    assert federated.cloud.log.entries[-1].credential == "federated"


def test_a_provider_publishes_the_keys_that_verify_its_tokens(federated: Any) -> None:
    document = federated.http.get("/_emulator/idp/ci/.well-known/openid-configuration").json()
    keys = federated.http.get(document["jwks_uri"]).json()["keys"]
    claims = jwt.decode(
        issued(federated), jwt.PyJWK(keys[0]), algorithms=["RS256"], audience="api://AzureADTokenExchange", issuer=document["issuer"]
    )
    assert claims["sub"] == SUBJECT


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("other", {}, 700211),
        ("ci", {"subject": SUBJECT.upper()}, 700213),
        ("ci", {"audience": "api://somewhere"}, 700212),
        ("ci", {"lifetime": -4000}, 700024),
    ],
)
def test_issuer_subject_and_audience_match_exactly_or_not_at_all(federated: Any, name: str, body: dict[str, Any], code: int) -> None:
    assert present(federated, issued(federated, name, **body)).json()["error_codes"] == [code]


def test_an_app_without_federated_credentials_has_no_match(world: Any) -> None:
    world.consented()
    assert present(world, issued(world)).json()["error_codes"] == [70021]


def test_a_forged_signature_is_refused(federated: Any) -> None:
    head, _unused, _signature = issued(federated).rpartition(".")
    assert present(federated, f"{head}.{encoded(b'0' * 256)}").json()["error_codes"] == [700027]


def test_a_token_of_another_emulated_tenant_can_be_the_credential(make_world: Callable[..., Any]) -> None:
    world = make_world()
    automation = world.cloud.automation[HOME]
    mine = world.token(HOME, client_id=automation["client_id"], client_secret=automation["client_secret"]).json()["access_token"]
    claims = jwt.decode(mine, options={"verify_signature": False})
    credential = {"name": "managed", "issuer": claims["iss"], "subject": claims["sub"], "audiences": [claims["aud"]]}
    path = f"/applications(appId='{APP}')/federatedIdentityCredentials"
    assert world.graph("POST", path, json=credential).status_code == 201
    world.consented()
    assert present(world, mine).status_code == 200
