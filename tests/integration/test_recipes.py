# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of the guide on secrets, run as they are printed there.

The collections of others come from an environment of their own (`tests/tools/environments.py recipes`); the services that they ask are
played by a proxy.
"""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from integration.apps import prepared_app
from integration.harness import ANSIBLE, CLIENT_ID, COLLECTIONS, FABRIKAM, NORTHWIND, TESTS, Ansible, Emulator, Run
from integration.internet import Asked, internet
from tools.environments import environment_path

OTHERS = environment_path("recipes") / "collections"
GUIDE = (TESTS.parent / "docs" / "docsite" / "rst" / "guide_secrets.rst").read_text(encoding="utf-8")
PLAYBOOK = """
- hosts: customers
  gather_facts: false
  tasks:
    - name: token
      m365d.partner.m365d_token: {required_roles: [SecurityIncident.Read.All]}
"""

needs_collections = pytest.mark.skipif(not OTHERS.exists(), reason="no collections: python tests/tools/environments.py recipes")


def recipes(section: str) -> list[str]:
    """The code blocks of a section of the guide."""
    body = re.split(r"\n[^\n]+\n-{3,}\n", GUIDE.split(f"\n{section}\n---", 1)[1].split("\n", 1)[1])[0]
    return [textwrap.dedent(block).strip() + "\n" for block in re.findall(r"\.\. code-block:: \S+\n\n((?:    [^\n]*\n|\n)+)", body)]


def prepared(ansible: Ansible, cloud: Emulator, variables: str) -> None:
    """Make two customers whose variables are the recipe's, beside the connection to the emulator."""
    hosts = {"fabrikam": {"m365d_tenant_id": FABRIKAM}, "northwind": {"m365d_tenant_id": NORTHWIND}}
    ansible.inventory(hosts, cloud.connection)
    folder = ansible.directory / "group_vars" / "customers"
    folder.mkdir(parents=True)
    (folder / "vault.yml").write_text(variables, encoding="utf-8")


