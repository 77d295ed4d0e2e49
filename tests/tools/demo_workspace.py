# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A partner's working directory for an emulated cloud: inventory, vault, configuration, as the README tells a partner to make them.

Used by ``make demo`` and by the tests of the journey.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.parsing.vault import VaultLib, VaultSecret

# What a customer's administrator does in the demo, by the first label of the tenant's domain; the others consent.
CUSTOMERS: Mapping[str, str] = {
    "wingtip": "ignores_the_link",
    "proseware": "revokes_a_role",
    "northwind": "disables_the_app",
    "alpine_ski_house": "has_no_defender",
}
DROPPED_PREFIXES = ("ANSIBLE_", "AZURE_", "M365D_")
# A JSON web token, the header that carries one, and the authorization code in the address that a consent ends at.
TOKEN_SHAPE = re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}|Bearer [A-Za-z0-9._~+/=-]{20,}|[?&]code=[A-Za-z0-9._~-]{16,}")


@dataclass(frozen=True)
class Workspace:
    """Where one partner works.

    :param root: the directory.
    :param endpoints: what the emulator says about itself, credentials included.
    """

    root: Path
    endpoints: Mapping[str, Any]

    @property
    def inventory(self) -> Path:
        """The inventory directory."""
        return self.root / "inventory"

    @property
    def secret_file(self) -> Path:
        """Where the role `app_registration` keeps the client secret."""
        return self.inventory / "group_vars" / "customers" / "m365d_app_secret.yml"

    def customers(self) -> list[Mapping[str, Any]]:
        """The tenants that are not the partner's own."""
        return [tenant for tenant in self.endpoints["tenants"] if tenant["tenant_id"] != self.endpoints["home_tenant_id"]]


def host_name(tenant: Mapping[str, Any]) -> str:
    """The inventory name of a tenant: the first label of its domain."""
    return re.sub(r"[^a-z0-9]+", "_", str(tenant["domain"]).partition(".")[0].lower())


def make_workspace(root: Path, endpoints: Mapping[str, Any], *, endpoints_file: Path, vault: bool = True) -> Workspace:
    """Write inventory, configuration and vault password under `root` and return what was made.

    :param endpoints_file: the emulator's `endpoints.json`, from which the customers' side of the demo reads who is who.
    :param vault: whether there is a vault password; without one the bootstrap secret lies in a file that only the user reads.
    """
    workspace = Workspace(root, endpoints)
    root.mkdir(parents=True, exist_ok=True)
    password = secrets.token_urlsafe(24)
    settings = ["[defaults]", "inventory = inventory", "callback_result_format = yaml", "nocows = true", "forks = 10"]
    if vault:
        _write(root / "vault-password", f"{password}\n", private=True)
        settings.append("vault_password_file = vault-password")
    _write(root / "ansible.cfg", "\n".join([*settings, ""]))
    _write(workspace.inventory / "hosts.yml", _json(_hosts(workspace)))
    _write(workspace.inventory / "group_vars" / "all" / "cloud.yml", _json(_cloud(endpoints, endpoints_file)))
    bootstrap = endpoints["bootstrap"]
    secret = _vaulted(bootstrap["client_secret"], password) if vault else json.dumps(bootstrap["client_secret"])
    content = f"m365d_client_id: {bootstrap['client_id']}\nm365d_client_secret: {secret}\n"
    _write(workspace.inventory / "host_vars" / "home" / "vault.yml", content, private=True)
    return workspace


def _hosts(workspace: Workspace) -> dict[str, Any]:
    # No host says how it is connected to: a tenant is not a machine.
    customers = {
        host_name(tenant): {
            "m365d_tenant_id": tenant["tenant_id"],
            "m365d_tenant_name": tenant["display_name"],
            "demo_customer": CUSTOMERS.get(host_name(tenant), "consents"),
        }
        for tenant in workspace.customers()
    }
    return {
        "partner": {"hosts": {"home": {"m365d_tenant_id": workspace.endpoints["home_tenant_id"]}}},
        "customers": {"hosts": customers},
    }


def _cloud(endpoints: Mapping[str, Any], endpoints_file: Path) -> dict[str, Any]:
    urls = {f"m365d_{name}": endpoints[name] for name in ("login_url", "graph_url", "defender_url", "ca_path")}
    return {**urls, "demo_endpoints_file": str(endpoints_file)}


def _vaulted(text: str, password: str) -> str:
    vault = VaultLib([("default", VaultSecret(password.encode()))])
    lines = vault.encrypt(text).decode().splitlines()
    return "\n  ".join(["!vault |", *lines])


def _json(value: Any) -> str:
    # JSON is YAML, and needs no library that knows Ansible's types.
    return json.dumps(value, indent=2) + "\n"


def _write(path: Path, text: str, *, private: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o644), "w", encoding="utf-8") as handle:
        handle.write(text)


def ansible_environment(root: Path, collections: Path) -> dict[str, str]:
    """The environment of Ansible's commands: the user's, without settings and credentials of their own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED_PREFIXES)}
    for name in ("PYTHONPATH", "PYTHONHOME"):
        environment.pop(name, None)
    loopback = "localhost,127.0.0.1,::1"
    return environment | {
        "ANSIBLE_CONFIG": str(root / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_HOME": str(root / "ansible-home"),
        "ANSIBLE_REMOTE_TEMP": str(root / "ansible-home" / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
        "NO_PROXY": loopback,
        "no_proxy": loopback,
    }


def stored_secret(workspace: Workspace) -> str:
    """The client secret that the role `app_registration` stored, decrypted."""
    text = workspace.secret_file.read_text(encoding="utf-8")
    plain = re.search(r'^m365d_client_secret: (?:!unsafe )?"(.*)"$', text, re.MULTILINE)
    if plain:
        return str(json.loads(f'"{plain.group(1)}"'))
    lines = re.search(r"^m365d_client_secret: !vault \|\n((?:  .*\n?)+)", text, re.MULTILINE)
    if not lines:
        raise ValueError(f"{workspace.secret_file} holds no secret")
    password = (workspace.root / "vault-password").read_text(encoding="utf-8").strip()
    envelope = "\n".join(line.strip() for line in lines.group(1).splitlines())
    return VaultLib([("default", VaultSecret(password.encode()))]).decrypt(envelope).decode()


def known_secrets(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Every secret of the run, with what it is."""
    endpoints = workspace.endpoints
    yield "the bootstrap app's secret", endpoints["bootstrap"]["client_secret"]
    for tenant in endpoints["tenants"]:
        yield f"the administrator's password of {tenant['display_name']}", tenant["admin"]["password"]
        if tenant.get("automation"):
            yield f"the automation's secret of {tenant['display_name']}", tenant["automation"]["client_secret"]
    password = workspace.root / "vault-password"
    if password.exists():
        yield "the vault password", password.read_text(encoding="utf-8").strip()
    if workspace.secret_file.exists():
        yield "the client secret", stored_secret(workspace)


def leaks(workspace: Workspace, files: Iterable[Path]) -> list[str]:
    """What is found in `files` that must not be there: secrets of the run, and anything shaped like a token."""
    found = []
    known = list(known_secrets(workspace))
    for path in files:
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{path}: {what}" for what, secret in known if secret in text]
        if TOKEN_SHAPE.search(text):
            found.append(f"{path}: a token")
    return found


def files_under(root: Path, *, private: Iterable[Path]) -> Iterator[Path]:
    """All files below `root` that a run wrote, but those that are there to hold a secret for this user alone."""
    excluded = {path.resolve() for path in private}
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.resolve() not in excluded:
            yield path
