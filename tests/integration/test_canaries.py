# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret, key, assertion or token of a journey is to be seen anywhere, whichever credential it is made with.

Looked at are the terminal at -vvvv, the log file, what callbacks get, the fact cache, the temporary directories while the run lasts and
what is left of them, and the list of processes. The journey that begins with a registration is searched in `test_journey.py`.
"""

from __future__ import annotations

import base64
import json
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from integration.apps import prepared_app
from integration.canaries import found_in, leaks, watching
from integration.harness import CLIENT_ID, FABRIKAM, NORTHWIND, TAILSPIN, WINGTIP, Ansible, Emulator
from unit.identity.tokens import pem, private_key, written

HOSTS: dict[str, dict[str, Any]] = {
    "fabrikam": {"m365d_tenant_id": FABRIKAM},
    "northwind": {"m365d_tenant_id": "northwind.example"},
    "tailspin": {"m365d_tenant_id": TAILSPIN},
    "wingtip": {"m365d_tenant_id": WINGTIP},
}
JOURNEY = f"""
- hosts: customers
  gather_facts: false
  tasks:
    - name: link
      m365d.partner.m365d_consent_url:
    - name: token
      m365d.partner.m365d_token: {{return_token: true, fail_on: never}}
      register: token
    - name: given token
      m365d.partner.m365d_token: {{access_token: "{{{{ token.access_token }}}}", auth_method: ready_token, fail_on: never}}
      when: token.access_token is defined
    - name: fleet
      m365d.partner.m365d_token: {{tenants: [{FABRIKAM}, {NORTHWIND}], tenant_id: null}}
      run_once: true
    - name: looked up
      ansible.builtin.set_fact:
        fact: "{{{{ lookup('m365d.partner.m365d_token', result='claims', required_roles=['SecurityIncident.Read.All']) }}}}"
        cacheable: true
      ignore_errors: true
    - name: incidents
      m365d.partner.m365d_incidents: {{status: [active]}}
      ignore_errors: true
    - name: alerts
      m365d.partner.m365d_alerts:
      ignore_errors: true
    - name: consent
      m365d.partner.m365d_consent_info: {{probe_api: true}}
"""


@dataclass(frozen=True)
class Given:
    """A credential as variables of the inventory, with every text of it that must stay hidden."""

    variables: dict[str, Any]
    canaries: tuple[str, ...]


Give = Callable[[Emulator, requests.Session, dict[str, str], Path], Given]


def _secret(cloud: Emulator, _graph: requests.Session, _registered: dict[str, str], _folder: Path) -> Given:
    return Given({"m365d_client_secret": cloud.client_secret}, (cloud.client_secret,))


def _key_texts() -> tuple[str, ...]:
    """Lines of the registered certificate's private key, in PEM and as one line."""
    key = private_key("first")
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    body = base64.b64encode(der).decode()
    return (body[128:192], body[192:256])


def _certificate(_cloud: Emulator, _graph: requests.Session, registered: dict[str, str], folder: Path) -> Given:
    password = "canary-of-the-keys-password"
    leaf = Path(registered["pem"]).read_bytes().split(b"-----BEGIN PRIVATE KEY")[0]
    path = written(folder / "partner.pem", leaf, pem(private_key("first"), password=password.encode()))
    return Given({"m365d_client_certificate_path": path, "m365d_client_certificate_password": password}, (password, *_key_texts()))


