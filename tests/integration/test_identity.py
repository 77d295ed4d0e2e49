# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every kind of credential against the emulated Entra ID, which knows nothing of this collection, and the count of requests.

The emulator is held to the same behaviour by Microsoft's own clients in its unit tests, so that the two are not merely
consistent with each other.
"""

from __future__ import annotations

import html
import re
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import CredentialError, PartnerError
from integration.apps import get_token, prepared_app, service_principal_ids, signed_in
from integration.harness import CLIENT_ID, FABRIKAM, NORTHWIND, TAILSPIN, TESTS, Ansible, Emulator
from unit.identity.tokens import certificate, pem, private_key, written

TENANTS, TASKS = 200, 5


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("form", ["pem", "pfx"])
def test_a_certificate_gets_a_token_in_a_customers_tenant(
    cloud: Emulator, registered: dict[str, str], tmp_path: Path, form: str, version: str
) -> None:
    found = get_token(
        cloud,
        tmp_path,
        tenant_id=FABRIKAM,
        client_id=CLIENT_ID,
        client_certificate_path=registered[form],
        client_certificate_password="p4ss",
        send_certificate_chain=form == "pfx",
        endpoint_version=version,
        required_roles=["SecurityIncident.Read.All"],
    )
    assert (found["auth_method"], found["claims"]["appidacr"], found["consent_state"]) == ("certificate", "2", "ready")
    assert cloud.token_requests() == 1


def test_a_certificate_that_is_not_registered_is_a_fault_of_the_credential(cloud: Emulator, tmp_path: Path) -> None:
    stranger = private_key("stranger")
    path = written(tmp_path / "stranger.pem", pem(stranger), pem(certificate(stranger)))
    with pytest.raises(CredentialError, match="AADSTS700027"):
        get_token(cloud, tmp_path, tenant_id=FABRIKAM, client_id=CLIENT_ID, client_certificate_path=path)


@pytest.mark.parametrize("kind", ["federated_token_file", "client_assertion_path", "client_assertion_command"])
def test_a_token_of_another_identity_provider_is_exchanged_for_the_apps(
    cloud: Emulator, graph: requests.Session, tmp_path: Path, kind: str
) -> None:
    subject = f"repo:contoso/partner:ref:refs/heads/{kind}"
    issued = cloud.admin("POST", "/idp/pipeline/token", {"subject": subject})
    trust = {"name": kind, "issuer": issued["issuer"], "subject": subject, "audiences": ["api://AzureADTokenExchange"]}
    assert graph.post(f"{prepared_app(cloud, graph)}/federatedIdentityCredentials", json=trust).status_code == 201
    path = written(tmp_path / "assertion", issued["token"].encode())
    given: Any = [sys.executable, "-c", f"print(open({path!r}).read())"] if kind == "client_assertion_command" else path
    found = get_token(cloud, tmp_path, tenant_id=FABRIKAM, client_id=CLIENT_ID, **{kind: given})
    assert (found["consent_state"], found["claims"]["appidacr"]) == ("ready", "2")


def let_users_of_the_app_read_themselves(cloud: Emulator, customer: dict[str, Any], folder: Path) -> None:
    """Grant the prepared app the delegated permission User.Read in a customer's tenant, as its administrator would."""
    with signed_in(cloud, folder, tenant_id=customer["tenant_id"], **customer["automation"]) as session:
        mine, theirs = service_principal_ids(cloud, session, CLIENT_ID, "00000003-0000-0000-c000-000000000000")
        grant = {"clientId": mine, "consentType": "AllPrincipals", "principalId": None, "resourceId": theirs, "scope": "User.Read"}
        assert session.post(f"{cloud.endpoints['graph_url']}/v1.0/oauth2PermissionGrants", json=grant).status_code == 201


def test_a_person_signs_in_at_another_device(cloud: Emulator, graph: requests.Session, tmp_path: Path) -> None:
    app = prepared_app(cloud, graph)
    assert graph.patch(app, json={"isFallbackPublicClient": True}).status_code == 204
    customer = next(tenant for tenant in cloud.endpoints["tenants"] if tenant["tenant_id"] == FABRIKAM)
    admin = customer["admin"]
    let_users_of_the_app_read_themselves(cloud, customer, tmp_path)
    shown: list[str] = []

    def sign_in(message: str) -> None:
        shown.append(message)
        address, code = re.findall(r"https://\S+", message)[0], re.findall(r"code (\w+)", message)[0]

        def type_code() -> None:
            with requests.Session() as browser:
                browser.trust_env = False
                browser.verify = cloud.endpoints["ca_path"]
                page = browser.get(address).text
                hidden = re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page)
                form = {name: html.unescape(value) for name, value in hidden}
                browser.post(address, data={**form, "user_code": code, **admin})

        threading.Thread(target=type_code).start()

    found = get_token(
        cloud,
        tmp_path,
        tenant_id=FABRIKAM,
        client_id=CLIENT_ID,
        auth_method="device_code",
        announced=sign_in,
        resource="MicrosoftGraph",
        required_roles=["User.Read"],
        allowed_roles=["User.Read"],
    )
    assert shown
    assert FABRIKAM in shown[0]
    assert (found["auth_method"], found["token_type"], found["scopes"]) == ("device_code", "delegated", ["User.Read"])
    options = {"tenant_id": FABRIKAM, "client_id": CLIENT_ID, "auth_method": "device_code", "announced": sign_in}
    beyond = get_token(cloud, tmp_path, required_roles=["SecurityIncident.Read.All"], fail_on="never", **options)
    assert [check["name"] for check in beyond["checks"] if check["outcome"] == "failed"] == ["required_roles"]
    again = get_token(cloud, tmp_path, **options)
    assert (again["source"], len(shown)) == ("cache", 1)
    assert graph.patch(app, json={"isFallbackPublicClient": False}).status_code == 204


