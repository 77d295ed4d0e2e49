# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft's own clients get tokens from the same emulator as the collection does, so that the two are not merely consistent with each
other; and what they get for a person is held against the contract like everything else.

Azure CLI and managed identities have files of their own.
"""

from __future__ import annotations

import re
import urllib.parse
from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from azure.identity import CertificateCredential, ClientAssertionCredential, ClientSecretCredential
from integration.apps import get_token, prepared_app, service_principal_ids, signed_in
from integration.harness import CLIENT_ID, FABRIKAM, Emulator
from unit.identity.tokens import peek

XDR = "https://api.security.microsoft.com"
REDIRECT = "https://portal.azure.com"


@pytest.fixture(autouse=True)
def _no_ca_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment's own CA bundle would win over the one that is given."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def federated(cloud: Emulator, graph: requests.Session) -> str:
    """An assertion of another identity provider that the prepared app trusts."""
    subject = "system:serviceaccount:partner:witness"
    issued = cloud.admin("POST", "/idp/cluster/token", {"subject": subject})
    url = f"{prepared_app(cloud, graph)}/federatedIdentityCredentials"
    for entry in graph.get(url).json()["value"]:
        assert graph.delete(f"{url}/{entry['id']}").status_code == 204
    trust = {"name": "witness", "issuer": issued["issuer"], "subject": subject, "audiences": ["api://AzureADTokenExchange"]}
    assert graph.post(url, json=trust).status_code == 201
    return str(issued["token"])


def confidential(cloud: Emulator, credential: Any) -> msal.ConfidentialClientApplication:
    """MSAL for the prepared app in a customer's tenant."""
    return msal.ConfidentialClientApplication(
        CLIENT_ID,
        client_credential=credential,
        authority=f"{cloud.endpoints['login_url']}/{FABRIKAM}",
        instance_discovery=False,
        verify=cloud.endpoints["ca_path"],
    )


def is_the_apps(token: str, strength: str) -> None:
    """The token is the prepared app's, for the customer, with roles."""
    claims = peek(token)
    assert (claims["tid"], claims["appid"], claims["appidacr"], claims["aud"]) == (FABRIKAM, CLIENT_ID, strength, XDR)
    assert "Incident.Read.All" in claims["roles"]


def test_msal_gets_a_token_with_a_secret_a_certificate_and_an_assertion(
    cloud: Emulator, registered: dict[str, str], federated: str
) -> None:
    pem = Path(registered["pem"]).read_text(encoding="ascii")
    given = {
        "secret": (cloud.client_secret, "1"),
        "certificate": ({"private_key": pem, "public_certificate": pem}, "2"),
        "PFX": ({"private_key_pfx_path": registered["pfx"], "passphrase": "p4ss"}, "2"),
        "assertion": ({"client_assertion": lambda: federated}, "2"),
    }
    for name, (credential, strength) in given.items():
        found = confidential(cloud, credential).acquire_token_for_client([f"{XDR}/.default"])
        assert "access_token" in found, (name, found)
        is_the_apps(found["access_token"], strength)


def test_azure_identity_gets_a_token_with_a_secret_a_certificate_and_an_assertion(
    cloud: Emulator, registered: dict[str, str], federated: str
) -> None:
    options: dict[str, Any] = {
        "authority": cloud.endpoints["login_url"],
        "disable_instance_discovery": True,
        "connection_verify": cloud.endpoints["ca_path"],
    }
    credentials: list[tuple[Any, str]] = [
        (ClientSecretCredential(FABRIKAM, CLIENT_ID, cloud.client_secret, **options), "1"),
        (CertificateCredential(FABRIKAM, CLIENT_ID, registered["pem"], **options), "2"),
        (CertificateCredential(FABRIKAM, CLIENT_ID, registered["pfx"], password="p4ss", send_certificate_chain=True, **options), "2"),
        (ClientAssertionCredential(FABRIKAM, CLIENT_ID, lambda: federated, **options), "2"),
    ]
    for credential, strength in credentials:
        with credential:
            is_the_apps(credential.get_token(f"{XDR}/.default").token, strength)


@pytest.fixture
def of_a_person(cloud: Emulator, tmp_path: Path) -> str:
    """A token that MSAL got for a customer's administrator by an authorization code with PKCE."""
    customer = next(tenant for tenant in cloud.endpoints["tenants"] if tenant["tenant_id"] == FABRIKAM)
    with signed_in(cloud, tmp_path, tenant_id=FABRIKAM, **customer["automation"]) as graph:
        mine, theirs = service_principal_ids(cloud, graph, CLIENT_ID, "8ee8fdad-f234-4243-8f3b-15c294843740")
        grant = {"clientId": mine, "consentType": "AllPrincipals", "principalId": None, "resourceId": theirs, "scope": "Incident.Read"}
        assert graph.post(f"{cloud.endpoints['graph_url']}/v1.0/oauth2PermissionGrants", json=grant).status_code in (201, 409)
    app = confidential(cloud, cloud.client_secret)
    flow = app.initiate_auth_code_flow([f"{XDR}/Incident.Read"], redirect_uri=REDIRECT)
    assert "code_challenge" in flow["auth_uri"]
    with requests.Session() as browser:
        browser.trust_env = False
        browser.verify = cloud.endpoints["ca_path"]
        page = browser.post(flow["auth_uri"], data={**customer["admin"], "consent": "accept"}, allow_redirects=False)
    assert page.status_code == 302, re.sub(r"\s+", " ", page.text)
    called_back = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.headers["location"]).query))
    found = app.acquire_token_by_auth_code_flow(flow, called_back)
    assert "access_token" in found, found
    return str(found["access_token"])


def failed(found: dict[str, Any]) -> set[str]:
    """The names of the checks that failed."""
    return {check["name"] for check in found["checks"] if check["outcome"] == "failed"}


@pytest.mark.parametrize(
    ("options", "violated"),
    [
        ({"required_roles": ["Incident.Read"], "allowed_roles": ["Incident.Read"]}, set()),
        ({"required_roles": ["Incident.ReadWrite"]}, {"required_roles"}),
        ({"required_roles": ["Incident.Read.All"]}, {"required_roles"}),
        ({"forbidden_roles": ["Incident.Read"]}, {"forbidden_roles"}),
        ({"allowed_roles": []}, {"allowed_roles"}),
        ({"token_type": "app"}, {"token_type"}),
        ({"client_id": "33333333-3333-4333-8333-000000000009"}, {"client"}),
        ({"resource": "MicrosoftGraph"}, {"audience"}),
    ],
    ids=str,
)
def test_a_persons_token_by_authorization_code_is_held_against_the_same_contract_by_its_scopes(
    cloud: Emulator, of_a_person: str, tmp_path: Path, options: dict[str, Any], violated: set[str]
) -> None:
    asked = {"resource": "MicrosoftThreatProtection", **options}
    found = get_token(cloud, tmp_path, tenant_id=FABRIKAM, access_token=of_a_person, fail_on="never", **asked)
    assert failed(found) == violated
    assert (found["scopes"], found["roles"], found["token_type"]) == (["Incident.Read"], [], "delegated")
    assert found["signature"] == "verified"
