# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens, keys and certificates as Entra ID makes them, for tests: each test changes the one thing that it is about."""

from __future__ import annotations

import base64
import datetime
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

NOW = 1_800_000_000.0
TENANT = "11111111-1111-4111-8111-000000000002"
OTHER_TENANT = "11111111-1111-4111-8111-000000000003"
CLIENT = "22222222-2222-4222-8222-000000000001"
LOGIN = "https://login.microsoftonline.com"
MTP = "https://api.security.microsoft.com"
GRAPH = "https://graph.microsoft.com"
OBJECT = "33333333-3333-4333-8333-000000000001"
SECRET = "aBc8Q~made.up-secret_value.that-is-40-chars"


@functools.cache
def private_key(name: str = "first", bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key; the same name gives the same key within a run."""
    del name
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def segment(value: Any) -> str:
    return b64(value if isinstance(value, bytes) else json.dumps(value).encode())


def claims(**changes: Any) -> dict[str, Any]:
    """Claims of a v1 token of an app; a change to None removes the claim."""
    issued = int(NOW) - 300
    plain = {
        "aud": MTP,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": issued,
        "nbf": issued,
        "exp": issued + 3900,
        "appid": CLIENT,
        "appidacr": "1",
        "oid": OBJECT,
        "sub": OBJECT,
        "roles": ["Incident.Read.All"],
        "tid": TENANT,
        "ver": "1.0",
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not None}


def v2_claims(**changes: Any) -> dict[str, Any]:
    """Claims of a v2 token of an app."""
    v2 = {"ver": "2.0", "aud": "8ee8fdad-f234-4243-8f3b-15c294843740", "iss": f"{LOGIN}/{TENANT}/v2.0", "azp": CLIENT, "appid": None}
    return claims(**{**v2, **changes})


def token(payload: Mapping[str, Any] | bytes | None = None, *, header: Mapping[str, Any] | None = None, key: str = "first") -> str:
    """A token signed with RS256 by the key of that name, whatever its header says."""
    plain = {"typ": "JWT", "alg": "RS256", "kid": key, "x5t": key}
    first = segment({name: value for name, value in {**plain, **(header or {})}.items() if value is not None})
    data = f"{first}.{segment(claims() if payload is None else payload)}"
    return f"{data}.{b64(private_key(key).sign(data.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def ps256_token() -> str:
    """A token signed with PS256."""
    data = f"{segment({'typ': 'JWT', 'alg': 'PS256', 'kid': 'first'})}.{segment(claims())}"
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    return f"{data}.{b64(private_key('first').sign(data.encode(), pss, hashes.SHA256()))}"


def peek(value: str) -> dict[str, Any]:
    """The claims of a token, unchecked."""
    payload = value.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def jwk(name: str = "first", **changes: Any) -> dict[str, Any]:
    """The public key of that name as it stands in a key set."""
    numbers = private_key(name).public_key().public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    plain = {"kty": "RSA", "use": "sig", "kid": name, "n": b64(numbers.n.to_bytes(size, "big")), "e": b64(numbers.e.to_bytes(3, "big"))}
    return {**plain, **changes}


def answer(value: str | None = None, *, expires_in: Any = 3599) -> dict[str, Any]:
    """A body of the token endpoint."""
    return {"token_type": "Bearer", "expires_in": expires_in, "access_token": token() if value is None else value}


def refusal(code: int, error: str = "invalid_request") -> dict[str, Any]:
    """An error body of the token endpoint."""
    return {
        "error": error,
        "error_description": f"AADSTS{code}: What went wrong. Trace ID: t-1 Correlation ID: c-1 Timestamp: 2026-11-01 00:00:00Z",
        "error_codes": [code],
        "trace_id": "t-1",
        "correlation_id": "c-1",
    }


def certificate(key: Any, *, begins: int = -1, ends: int = 365, name: str = "partner.contoso.example") -> x509.Certificate:
    """A self-signed certificate; times in days from now."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    moment = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(moment + datetime.timedelta(days=begins))
        .not_valid_after(moment + datetime.timedelta(days=ends))
    )
    return builder.sign(key, hashes.SHA256())


def pem(item: Any, *, password: bytes | None = None) -> bytes:
    """A key or certificate in PEM."""
    if isinstance(item, x509.Certificate):
        return item.public_bytes(serialization.Encoding.PEM)
    protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    encoded: bytes = item.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
    return encoded


def pfx(key: Any, leaf: Any, *, password: bytes | None = None, others: list[x509.Certificate] | None = None) -> bytes:
    """Key and certificates in PFX."""
    protection = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"partner", key, leaf, others, protection)


def written(path: Path, *contents: bytes) -> str:
    """The path of a file with these contents."""
    path.write_bytes(b"".join(contents))
    return str(path)