def test_a_rollover_of_the_signing_keys_goes_unnoticed(cloud: Emulator, tmp_path: Path) -> None:
    options = {"tenant_id": FABRIKAM, "client_id": CLIENT_ID, "client_secret": cloud.client_secret, "api": "defender"}
    assert get_token(cloud, tmp_path, **options)["signature"] == "verified"
    cloud.admin("POST", "/keys/rotate", {})
    assert get_token(cloud, tmp_path, force_refresh=True, **options)["signature"] == "verified"
    assert len(cloud.requests(operation="keys")) == 2


@pytest.mark.parametrize(
    ("tenant", "cloud_name", "state"),
    [(TAILSPIN, "auto", None), ("nobody.example", "auto", "unknown_tenant"), ("fabrikam.example", "gcc_high", "unknown_tenant")],
)
def test_a_cloud_is_found_or_the_wrong_one_is_named(
    cloud: Emulator, tmp_path: Path, tenant: str, cloud_name: str, state: str | None
) -> None:
    options = {"tenant_id": tenant, "client_id": CLIENT_ID, "client_secret": cloud.client_secret, "cloud": cloud_name, "fail_on": "never"}
    found = get_token(cloud, tmp_path, **options)
    assert found["consent_state"] == state or (state is None and found["consent_state"] != "unknown_tenant")


def test_a_token_of_one_tenant_serves_no_other(cloud: Emulator, tmp_path: Path) -> None:
    options = {"client_id": CLIENT_ID, "return_token": True, "client_secret": cloud.client_secret}
    given = get_token(cloud, tmp_path, tenant_id=FABRIKAM, **options)["access_token"]
    found = get_token(cloud, tmp_path, tenant_id=NORTHWIND, access_token=given, fail_on="never")
    assert {check["name"] for check in found["checks"] if check["outcome"] == "failed"} == {"tenant", "issuer"}
    assert found["consent_state"] == "credential_error"


def test_no_file_of_the_cache_holds_a_token_or_a_secret(cloud: Emulator, tmp_path: Path) -> None:
    secret = cloud.client_secret
    found = get_token(cloud, tmp_path, tenant_id=FABRIKAM, client_id=CLIENT_ID, client_secret=secret, return_token=True)
    signature = found["access_token"].rsplit(".", 1)[1]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        assert signature.encode() not in content
        assert secret.encode() not in content
        assert b"eyJ" not in content


def test_a_refused_secret_is_reported_for_every_tenant_after_one_request(cloud: Emulator, tmp_path: Path) -> None:
    for tenant in (FABRIKAM, NORTHWIND):
        with pytest.raises(PartnerError, match="AADSTS7000215") as caught:
            get_token(cloud, tmp_path, tenant_id=tenant, client_id=CLIENT_ID, client_secret="not-the-secret-of-this-app")
        assert (caught.value.scope, caught.value.tenant_id) == ("credential", tenant)
    assert cloud.token_requests() == 1


@pytest.mark.slow
def test_a_run_over_many_tenants_makes_one_token_request_for_each(tmp_path: Path) -> None:
    scenario = TESTS / "emulator" / "scenarios" / "fleet.yml"
    state = tmp_path / "state"
    emulator = Emulator.start(state, scenario)
    try:
        customers = [tenant["tenant_id"] for tenant in emulator.endpoints["tenants"] if not tenant.get("home")][:TENANTS]
        assert len(customers) == TENANTS
        ansible = Ansible(tmp_path)
        hosts = {f"customer{number:03d}": {"m365d_tenant_id": tenant} for number, tenant in enumerate(customers)}
        ansible.inventory(hosts, emulator.reader)
        tasks = "".join("    - m365d.partner.m365d_token:\n        required_roles: [SecurityIncident.Read.All]\n" for _task in range(TASKS))
        emulator.forget_requests()
        run = ansible.playbook(f"- hosts: customers\n  gather_facts: false\n  tasks:\n{tasks}", "--forks", "10")
        assert run.status == 0, run.output[-2000:]
        assert emulator.token_requests() == TENANTS
        tenants = {entry["tenant_id"] for entry in emulator.requests(operation="token")}
        assert tenants == set(customers)
        sources = [entry["result"]["source"] for entry in run.events if "source" in entry["result"]]
        assert (sources.count("network"), sources.count("cache")) == (TENANTS, TENANTS * (TASKS - 1))
    finally:
        emulator.stop()
