# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small world (a partner, a customer with Defender, one without), clients in front of it, and a real TLS server for the witnesses."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from emulator import scenario
from emulator.entra.keys import SigningKey, SigningKeys
from emulator.server import build_app
from emulator.state import Cloud
from starlette.testclient import TestClient

HOME = "11111111-1111-4111-8111-000000000001"
FABRIKAM = "11111111-1111-4111-8111-000000000002"
NORTHWIND = "11111111-1111-4111-8111-000000000003"
MTP = "8ee8fdad-f234-4243-8f3b-15c294843740"
APP = "33333333-3333-4333-8333-000000000001"
SECRET = "abc8Q~not-a-real-secret-but-long-enough-00"
XDR = "https://api.security.microsoft.com"
PORTAL = "https://portal.azure.com"
TESTS = Path(__file__).parents[2]

WORLD: dict[str, Any] = {
    "seed": 7,
    "home": {"tenant_id": HOME, "domain": "partner.contoso.example", "display_name": "Contoso Partner"},
    "tenants": [
        {
            "tenant_id": FABRIKAM,
            "domain": "fabrikam.example",
            "display_name": "Fabrikam",
            "domains": ["fabrikam.onmicrosoft.example"],
            "admin": {"password": "admin-pass"},
            "users": [
                {"username": "user", "password": "user-pass"},
                {"username": "appadmin", "password": "app-pass", "roles": ["Cloud Application Administrator"]},
            ],
        },
        {
            "tenant_id": NORTHWIND,
            "domain": "northwind.example",
            "display_name": "Northwind",
            "defender": False,
            "admin": {"password": "admin-pass"},
        },
    ],
    "apps": [
        {
            "display_name": "Reader",
            "client_id": APP,
            "redirect_uris": [PORTAL, "https://partner.contoso.example/done"],
            "permissions": ["MicrosoftThreatProtection/Incident.Read.All", "MicrosoftThreatProtection/AdvancedHunting.Read.All"],
            "secrets": [{"value": SECRET}],
            "consented": [HOME],
        }
    ],
}


@dataclass
class World:
    """A cloud, a client without redirects, and the requests that tests repeat."""

    cloud: Cloud
    http: TestClient
    shortcuts: dict[str, Any] = field(default_factory=dict)

    def token(
        self, tenant: str = FABRIKAM, *, version: int = 2, path: str | None = None, headers: dict[str, str] | None = None, **form: Any
    ) -> httpx.Response:
        """A token request; a form value of None leaves the parameter out."""
        target = {"scope": f"{XDR}/.default"} if version == 2 else {"resource": XDR}
        values = {"grant_type": "client_credentials", "client_id": APP, "client_secret": SECRET} | target | form
        url = path or f"/{tenant}/oauth2/{'v2.0/' if version == 2 else ''}token"
        return self.http.post(url, data={name: value for name, value in values.items() if value is not None}, headers=headers)

    def graph_token(self, tenant: str = HOME) -> str:
        """A Graph token of the bootstrap app, or of the tenant's automation app."""
        who = self.cloud.bootstrap if tenant == HOME else self.cloud.automation[tenant]
        scope = "https://graph.microsoft.com/.default"
        answer = self.token(tenant, scope=scope, client_id=who["client_id"], client_secret=who["client_secret"])
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def graph(
        self, method: str, path: str, *, tenant: str = HOME, token: str | None = None, headers: dict[str, str] | None = None, **kwargs: Any
    ) -> httpx.Response:
        """A Graph request; the token is taken once per tenant."""
        if token is None:
            token = self.shortcuts.setdefault(f"graph-{tenant}", None) or self.graph_token(tenant)
            self.shortcuts[f"graph-{tenant}"] = token
        return self.http.request(method, f"/v1.0{path}", headers={"Authorization": f"Bearer {token}"} | (headers or {}), **kwargs)

    def consent(
        self, url: str, *, username: str = "admin@fabrikam.example", password: str = "admin-pass", answer: str = "accept"
    ) -> httpx.Response:
        """Drive the pages as a browser does; returns the last answer."""
        page = self.http.get(url)
        canary = field_of(page, "canary")
        if canary is None:
            return page
        page = self.http.post(url, data={"canary": canary, "username": username, "password": password})
        flow = field_of(page, "flow")
        if flow is None:
            return page
        return self.http.post(url, data={"flow": flow, "consent": answer})

    def consented(self, tenant: str = FABRIKAM) -> None:
        """The administrator of a customer consents to the prepared app."""
        domain = self.cloud.tenants[tenant].domain
        answer = self.consent(f"/{tenant}/adminconsent?client_id={APP}", username=f"admin@{domain}")
        assert answer.status_code == 302, answer.text


