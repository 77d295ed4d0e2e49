# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A managed identity as a federated credential: Microsoft's own clients as witnesses of the machine, then the collection on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import CredentialError
from azure.identity import ClientAssertionCredential, ManagedIdentityCredential
from integration.apps import get_token, prepared_app
from integration.harness import CLIENT_ID, FABRIKAM, Emulator
from unit.identity.tokens import peek

EXCHANGE = "api://AzureADTokenExchange"
ROLES = ["SecurityIncident.Read.All"]


@pytest.fixture(params=["virtual machine", "App Service"])
def machine(request: pytest.FixtureRequest, cloud: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """This process as one on an Azure machine of either kind."""
    found: dict[str, Any] = cloud.endpoints["machine"]
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET"):
        monkeypatch.delenv(name, raising=False)
    if request.param == "App Service":
        monkeypatch.setenv("IDENTITY_ENDPOINT", found["identity_endpoint"])
        monkeypatch.setenv("IDENTITY_HEADER", found["identity_header"])
    else:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", found["imds_url"])
    return found


@pytest.fixture
def trusted(cloud: Emulator, graph: requests.Session, machine: dict[str, Any]) -> dict[str, Any]:
    """The machine, whose identities the prepared app trusts by federated credentials."""
    url = f"{prepared_app(cloud, graph)}/federatedIdentityCredentials"
    for entry in graph.get(url).json()["value"]:
        assert graph.delete(f"{url}/{entry['id']}").status_code == 204
    for kind in ("system_assigned", "user_assigned"):
        trust = {"name": kind, "issuer": machine["issuer"], "subject": machine[kind]["object_id"], "audiences": [EXCHANGE]}
        assert graph.post(url, json=trust).status_code == 201
    cloud.forget_requests()
    return machine


@pytest.mark.parametrize("kind", ["system_assigned", "user_assigned"])
def test_the_official_clients_get_the_tokens_of_the_machines_identities(machine: dict[str, Any], kind: str) -> None:
    identity = machine[kind]
    client_id = identity["client_id"] if kind == "user_assigned" else None
    with requests.Session() as session:
        session.trust_env = False
        named = msal.UserAssignedManagedIdentity(client_id=client_id) if client_id else msal.SystemAssignedManagedIdentity()
        by_msal = msal.ManagedIdentityClient(named, http_client=session).acquire_token_for_client(resource=EXCHANGE)
    with ManagedIdentityCredential(client_id=client_id) if client_id else ManagedIdentityCredential() as credential:
        by_azure_identity = credential.get_token(f"{EXCHANGE}/.default").token
    for token in (by_msal["access_token"], by_azure_identity):
        claims = peek(token)
        assert (claims["aud"], claims["iss"]) == (EXCHANGE, machine["issuer"])
        assert claims["sub"] == claims["oid"] == identity["object_id"]


def test_an_official_client_exchanges_the_identitys_token_for_the_apps(cloud: Emulator, trusted: dict[str, Any]) -> None:
    del trusted
    with (
        ManagedIdentityCredential() as identity,
        ClientAssertionCredential(
            FABRIKAM,
            CLIENT_ID,
            func=lambda: identity.get_token(f"{EXCHANGE}/.default").token,
            authority=cloud.endpoints["login_url"],
            disable_instance_discovery=True,
            connection_verify=cloud.endpoints["ca_path"],
        ) as app,
    ):
        claims = peek(app.get_token("https://graph.microsoft.com/.default").token)
    assert (claims["tid"], claims["appid"]) == (FABRIKAM, CLIENT_ID)
    assert set(ROLES) <= set(claims["roles"])


@pytest.mark.parametrize("kind", ["system_assigned", "user_assigned"])
def test_the_collection_exchanges_the_identitys_token_for_the_apps(
    cloud: Emulator, trusted: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    options: dict[str, Any] = {"auth_method": "managed_identity"}
    if kind == "user_assigned":
        options["managed_identity_client_id"] = trusted[kind]["client_id"]
    found = get_token(cloud, tmp_path, tenant_id=FABRIKAM, client_id=CLIENT_ID, required_roles=ROLES, **options)
    assert (found["auth_method"], found["consent_state"], found["claims"]["appidacr"]) == ("managed_identity", "ready", "2")
    (request,) = cloud.requests(operation="token")
    assert (request["credential"], request["tenant_id"]) == ("federated", FABRIKAM)


def test_an_identity_that_the_app_does_not_trust_is_a_fault_of_the_credential(
    cloud: Emulator, graph: requests.Session, trusted: dict[str, Any], tmp_path: Path
) -> None:
    url = f"{prepared_app(cloud, graph)}/federatedIdentityCredentials"
    entry = next(entry for entry in graph.get(url).json()["value"] if entry["subject"] == trusted["system_assigned"]["object_id"])
    graph.delete(f"{url}/{entry['id']}")
    with pytest.raises(CredentialError, match="AADSTS700213"):
        get_token(cloud, tmp_path, tenant_id=FABRIKAM, client_id=CLIENT_ID, auth_method="managed_identity")


def test_an_identity_that_the_machine_does_not_have_is_named_before_anything_is_sent(
    cloud: Emulator, machine: dict[str, Any], tmp_path: Path
) -> None:
    del machine
    stranger = "44444444-4444-4444-8444-000000000009"
    with pytest.raises(CredentialError, match="managed identity gave no token"):
        get_token(cloud, tmp_path, tenant_id=FABRIKAM, client_id=CLIENT_ID, managed_identity_client_id=stranger)
    assert cloud.token_requests() == 0