def with_others(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which the collections of others are found too."""
    return {**environment, "ANSIBLE_COLLECTIONS_PATH": ":".join(str(path) for path in (*COLLECTIONS, OTHERS))}


def ready_and_silent(run: Run, secret: str) -> None:
    """Every customer is ready, and nothing of the secret is to be seen."""
    assert run.status == 0, run.output
    assert [result["consent_state"] for result in run.results("token")] == ["ready", "ready"]
    assert secret not in run.everything_shown()
    assert not [path for path, content in run.files_left() if secret.encode() in content]


def with_client_id(recipe: str) -> str:
    """The recipe for the prepared app of the emulator."""
    lines = recipe.splitlines(keepends=True)
    return "".join([f"m365d_client_id: {CLIENT_ID}\n", *(line for line in lines if not line.startswith("m365d_client_id:"))])


def test_a_secret_comes_from_a_file_that_ansible_vault_encrypted(ansible: Ansible, cloud: Emulator) -> None:
    (commands, *_rest) = recipes("Ansible Vault")
    assert "ansible-vault create inventory/group_vars/customers/vault.yml" in commands
    password = ansible.directory / "vault-password"
    password.write_text("a-password-of-the-vault", encoding="utf-8")
    plain = f"m365d_client_id: {CLIENT_ID}\nm365d_client_secret: {cloud.client_secret}\n"
    prepared(ansible, cloud, "\n".join(ansible.vault_string(plain, password)) + "\n")
    run = ansible.playbook(PLAYBOOK, "-vvvv", environment={"ANSIBLE_VAULT_PASSWORD_FILE": str(password)})
    ready_and_silent(run, cloud.client_secret)


def test_a_secret_comes_from_the_environment(ansible: Ansible, cloud: Emulator) -> None:
    (commands,) = recipes("Environment")
    names = re.findall(r"export (\w+)", commands)
    assert names == ["M365D_CLIENT_SECRET", "M365D_CLIENT_ID"]
    for given in (dict(zip(names, (cloud.client_secret, CLIENT_ID), strict=True)), azure_names(cloud)):
        ansible.inventory({"fabrikam": {"m365d_tenant_id": FABRIKAM}, "northwind": {"m365d_tenant_id": NORTHWIND}}, cloud.connection)
        ready_and_silent(ansible.playbook(PLAYBOOK, "-vvvv", environment=given), cloud.client_secret)


def azure_names(cloud: Emulator) -> dict[str, str]:
    """The variables of the Azure SDKs that the guide names beside the collection's own."""
    assert "``AZURE_CLIENT_ID`` and ``AZURE_CLIENT_SECRET`` are read after those" in GUIDE
    return {"AZURE_CLIENT_ID": CLIENT_ID, "AZURE_CLIENT_SECRET": cloud.client_secret}


@needs_collections
def test_a_secret_comes_from_azure_key_vault(ansible: Ansible, cloud: Emulator) -> None:
    def key_vault(asked: Asked) -> tuple[int, Any]:
        if asked.url.startswith("http://169.254.169.254/metadata/identity/oauth2/token?"):
            return 200, {"access_token": "token-for-key-vault", "expires_in": "3599", "token_type": "Bearer"}
        if asked.url.startswith("https://contoso.vault.azure.net/secrets/partner-app?"):
            assert asked.headers["Authorization"] == "Bearer token-for-key-vault"
            return 200, {"value": cloud.client_secret, "id": "https://contoso.vault.azure.net/secrets/partner-app/1"}
        return 404, {"error": asked.url}

    prepared(ansible, cloud, with_client_id(recipes("Azure Key Vault")[0]))
    with internet(ansible.directory, key_vault) as outside:
        run = ansible.playbook(PLAYBOOK, "-vvvv", environment=with_others(outside.environment))
    assert any(asked.url.startswith("https://contoso.vault.azure.net/") for asked in outside.asked), run.output
    ready_and_silent(run, cloud.client_secret)


@needs_collections
def test_the_recipe_that_stores_a_new_secret_fits_the_modules_that_it_names(quiet_ansible: Ansible) -> None:
    """To run it takes the libraries of all of Azure; what can be wrong with it is an option."""
    tasks = yaml.safe_load(recipes("Azure Key Vault")[1])
    (quiet_ansible.directory / "inventory.yml").write_text("all: {hosts: {localhost: {}}}\n", encoding="utf-8")
    environment = quiet_ansible.environment_of(quiet_ansible.directory / "l", quiet_ansible.directory / "r", with_others({}))
    for task in tasks:
        module = next(name for name in task if name.count(".") == 2)
        command = [str(ANSIBLE / "ansible-doc"), "--json", module]
        described = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        assert set(task[module]) <= set(json.loads(described.stdout)[module]["doc"]["options"]), module
    assert tasks[1]["no_log"] is True


VAULT = "https://vault.contoso.example:8200"


def hashi_vault(secret: str) -> Any:
    """The part of HashiCorp Vault that reads a secret of the key-value engine, version 2."""

    def respond(asked: Asked) -> tuple[int, Any]:
        if asked.headers.get("X-Vault-Token") != "a-token-of-the-vault":
            return 403, {"errors": ["permission denied"]}
        if asked.url != f"{VAULT}/v1/secret/data/partner-app":
            return 404, {"errors": []}
        metadata = {"version": 1, "created_time": "2026-11-01T00:00:00Z", "deletion_time": "", "destroyed": False}
        return 200, {"request_id": "1", "data": {"data": {"client_secret": secret}, "metadata": metadata}}

    return respond


def vault_environment(ca_path: str) -> dict[str, str]:
    """What Vault's own tools read."""
    return {"VAULT_ADDR": VAULT, "VAULT_TOKEN": "a-token-of-the-vault", "VAULT_CACERT": ca_path}


@needs_collections
def test_a_secret_comes_from_hashicorp_vault(ansible: Ansible, cloud: Emulator) -> None:
    prepared(ansible, cloud, with_client_id(recipes("HashiCorp Vault")[0]))
    with internet(ansible.directory, hashi_vault(cloud.client_secret)) as outside:
        environment = with_others({**outside.environment, **vault_environment(outside.ca_path)})
        run = ansible.playbook(PLAYBOOK, "-vvvv", environment=environment)
    ready_and_silent(run, cloud.client_secret)
    assert "a-token-of-the-vault" not in run.everything_shown()


@needs_collections
def test_a_secret_that_is_read_once_serves_all_customers(quiet_ansible: Ansible, cloud: Emulator) -> None:
    prepared(quiet_ansible, cloud, f"m365d_client_id: {CLIENT_ID}\n")
    play = yaml.safe_load(PLAYBOOK)
    play[0]["tasks"] = [*yaml.safe_load(recipes("HashiCorp Vault")[1]), *play[0]["tasks"], *play[0]["tasks"]]
    with internet(quiet_ansible.directory, hashi_vault(cloud.client_secret)) as outside:
        environment = with_others({**outside.environment, **vault_environment(outside.ca_path)})
        run = quiet_ansible.playbook(yaml.safe_dump(play, sort_keys=False), "-vvvv", environment=environment)
    assert run.status == 0, run.output
    assert [asked.url for asked in outside.asked] == [f"{VAULT}/v1/secret/data/partner-app"]
    assert {result["consent_state"] for result in run.results("token")} == {"ready"}
    assert cloud.client_secret not in run.everything_shown()


def test_a_job_of_github_needs_no_secret(quiet_ansible: Ansible, cloud: Emulator, graph: requests.Session, tmp_path: Path) -> None:
    subject = "repo:contoso/partner:ref:refs/heads/main"
    issued = cloud.admin("POST", "/idp/github/token", {"subject": subject})
    trust = {"name": "github", "issuer": issued["issuer"], "subject": subject, "audiences": ["api://AzureADTokenExchange"]}
    assert graph.post(f"{prepared_app(cloud, graph)}/federatedIdentityCredentials", json=trust).status_code == 201

    def github(asked: Asked) -> tuple[int, Any]:
        assert asked.url == "https://actions.contoso.example/token?api-version=2.0&audience=api://AzureADTokenExchange"
        assert asked.headers["Authorization"] == "Bearer a-token-of-the-job"
        return 200, {"value": issued["token"]}

    file = re.search(r"``(m365d_federated_token_file: [^`]+)``", GUIDE)
    assert file
    prepared(quiet_ansible, cloud, f"m365d_client_id: {CLIENT_ID}\n{file[1]}\n")
    play = yaml.safe_load(PLAYBOOK)
    play[0]["tasks"] = [*yaml.safe_load(recipes("No secret at all")[0]), *play[0]["tasks"]]
    job = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://actions.contoso.example/token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "a-token-of-the-job",
        "RUNNER_TEMP": str(tmp_path),
    }
    with internet(quiet_ansible.directory, github) as outside:
        environment = {**outside.environment, "SSL_CERT_FILE": outside.ca_path, **job}
        run = quiet_ansible.playbook(yaml.safe_dump(play, sort_keys=False), "-vvvv", environment=environment)
    ready_and_silent(run, issued["token"])
    assert "a-token-of-the-job" not in run.everything_shown()
    assert (tmp_path / "federated-token").stat().st_mode & 0o077 == 0


def test_the_readme_gives_the_same_recipes(tmp_path: Path) -> None:
    del tmp_path
    readme = (TESTS.parent / "README.md").read_text(encoding="utf-8")
    for section in ("Azure Key Vault", "HashiCorp Vault"):
        (lookup,) = set(re.findall(r"lookup\('\w+\.\w+\.\w+', 'partner-app'[^}]*", recipes(section)[0]))
        assert lookup.strip() in readme
