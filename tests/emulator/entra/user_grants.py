# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grants of the token endpoint that stand for a person: authorization code, refresh token, device code."""

from __future__ import annotations

import hashlib
from typing import Any

from ..context import RequestContext
from ..model import Application, User
from ..state import Cloud, Tenant
from .clients import Client, authenticate, check_enabled, credential_kind, find_application, usable_principal
from .discovery import SHARED, resolve_tenant
from .errors import EntraError
from .form import Form
from .keys import b64url
from .resources import OIDC_SCOPES, Target, delegated_target, user_scopes, v1_target
from .tokens import BACKDATED, TokenRequest, access_token, issuers, sign


def redeem_code(context: RequestContext, tenant_name: str, form: Form, version: int) -> dict[str, Any]:
    """authorization_code: single use, bound to client, redirect URI, tenant and PKCE verifier."""
    cloud = context.cloud
    code = cloud.flows.codes.get(form.require("code"))
    app = _app(context, form, tenant_name)
    if code is None or code.client_id != app.app_id:
        raise EntraError(70000)
    if code.redeemed:
        raise EntraError(54005)
    if cloud.clock.timestamp() > code.expires:
        raise EntraError(70008)
    if tenant_name.lower() not in SHARED and resolve_tenant(cloud, tenant_name).tenant_id != code.tenant_id:
        raise EntraError(700005)
    if form.get("redirect_uri") and form.get("redirect_uri") != code.redirect_uri:
        raise EntraError(50011, redirect=form.get("redirect_uri"), client=app.app_id)
    _check_verifier(form, code.challenge, code.challenge_method)
    tenant, user = _person(cloud, code.tenant_id, code.username)
    client = _client(context, tenant, app, form, public_allowed=code.challenge is not None)
    target = form.get("resource") if version == 1 else form.get("scope")
    answer = _issue(context, client, user, target or code.target, version, nonce=code.nonce)
    code.redeemed = True
    return answer


def redeem_refresh_token(context: RequestContext, tenant_name: str, form: Form, version: int) -> dict[str, Any]:
    """refresh_token: any resource the client has consent for."""
    cloud = context.cloud
    stored = cloud.flows.refresh_tokens.get(form.require("refresh_token"))
    app = _app(context, form, tenant_name)
    if stored is None or stored.client_id != app.app_id:
        raise EntraError(70000)
    if cloud.clock.timestamp() > stored.expires:
        raise EntraError(700082)
    tenant, user = _person(cloud, stored.tenant_id, stored.username)
    client = _client(context, tenant, app, form, public_allowed=True)
    return _issue(context, client, user, form.get("resource" if version == 1 else "scope"), version)


def redeem_device_code(context: RequestContext, tenant_name: str, form: Form, version: int) -> dict[str, Any]:
    """Device code: pending until somebody typed the user code on `/common/oauth2/deviceauth`."""
    cloud = context.cloud
    waiting = cloud.flows.device_codes.get(form.get("device_code") or form.require("code"))
    app = _app(context, form, tenant_name)
    if waiting is None or waiting.client_id != app.app_id or waiting.status == "redeemed":
        raise EntraError(70019)
    if (
        not app.public_only
        and app.body.get("isFallbackPublicClient") is not True
        and not form.get("client_secret")
        and not form.get("client_assertion")
    ):
        raise EntraError(7000218)
    if cloud.clock.timestamp() > waiting.expires:
        raise EntraError(70020)
    if waiting.status == "declined":
        raise EntraError(70018)
    if waiting.status == "pending" or waiting.username is None:
        raise EntraError(70016)
    found = cloud.user(waiting.username)
    if found is None:
        raise EntraError(70000)
    client = _client(context, found[0], app, form, public_allowed=True)
    answer = _issue(context, client, found[1], waiting.target, version)
    waiting.status = "redeemed"
    return answer


def _app(context: RequestContext, form: Form, tenant_name: str) -> Application:
    context.credential = credential_kind(form)
    context.client_id = form.require("client_id")
    if tenant_name.lower() == "consumers":
        raise EntraError(9001023)
    if tenant_name.lower() not in SHARED:
        context.tenant_id = resolve_tenant(context.cloud, tenant_name).tenant_id
    return find_application(context.cloud, context.client_id, directory=tenant_name)


def _person(cloud: Cloud, tenant_id: str, username: str) -> tuple[Tenant, User]:
    found = cloud.user(username)
    if found is None or found[0].tenant_id != tenant_id:
        raise EntraError(70000)
    return found