def field_of(page: httpx.Response, name: str) -> str | None:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]+)"', page.text)
    return found[1] if found else None


def page_code(page: httpx.Response) -> int | None:
    """The AADSTS code that a page shows."""
    found = re.search(r'data-code="(\d+)"', page.text)
    return int(found[1]) if found else None


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, unchecked."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


@dataclass
class Certificate:
    """A key pair with a self-signed certificate."""

    key: rsa.RSAPrivateKey
    der: bytes
    key_pem: str
    pem: str

    def thumbprint(self, algorithm: str = "sha1") -> bytes:
        kind = hashes.SHA1() if algorithm == "sha1" else hashes.SHA256()  # noqa: S303
        return x509.load_der_x509_certificate(self.der).fingerprint(kind)

    def assertion(self, *, header: dict[str, Any] | None = None, algorithm: str = "RS256", **claims: Any) -> str:
        """A client assertion; a claim of None is left out."""
        now = int(datetime.now(timezone.utc).timestamp())
        audience = f"https://localhost/{FABRIKAM}/oauth2/v2.0/token"
        values = {"iss": APP, "sub": APP, "aud": audience, "jti": "1", "nbf": now, "iat": now, "exp": now + 600} | claims
        values = {name: value for name, value in values.items() if value is not None}
        header = {"x5t": b64(self.thumbprint())} if header is None else header
        return jwt.encode(values, self.key_pem, algorithm=algorithm, headers=header)


def b64(raw: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def make_certificate(days: int = 365, *, start: int = -1) -> Certificate:
    """A certificate valid from `start` days from now for `days` days."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "reader")])
    first = datetime.now(timezone.utc) + timedelta(days=start)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(first).not_valid_after(first + timedelta(days=days)).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    der, pem = made.public_bytes(serialization.Encoding.DER), made.public_bytes(serialization.Encoding.PEM)
    return Certificate(key, der, private.decode(), pem.decode())


@pytest.fixture(scope="session")
def certificate() -> Certificate:
    return make_certificate()


@pytest.fixture(scope="session")
def other_certificate() -> Certificate:
    return make_certificate()


@pytest.fixture(scope="session")
def signing_keys() -> list[SigningKey]:
    """Keys that all worlds share: making them is what takes time."""
    return [SigningKey.generate(datetime.now(timezone.utc)) for _unused in range(2)]


@pytest.fixture
def make_world(signing_keys: list[SigningKey], monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    """Build a world; keyword arguments override scenario keys, `app` those of the prepared app."""
    monkeypatch.setattr(scenario, "SigningKeys", lambda moment: SigningKeys(moment, keys=list(signing_keys)))

    def make(*, app: dict[str, Any] | None = None, **changes: Any) -> World:
        raw = WORLD | changes
        if app is not None:
            raw = raw | {"apps": [WORLD["apps"][0] | app]}
        cloud = scenario.build(raw)
        return World(cloud, TestClient(build_app(cloud), base_url="https://localhost", follow_redirects=False))

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@dataclass
class Served:
    """A real emulator process."""

    endpoints: dict[str, Any]
    process: subprocess.Popen[str]
    state_dir: Path

    @property
    def login(self) -> str:
        return str(self.endpoints["login_url"])

    @property
    def ca(self) -> str:
        return str(self.endpoints["ca_path"])

    def client(self) -> httpx.Client:

        return httpx.Client(verify=ssl.create_default_context(cafile=self.ca), base_url=self.login, trust_env=False)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Served]:
    """`python -m emulator` with one prepared app: secret, certificate, all tenants consented."""

    state_dir = tmp_path_factory.mktemp("emulator")
    app = WORLD["apps"][0] | {"certificates": [certificate.pem], "consented": [HOME, FABRIKAM, NORTHWIND]}
    file = state_dir / "scenario.yml"
    file.write_text(yaml.safe_dump(WORLD | {"apps": [app]}), encoding="utf-8")
    command = [sys.executable, "-m", "emulator", "--port", "0", "--scenario", str(file), "--state-dir", str(state_dir)]
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=TESTS)
    assert process.stdout is not None
    yield Served(json.loads(process.stdout.readline()), process, state_dir)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=10)
    process.stdout.close()
