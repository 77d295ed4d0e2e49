# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access tokens: how they are put together and how the resource APIs read them back."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from ..model import Application, ServicePrincipal, User
from .keys import b64url, b64url_decode

if TYPE_CHECKING:
    from ..state import Cloud, Tenant

GRAPH = "00000003-0000-0000-c000-000000000000"
BACKDATED = 300
"""Entra sets `nbf` and `iat` this many seconds back."""
_REMEMBERED = 4096


@dataclass(slots=True)
class TokenRequest:
    """What an access token shall say."""

    tenant: Tenant
    client: Application
    principal: ServicePrincipal
    resource: Application
    audience: str
    roles: list[str] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)
    user: User | None = None
    strength: str = "1"
    """`appidacr`: 0 public client, 1 secret, 2 certificate or assertion."""
    capabilities: list[str] = field(default_factory=list)


def issuers(cloud: Cloud, tenant_id: str) -> tuple[str, str]:
    """The v1 and the v2 issuer of a tenant (or of the literal `{tenantid}`)."""
    return tuple(  # type: ignore[return-value]
        template.replace("{origin}", cloud.origin).replace("{tenantid}", tenant_id)
        for template in (cloud.settings.issuer_v1, cloud.settings.issuer_v2)
    )


def access_token(cloud: Cloud, wanted: TokenRequest) -> str:
    """A signed access token, in the format that the resource's manifest asks for."""
    version = wanted.resource.token_version
    claims = _claims(cloud, wanted, version)
    key = cloud.keys.current
    header: dict[str, Any] = {"typ": "JWT", "alg": "RS256", "kid": key.kid}
    if version == 1:
        header = {"typ": "JWT", "alg": "RS256", "x5t": key.kid, "kid": key.kid}
    if wanted.resource.app_id == GRAPH and cloud.settings.graph_nonce:
        return _with_nonce(cloud, header, claims)
    return sign(cloud, header, claims)


def sign(cloud: Cloud, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A JWT over `claims`, signed with the current key."""
    data = f"{_segment(header)}.{_segment(claims)}"
    return f"{data}.{b64url(cloud.keys.current.sign(data.encode()))}"


def _with_nonce(cloud: Cloud, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Graph's special format: the signature covers the header with the SHA-256 of the nonce, the token carries the plain nonce."""
    nonce = b64url(uuid.uuid4().bytes + uuid.uuid4().bytes)
    shown = {"typ": "JWT", "nonce": nonce} | {name: value for name, value in header.items() if name != "typ"}
    payload = _segment(claims)
    signature = cloud.keys.current.sign(f"{_segment(_hashed_nonce(shown))}.{payload}".encode())
    return f"{_segment(shown)}.{payload}.{b64url(signature)}"


def _hashed_nonce(header: dict[str, Any]) -> dict[str, Any]:
    return header | {"nonce": b64url(hashlib.sha256(str(header["nonce"]).encode()).digest())}


def _segment(value: dict[str, Any]) -> str:
    return b64url(json.dumps(value, separators=(",", ":")).encode())


def _claims(cloud: Cloud, wanted: TokenRequest, version: int) -> dict[str, Any]:
    issued = int(cloud.clock.timestamp()) - BACKDATED
    v1, v2 = issuers(cloud, wanted.tenant.tenant_id)
    subject = wanted.user.id if wanted.user else wanted.principal.id
    claims: dict[str, Any] = {
        "aud": wanted.audience if version == 1 else wanted.resource.app_id,
        "iss": v1 if version == 1 else v2,
        "iat": issued,
        "nbf": issued,
        "exp": issued + BACKDATED + cloud.settings.token_lifetime + 1,
        "aio": b64url(uuid.uuid4().bytes + uuid.uuid4().bytes) + "=",
    }
    if version == 1:
        claims |= {"appid": wanted.client.app_id, "appidacr": wanted.strength, "app_displayname": wanted.client.display_name}
        claims |= {"idp": v1} if wanted.user is None else {"amr": ["pwd"], "upn": wanted.user.username, "name": wanted.user.display_name}
    else:
        claims |= {"azp": wanted.client.app_id, "azpacr": wanted.strength}
        if wanted.user is not None:
            claims |= {"preferred_username": wanted.user.username, "name": wanted.user.display_name}
    claims |= {"oid": subject, "rh": _rh(wanted), "sub": subject if wanted.user is None else _pairwise(wanted)}
    if wanted.roles and wanted.user is None:
        claims["roles"] = wanted.roles
    if wanted.user is not None:
        claims["scp"] = " ".join(wanted.scopes)
    if version == 1:
        claims["tenant_region_scope"] = wanted.tenant.region_scope
    claims |= {"tid": wanted.tenant.tenant_id, "uti": b64url(uuid.uuid4().bytes), "ver": f"{version}.0"}
    return claims | _extras(wanted)


def _extras(wanted: TokenRequest) -> dict[str, Any]:
    """Claims that only some resources or clients get."""
    extras: dict[str, Any] = {}
    if wanted.capabilities:
        extras["xms_cc"] = wanted.capabilities
    if wanted.resource.app_id == GRAPH:
        extras["idtyp"] = "app" if wanted.user is None else "user"
        extras["wids"] = ["0997a1d0-0d1d-4acb-b408-d5ca73121e90"]
        if wanted.tenant.created_at is not None:
            extras["xms_tcdt"] = int(wanted.tenant.created_at.timestamp())
    return extras


def _rh(wanted: TokenRequest) -> str:
    """The opaque `rh` claim; in real tokens it embeds tenant and resource ids."""
    raw = uuid.UUID(wanted.tenant.tenant_id).bytes_le + uuid.UUID(wanted.resource.app_id).bytes_le
    return f"1.{base64.urlsafe_b64encode(b'A' + raw).rstrip(b'=').decode()}AAA."


def _pairwise(wanted: TokenRequest) -> str:
    user = wanted.user.id if wanted.user else ""
    return b64url(hashlib.sha256(f"{user}/{wanted.resource.app_id}".encode()).digest())


class InvalidToken(Exception):
    """A bearer token that cannot be read: `malformed` or `signature`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_verified: OrderedDict[bytes, dict[str, Any]] = OrderedDict()


def read_token(cloud: Cloud, token: str) -> dict[str, Any]:
    """Claims of a token that this cloud signed; lifetime and audience are the caller's to check. Raises InvalidToken."""
    parts = token.split(".")
    if len(parts) != 3:
        raise InvalidToken("malformed")
    try:
        header = json.loads(b64url_decode(parts[0]))
        key = cloud.keys.find(str(header.get("kid")))
    except (ValueError, AttributeError) as exc:
        raise InvalidToken("malformed") from exc
    if key is None or header.get("alg") != "RS256":
        raise InvalidToken("signature")
    mark = hashlib.sha256(token.encode() + key.kid.encode()).digest()
    if mark in _verified:
        return _verified[mark]
    first = _segment(_hashed_nonce(header)) if "nonce" in header else parts[0]
    try:
        key.public.verify(b64url_decode(parts[2]), f"{first}.{parts[1]}".encode(), padding.PKCS1v15(), hashes.SHA256())
        claims: dict[str, Any] = json.loads(b64url_decode(parts[1]))
    except InvalidSignature as exc:
        raise InvalidToken("signature") from exc
    except ValueError as exc:
        raise InvalidToken("malformed") from exc
    _verified[mark] = claims
    if len(_verified) > _REMEMBERED:
        _verified.popitem(last=False)
    return claims
