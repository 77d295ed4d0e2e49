# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Azure CLI: a witness for the emulator's token endpoint, and then the credential of the collection that it is.

`az` comes from an environment of its own (`tests/tools/environments.py azure-cli`), never from the PATH.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration.harness import CLIENT_ID, FABRIKAM, NORTHWIND, TAILSPIN, Ansible, Emulator
from tools.environments import binary
from unit.identity.tokens import peek

AZ = Path(binary("azure-cli", "az"))
GRAPH, XDR = "https://graph.microsoft.com", "https://api.security.microsoft.com"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not AZ.exists(), reason="no Azure CLI: python tests/tools/environments.py azure-cli"),
]


@dataclass(frozen=True)
class AzureCli:
    """Azure CLI with a home of its own, pointed at the emulator as at a cloud of that name."""

    environment: Mapping[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of it."""
        environment = {"HOME": self.environment["AZURE_CONFIG_DIR"], "LANG": "C.UTF-8", **self.environment}
        return subprocess.run([str(AZ), *arguments], capture_output=True, text=True, env=environment, check=False, timeout=120)

    def __call__(self, *arguments: str) -> Any:
        """Run a command that has to succeed and return what it printed."""
        done = self.run(*arguments, "--output", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")

    def sign_in(self, *credential: str, tenant: str = FABRIKAM, client_id: str = CLIENT_ID) -> Any:
        """Sign in as an app."""
        return self("login", "--service-principal", "--username", client_id, *credential, "--tenant", tenant, "--allow-no-subscriptions")

    def claims(self, resource: str, tenant: str) -> dict[str, Any]:
        """The claims of the token that it gives for a resource in a tenant."""
        found = self("account", "get-access-token", "--resource", resource, "--tenant", tenant)
        assert found["tenant"] == tenant
        return peek(found["accessToken"])


@pytest.fixture
def az(cloud: Emulator, tmp_path: Path) -> AzureCli:
    """Azure CLI that nobody has signed in to."""
    settings = {
        "AZURE_CONFIG_DIR": str(tmp_path / "azure"),
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "REQUESTS_CA_BUNDLE": str(cloud.endpoints["ca_path"]),
        "PATH": f"{AZ.parent}{os.pathsep}{os.defpath}",
    }
    az = AzureCli(settings)
    login = str(cloud.endpoints["login_url"])
    endpoints = {
        "resource-manager": f"{login}/",
        "active-directory": login,
        "active-directory-resource-id": "https://management.core.windows.net/",
        "active-directory-graph-resource-id": "https://graph.windows.net/",
        "microsoft-graph-resource-id": GRAPH,
    }
    options = [part for name, value in endpoints.items() for part in (f"--endpoint-{name}", value)]
    az("cloud", "register", "--name", "Emulator", "--skip-endpoint-discovery", *options)
    az("cloud", "set", "--name", "Emulator")
    return az


@pytest.mark.parametrize("form", ["secret", "certificate"])
def test_az_signs_in_as_a_service_principal_and_gets_tokens(az: AzureCli, cloud: Emulator, registered: dict[str, str], form: str) -> None:
    given = ("--password", cloud.client_secret) if form == "secret" else ("--certificate", registered["pem"])
    (account,) = az.sign_in(*given)
    assert (account["tenantId"], account["user"]) == (FABRIKAM, {"name": CLIENT_ID, "type": "servicePrincipal"})
    strength = "1" if form == "secret" else "2"
    for resource, tenant in ((XDR, FABRIKAM), (GRAPH, NORTHWIND)):
        claims = az.claims(resource, tenant)
        assert (claims["aud"], claims["tid"], claims["appid"], claims["appidacr"]) == (resource, tenant, CLIENT_ID, strength)
        assert claims["roles"]
    used = {(entry["credential"], entry["status"]) for entry in cloud.requests(operation="token")}
    assert used == {("secret" if form == "secret" else "certificate", 200)}


def test_az_is_refused_a_wrong_secret(az: AzureCli) -> None:
    done = az.run("login", "--service-principal", "-u", CLIENT_ID, "-p", "not-the-secret-of-this-app", "--tenant", FABRIKAM)
    assert done.returncode != 0
    assert "AADSTS7000215" in done.stderr


def test_the_account_of_azure_cli_is_a_credential_of_the_collection(az: AzureCli, ansible: Ansible, cloud: Emulator) -> None:
    """With the tenants' tokens, states and next steps that every other credential gives, and nothing of them shown."""
    az.sign_in("--password", cloud.client_secret)
    tenants = {"fabrikam": FABRIKAM, "northwind": "northwind.example", "tailspin": TAILSPIN}
    ansible.inventory(
        {name: {"m365d_tenant_id": tenant} for name, tenant in tenants.items()},
        {**cloud.connection, "m365d_auth_method": "azure_cli"},
    )
    cloud.forget_requests()
    run = ansible.playbook(PLAYBOOK, "-vvvv", environment=az.environment)
    found = {entry["host"]: entry["result"] for entry in run.events if entry["task"] == "token"}
    assert {host: result["consent_state"] for host, result in found.items()} == {
        "fabrikam": "ready",
        "northwind": "ready",
        "tailspin": "not_consented",
    }, run.output
    ready = found["fabrikam"]
    assert (ready["auth_method"], ready["client_id"], ready["tenant_id"], ready["token_type"]) == ("azure_cli", CLIENT_ID, FABRIKAM, "app")
    assert found["tailspin"]["error"]["code"] == "AADSTS700016"
    assert found["tailspin"]["error"]["scope"] == "tenant"
    again = {entry["host"]: entry["result"]["source"] for entry in run.events if entry["task"] == "again" and entry["event"] == "ok"}
    assert again == {"fabrikam": "cache", "northwind": "cache"}
    assert cloud.client_secret not in run.everything_shown()
    assert "eyJ" not in run.everything_shown()


PLAYBOOK = """
- hosts: customers
  gather_facts: false
  tasks:
    - name: token
      m365d.partner.m365d_token: {required_roles: [SecurityIncident.Read.All], fail_on: never}
      register: token
    - name: again
      m365d.partner.m365d_token:
      when: token.consent_state == 'ready'
"""


def test_an_azure_cli_that_nobody_signed_in_to_says_so(az: AzureCli, quiet_ansible: Ansible, cloud: Emulator) -> None:
    connection = {**cloud.connection, "m365d_auth_method": "azure_cli"}
    quiet_ansible.inventory({"fabrikam": {"m365d_tenant_id": FABRIKAM}}, connection)
    result = quiet_ansible.playbook(PLAYBOOK, environment=az.environment).result("token")
    assert "Nobody is signed in to Azure CLI" in result["msg"]
    assert "az login" in result["msg"]


def test_another_sign_in_does_not_get_the_tokens_of_the_last_one(az: AzureCli, quiet_ansible: Ansible, cloud: Emulator) -> None:
    kept = {"m365d_token_cache_directory": str(quiet_ansible.directory / "kept")}
    connection = {**cloud.connection, "m365d_auth_method": "azure_cli", **kept}
    quiet_ansible.inventory({"home": {"m365d_tenant_id": cloud.endpoints["home_tenant_id"]}}, connection)
    az.sign_in("--password", cloud.client_secret)
    bootstrap = cloud.endpoints["bootstrap"]
    run = quiet_ansible.playbook(PLAYBOOK, environment=az.environment)
    assert run.result("token")["consent_state"] == "not_consented"
    az("logout")
    az.sign_in("--password", bootstrap["client_secret"], tenant=bootstrap["tenant_id"], client_id=bootstrap["client_id"])
    found = quiet_ansible.playbook(PLAYBOOK, environment=az.environment).result("token")
    assert (found["source"], found["client_id"]) == ("network", bootstrap["client_id"])