def _client(context: RequestContext, tenant: Tenant, app: Application, form: Form, *, public_allowed: bool) -> Client:
    """The client of a user's grant: public ones send no credential, confidential ones must."""
    context.tenant_id = tenant.tenant_id
    principal = usable_principal(context.cloud, tenant, app)
    check_enabled(tenant, app, principal)
    presented = bool(form.get("client_secret") or form.get("client_assertion"))
    public = app.public_only or app.body.get("isFallbackPublicClient") is True or (public_allowed and _has_public_redirect(app))
    if public and presented and (app.public_only or (not app.passwords and not app.keys and not app.federated)):
        raise EntraError(700025)
    if public and not presented:
        return Client(tenant, app, principal, "0")
    return Client(tenant, app, principal, authenticate(context, tenant, app, form, missing=7000218))


def _has_public_redirect(app: Application) -> bool:
    return any((app.body.get(platform) or {}).get("redirectUris") for platform in ("publicClient", "spa"))


def _check_verifier(form: Form, challenge: str | None, method: str | None) -> None:
    """RFC 7636, 4.6."""
    if challenge is None:
        return
    verifier = form.require("code_verifier")
    expected = verifier if method == "plain" else b64url(hashlib.sha256(verifier.encode()).digest())
    if expected != challenge:
        raise EntraError(501481)


def _issue(context: RequestContext, client: Client, user: User, wanted: str, version: int, *, nonce: str | None = None) -> dict[str, Any]:
    """The success answer for a user: access token, and refresh and id token when the scope asks for them."""
    cloud = context.cloud
    asked = wanted.split()
    target = v1_target(cloud, client.tenant, Form({"resource": wanted})) if version == 1 else delegated_target(cloud, client.tenant, wanted)
    scopes = user_scopes(client, target, user)
    token = access_token(
        cloud,
        TokenRequest(
            client.tenant, client.app, client.principal, target.app, target.audience, scopes=scopes, user=user, strength=client.strength
        ),
    )
    lifetime = cloud.settings.token_lifetime
    answer: dict[str, Any] = {"token_type": "Bearer", "scope": _shown_scope(target, scopes, asked, version)}
    if version == 1:
        now = int(cloud.clock.timestamp())
        answer |= {"expires_in": str(lifetime), "ext_expires_in": str(lifetime), "expires_on": str(now + lifetime + 1)}
        answer |= {"not_before": str(now - BACKDATED), "resource": target.audience}
    else:
        answer |= {"expires_in": lifetime, "ext_expires_in": lifetime}
    answer["access_token"] = token
    if version == 1 or "offline_access" in asked:
        answer["refresh_token"] = cloud.flows.refresh(
            client_id=client.app.app_id, tenant_id=client.tenant.tenant_id, username=user.username
        )
    if version == 1 or "openid" in asked:
        answer["id_token"] = _id_token(cloud, client, user, version, nonce)
        answer["client_info"] = b64url(f'{{"uid":"{user.id}","utid":"{client.tenant.tenant_id}"}}'.encode())
    return answer


def _shown_scope(target: Target, scopes: list[str], asked: list[str], version: int) -> str:
    if version == 1:
        return " ".join(scopes)
    prefix = "" if target.audience == "https://graph.microsoft.com" else f"{target.audience}/"
    return " ".join(
        [f"{prefix}{scope}" for scope in scopes] + [scope for scope in asked if scope in OIDC_SCOPES and scope != "offline_access"]
    )


def _id_token(cloud: Cloud, client: Client, user: User, version: int, nonce: str | None) -> str:
    now = int(cloud.clock.timestamp())
    lifetime = cloud.settings.token_lifetime
    claims: dict[str, Any] = {
        "aud": client.app.app_id,
        "iss": issuers(cloud, client.tenant.tenant_id)[version - 1],
        "iat": now - BACKDATED,
        "nbf": now - BACKDATED,
        "exp": now + lifetime + 1,
        "name": user.display_name,
        "oid": user.id,
        "preferred_username" if version == 2 else "upn": user.username,
        "sub": b64url(hashlib.sha256(f"{user.id}/{client.app.app_id}".encode()).digest()),
        "tid": client.tenant.tenant_id,
        "ver": f"{version}.0",
    }
    if nonce:
        claims["nonce"] = nonce
    return sign(cloud, {"typ": "JWT", "alg": "RS256", "kid": cloud.keys.current.kid}, claims)