def _assertion_command(_cloud: Emulator, _graph: requests.Session, registered: dict[str, str], folder: Path) -> Given:
    """A program that signs with the registered key, as one in front of a vault does."""
    program = (
        "import base64, hashlib, json, os, re, sys, time, uuid\nimport jwt\n"
        "from cryptography import x509\nfrom cryptography.hazmat.primitives import hashes\n"
        "content = open(sys.argv[1]).read()\n"
        "leaf = x509.load_pem_x509_certificate(content.encode())\n"
        "name = base64.urlsafe_b64encode(leaf.fingerprint(hashes.SHA256())).decode().rstrip('=')\n"
        "app, now = os.environ['M365D_ASSERTION_CLIENT_ID'], int(time.time())\n"
        "claims = dict(iss=app, sub=app, aud=os.environ['M365D_ASSERTION_AUDIENCE'], jti=str(uuid.uuid4()), nbf=now, exp=now + 600)\n"
        "key = content[content.index('-----BEGIN PRIVATE KEY'):]\n"
        "print(jwt.encode(claims, key, algorithm='PS256', headers={'x5t#S256': name}))\n"
    )
    path = written(folder / "sign.py", program.encode())
    return Given({"m365d_client_assertion_command": [sys.executable, path, registered["pem"]]}, _key_texts())


def _federated_token(cloud: Emulator, graph: requests.Session, _registered: dict[str, str], folder: Path) -> Given:
    subject = f"canary:{uuid.uuid4()}"
    issued = cloud.admin("POST", "/idp/canary/token", {"subject": subject})
    url = f"{prepared_app(cloud, graph)}/federatedIdentityCredentials"
    for entry in graph.get(url).json()["value"]:
        graph.delete(f"{url}/{entry['id']}")
    trust = {"name": "canary", "issuer": issued["issuer"], "subject": subject, "audiences": ["api://AzureADTokenExchange"]}
    assert graph.post(url, json=trust).status_code == 201
    signature = issued["token"].rsplit(".", 1)[1]
    return Given({"m365d_federated_token_file": written(folder / "federated", issued["token"].encode())}, (signature,))


CREDENTIALS: dict[str, Give] = {
    "client secret": _secret,
    "certificate": _certificate,
    "assertion by command": _assertion_command,
    "federated token": _federated_token,
}


# Real modules take much longer, and how they get their options does not depend on the kind of credential.
WAYS = [("in process", name) for name in CREDENTIALS] + [("real module", name) for name in ("client secret", "certificate")]


@pytest.mark.slow
@pytest.mark.parametrize(("way", "name"), WAYS)
def test_a_journey_leaves_no_secret_key_assertion_or_token_anywhere(
    quiet_ansible: Ansible, cloud: Emulator, graph: requests.Session, registered: dict[str, str], tmp_path: Path, way: str, name: str
) -> None:
    keep = tmp_path / "credentials"
    keep.mkdir()
    given = CREDENTIALS[name](cloud, graph, registered, keep)
    ansible = quiet_ansible
    ansible.inventory(HOSTS, {**cloud.connection, "m365d_client_id": CLIENT_ID, **given.variables})
    facts, temporary = ansible.home / "facts", ansible.home / "tmp"
    temporary.mkdir()
    environment = {
        "M365D_IN_PROCESS": "1" if way == "in process" else "0",
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(facts),
        "TMPDIR": str(temporary),
    }
    with watching(ansible.home) as seen:
        run = ansible.playbook(JOURNEY, "-vvvv", environment=environment)
    assert run.status == 0, run.output
    # The journey really was one, and the places really were looked at.
    states = {entry["host"]: entry["result"]["consent_state"] for entry in run.events if entry["task"] == "consent"}
    assert (states["fabrikam"], states["northwind"], states["tailspin"]) == ("ready", "ready", "not_consented")
    assert json.loads(next(facts.glob("*fabrikam*")).read_text(encoding="utf-8"))
    assert "ansible-playbook" in "\n".join(seen.processes)
    assert any("m365d-tokens" in path.parts for path in seen.files)
    assert run.log
    assert leaks(run, *given.canaries) == []
    assert seen.leaks(*given.canaries) == []


def test_what_is_looked_for_would_be_found(tmp_path: Path) -> None:
    token = jwt.encode({"a": 1}, "k" * 32, algorithm="HS256")
    assert len(found_in(f"{token} s3cret-canary", "here", ["s3cret-canary", "other"])) == 2
    with watching(tmp_path) as seen:
        written(tmp_path / "short-lived", token.encode())
        seen.look(tmp_path)
        (tmp_path / "short-lived").unlink()
    assert seen.leaks("unused")
