# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running process: TLS, the ready line, faults on the wire, and official clients as witnesses."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import msal
import pytest
from azure import identity

HOME = "11111111-1111-4111-8111-000000000001"
FABRIKAM = "11111111-1111-4111-8111-000000000002"
APP = "33333333-3333-4333-8333-000000000001"
SECRET = "abc8Q~not-a-real-secret-but-long-enough-00"
XDR = "https://api.security.microsoft.com/.default"


@pytest.fixture(autouse=True)
def _no_ca_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment's own CA bundle would win over the one that is given."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_the_ready_line_is_in_endpoints_json_for_its_owner_only(served: Any) -> None:
    file = served.state_dir / "endpoints.json"
    assert json.loads(file.read_text()) == served.endpoints
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert served.endpoints["pid"] == served.process.pid
    assert served.endpoints["home_tenant_id"] == HOME


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_certificate_holds_for_every_name_of_the_machine(served: Any, host: str) -> None:
    with served.client() as client:
        url = served.login.replace("localhost", host)
        assert client.get(f"{url}/common/discovery/keys").status_code == 200


def test_a_client_without_the_ca_refuses_the_connection(served: Any) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{served.login}/common/discovery/keys", trust_env=False)


@pytest.mark.parametrize(
    ("rule", "error"),
    [({"reset": True}, (httpx.RemoteProtocolError, httpx.ReadError)), ({"truncate": 0.5}, (httpx.RemoteProtocolError, httpx.ReadError))],
)
def test_a_connection_is_really_dropped(served: Any, rule: dict[str, Any], error: Any) -> None:
    with served.client() as client:
        client.post("/_emulator/faults", json={"family": "login", "path": "keys", "times": 1} | rule)
        with pytest.raises(error):
            client.get("/common/discovery/keys")
        assert client.get("/common/discovery/keys").status_code == 200


def msal_app(served: Any, credential: Any, **more: Any) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        APP, client_credential=credential, authority=f"{served.login}/{FABRIKAM}", instance_discovery=False, verify=served.ca, **more
    )


def test_msal_gets_a_token_with_a_secret(served: Any) -> None:
    result = msal_app(served, SECRET).acquire_token_for_client([XDR])
    assert result.get("token_type") == "Bearer", result


def test_msal_gets_a_token_with_a_certificate(served: Any, certificate: Any) -> None:
    credential = {"private_key": certificate.key_pem, "thumbprint": certificate.thumbprint().hex(), "public_certificate": certificate.pem}
    result = msal_app(served, credential).acquire_token_for_client([XDR])
    assert result.get("token_type") == "Bearer", result
    newer = {"private_key": certificate.key_pem, "public_certificate": certificate.pem}
    assert msal_app(served, newer).acquire_token_for_client([XDR]).get("token_type") == "Bearer"


def test_msal_reports_the_refusal_of_a_wrong_secret(served: Any) -> None:
    result = msal_app(served, "wrong").acquire_token_for_client([XDR])
    assert (result["error"], result["error_codes"]) == ("invalid_client", [7000215])


def test_msal_runs_the_device_code_flow(served: Any) -> None:
    cli = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
    app = msal.PublicClientApplication(cli, authority=f"{served.login}/organizations", instance_discovery=False, verify=served.ca)
    flow = app.initiate_device_flow(["https://graph.microsoft.com/.default"])
    with served.client() as client:
        form = {"user_code": flow["user_code"], "username": "admin@fabrikam.example", "password": "admin-pass", "consent": "accept"}
        assert client.post("/common/oauth2/deviceauth", data=form).status_code == 200
    flow["interval"] = 0
    result = app.acquire_token_by_device_flow(flow)
    assert "access_token" in result, result
    assert result["id_token_claims"]["tid"] == FABRIKAM


def test_azure_identity_gets_tokens_with_secret_certificate_and_assertion(served: Any, certificate: Any) -> None:
    common = {"authority": served.login, "disable_instance_discovery": True, "connection_verify": served.ca}
    pem = (certificate.key_pem + certificate.pem).encode()
    assertion = certificate.assertion(aud=f"{served.login}/{FABRIKAM}/oauth2/v2.0/token")
    credentials = [
        identity.ClientSecretCredential(FABRIKAM, APP, SECRET, **common),
        identity.CertificateCredential(FABRIKAM, APP, certificate_data=pem, **common),
        identity.ClientAssertionCredential(FABRIKAM, APP, lambda: assertion, **common),
    ]
    for credential in credentials:
        assert credential.get_token(XDR).token.count(".") == 2


def test_the_log_file_holds_no_secret_and_no_token(served: Any) -> None:
    with served.client() as client:
        form = {"grant_type": "client_credentials", "client_id": APP, "client_secret": SECRET, "scope": XDR}
        token = client.post(f"/{FABRIKAM}/oauth2/v2.0/token", data=form).json()["access_token"]
        client.get("/api/incidents", headers={"Authorization": f"Bearer {token}"})
    log = served.state_dir / "emulator.log"
    text = log.read_text()
    assert "/oauth2/v2.0/token" in text
    assert SECRET not in text
    assert token not in text
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_bad_scenario_ends_with_status_2_and_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "bad.yml"
    file.write_text("colour: blue\n", encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "emulator", "--scenario", str(file), "--state-dir", str(tmp_path / "state")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=30)
    assert done.returncode == 2
    assert "colour" in done.stderr
    assert "Traceback" not in done.stderr


def test_sigterm_ends_the_process_cleanly(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "emulator", "--scenario", "minimal", "--state-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["pid"] == process.pid
        process.terminate()
        _out, errors = process.communicate(timeout=15)
    assert process.returncode in (0, -15)
    assert errors == ""
