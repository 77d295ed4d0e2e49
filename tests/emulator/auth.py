# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the resource APIs read a bearer token: signature, lifetime, audience, then permissions.

A token that was issued stays valid until it expires, also when the service principal was disabled or deleted meanwhile; that is
what Microsoft documents for these APIs (no continuous access evaluation for partner apps).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from .context import RequestContext, context_of
from .entra.tokens import InvalidToken, read_token
from .errors import ApiError, ApiFamily

GRAPH = "00000003-0000-0000-c000-000000000000"
MTP = "8ee8fdad-f234-4243-8f3b-15c294843740"
WDATP = "fc780465-2017-40d4-a0c5-307022471b92"
AAD_GRAPH = "00000002-0000-0000-c000-000000000000"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: an app in a tenant, or a user through an app when `user_id` is set."""

    tenant_id: str
    client_id: str
    service_principal_id: str
    roles: frozenset[str]
    scopes: frozenset[str]
    display_name: str
    user_id: str | None = None
    username: str | None = None
    token_id: str = ""

    @property
    def permissions(self) -> frozenset[str]:
        """What the token permits: roles of an app, scopes of a user."""
        return self.scopes if self.user_id else self.roles


def authenticate(request: Request, *, family: ApiFamily, resource_app_id: str) -> Caller:
    """Verify the bearer token of `request` for the resource `resource_app_id`.

    Raises ApiError 401 as the service of `family` words it.
    """
    context = context_of(request)
    scheme, _unused, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorized(context, family, "empty")
    context.credential = "bearer"
    try:
        claims = read_token(context.cloud, token.strip())
    except InvalidToken as exc:
        raise _unauthorized(context, family, exc.reason) from exc
    caller = _caller(claims)
    context.tenant_id, context.client_id = caller.tenant_id, caller.client_id
    now = context.cloud.clock.timestamp()
    resource = context.cloud.resource(str(claims.get("aud", "")))
    valid_audience = resource is not None and resource.app_id == resource_app_id
    if family == "defender" and not (valid_audience and claims["nbf"] - 300 <= now < claims["exp"]):
        raise ApiError(
            401,
            "Unauthorized",
            f"Invalid Authorization payload. AppId: {caller.client_id}, Audience: {claims.get('aud')}, Issuer: {claims.get('iss')}, "
            f"Validity: {now < claims['exp']}",
        )
    if now >= claims["exp"]:
        raise _unauthorized(context, family, "expired")
    if now < claims["nbf"] - 300:
        raise _unauthorized(context, family, "not yet valid")
    if not valid_audience:
        raise _unauthorized(context, family, "audience")
    return caller


def authorize(request: Request, *, family: ApiFamily, resource_app_id: str, any_of: Sequence[str]) -> Caller:
    """`authenticate`, then demand one of the permissions in `any_of`, given by the names of the application permissions.

    A user's token satisfies `X.All` also with the scope `X`, which is how the delegated permissions of the Defender APIs are named.
    Raises ApiError 403 with the text both APIs use.
    """
    caller = authenticate(request, family=family, resource_app_id=resource_app_id)
    wanted = set(any_of)
    if caller.user_id:
        wanted |= {name.removesuffix(".All") for name in any_of}
    if wanted and not wanted & caller.permissions:
        kind = "user" if caller.user_id else "application"
        held = ",".join(sorted(caller.permissions))
        noun = "scopes" if caller.user_id else "roles"
        raise ApiError(403, "Forbidden", f"Missing {kind} {noun}. API required {noun}: {','.join(any_of)}, {kind} {noun}: {held}.")
    return caller


def _caller(claims: dict[str, Any]) -> Caller:
    delegated = "scp" in claims
    return Caller(
        tenant_id=claims["tid"],
        client_id=claims.get("appid") or claims.get("azp") or "",
        service_principal_id="" if delegated else claims["oid"],
        roles=frozenset(claims.get("roles") or ()),
        scopes=frozenset(str(claims.get("scp", "")).split()),
        display_name=claims.get("app_displayname") or "",
        user_id=claims["oid"] if delegated else None,
        username=claims.get("upn") or claims.get("preferred_username"),
        token_id=claims.get("uti", ""),
    )


_GRAPH_TEXT = {
    "empty": "Access token is empty.",
    "malformed": "IDX14100: JWT is not well formed, there are no dots (.).",
    "signature": "Access token validation failure. Signature is invalid.",
    "expired": "Lifetime validation failed, the token is expired.",
    "not yet valid": "Lifetime validation failed, the token is not yet valid.",
    "audience": "Access token validation failure. Invalid audience.",
}


def _unauthorized(context: RequestContext, family: ApiFamily, reason: str) -> ApiError:
    """The 401 of the service for one of the reasons in `_GRAPH_TEXT`."""
    authorize_url = f"{context.cloud.origin}/common/oauth2/authorize"
    if family == "graph":
        challenge = f'Bearer realm="", authorization_uri="{authorize_url}", client_id="{GRAPH}"'
        return ApiError(401, "InvalidAuthenticationToken", _GRAPH_TEXT[reason], headers={"WWW-Authenticate": challenge}, family=family)
    text = "Authorization header is missing." if reason == "empty" else f"Invalid Authorization payload: {_GRAPH_TEXT[reason]}"
    headers = {"WWW-Authenticate": f'Bearer authorization_uri="{authorize_url}"'}
    return ApiError(401, "Unauthorized", text, headers=headers, family=family)
