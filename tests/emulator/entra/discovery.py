# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenID discovery v1 and v2, the key sets and the instance discovery of MSAL."""

from __future__ import annotations

import re
import urllib.parse
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..context import cloud_of, context_of
from ..state import Cloud, Tenant
from .errors import EntraError, error_response, json_response
from .tokens import issuers

MSA_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
SHARED = ("common", "organizations", "consumers")
_DOMAIN = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
_NATIONAL = {
    "gcc_high": ("USGov", "DODCON", "microsoftonline.us", "graph.microsoft.us"),
    "dod": ("USGov", "DOD", "microsoftonline.us", "dod-graph.microsoft.us"),
    "china": ("CN", None, "partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn"),
}
_PUBLIC = {"Cache-Control": "max-age=86400, private", "Access-Control-Allow-Origin": "*"}


def resolve_tenant(cloud: Cloud, name: str) -> Tenant:
    """The tenant a URL names. Raises EntraError 900021, 900023 or 90002."""
    try:
        guid = uuid.UUID(name) if len(name) == 36 else None
    except ValueError:
        guid = None
    if guid is not None and guid.int == 0:
        raise EntraError(900021, tenant=name)
    if guid is None and not _DOMAIN.fullmatch(name):
        raise EntraError(900023, tenant=name)
    try:
        return cloud.tenant(name)
    except KeyError:
        raise EntraError(90002, tenant=name) from None


def _cloud_fields(tenant: Tenant | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"tenant_region_scope": tenant.region_scope if tenant else None}
    instance, graph = "microsoftonline.com", "graph.microsoft.com"
    sub_scope = tenant.sub_scope if tenant else None
    if tenant is not None and tenant.cloud in _NATIONAL:
        fields["tenant_region_scope"], sub_scope, instance, graph = _NATIONAL[tenant.cloud]
    if sub_scope:
        fields["tenant_region_sub_scope"] = sub_scope
    return fields | {
        "cloud_instance_name": instance,
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": graph,
        "rbac_url": "https://pas.windows.net",
    }


def _document(cloud: Cloud, segment: str, tenant: Tenant | None, *, v2: bool, appid: str | None) -> dict[str, Any]:
    """One discovery document; `segment` is the GUID, or the shared word of the URL."""
    base = f"{cloud.origin}/{segment}"
    oauth = f"{base}/oauth2/v2.0" if v2 else f"{base}/oauth2"
    issuer_tenant = tenant.tenant_id if tenant else MSA_TENANT if segment == "consumers" else "{tenantid}"
    keys = f"{base}/discovery/v2.0/keys" if v2 else f"{cloud.origin}/common/discovery/keys"
    if appid:
        keys += f"?appid={urllib.parse.quote(appid)}"
    common_claims = ["sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name", "msgraph_host", "aud", "exp"]
    document: dict[str, Any] = {
        "token_endpoint": f"{oauth}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": keys,
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token" if v2 else "token id_token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"] if v2 else ["openid"],
        "issuer": issuers(cloud, issuer_tenant)[1 if v2 else 0],
        "authorization_endpoint": f"{oauth}/authorize",
        "device_authorization_endpoint": f"{oauth}/devicecode",
        "end_session_endpoint": f"{oauth}/logout",
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo" if v2 else f"{base}/openid/userinfo",
        "kerberos_endpoint": f"{base}/kerberos",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
    }
    if v2:
        document["request_uri_parameter_supported"] = False
        document["claims_supported"] = [
            *common_claims,
            "iat",
            "auth_time",
            "acr",
            "nonce",
            "preferred_username",
            "name",
            "tid",
            "ver",
            "at_hash",
            "c_hash",
            "email",
        ]
    else:
        document["response_types_supported"].append("token")
        document["microsoft_multi_refresh_token"] = True
        document["check_session_iframe"] = f"{base}/oauth2/checksession"
        document["claims_supported"] = [
            *common_claims,
            "iat",
            "auth_time",
            "acr",
            "amr",
            "nonce",
            "email",
            "given_name",
            "family_name",
            "nickname",
        ]
    return document | _cloud_fields(tenant)


async def openid_configuration(request: Request) -> Response:
    """`/{tenant}/.well-known/openid-configuration` and `/{tenant}/v2.0/.well-known/openid-configuration`."""
    context = context_of(request)
    context.operation = "discovery"
    cloud, name = context.cloud, request.path_params["tenant"]
    v2 = "/v2.0/" in request.url.path
    tenant: Tenant | None = None
    if name.lower() not in SHARED:
        try:
            tenant = resolve_tenant(cloud, name)
        except EntraError as exc:
            code = 900021 if exc.code == 900023 else exc.code
            return error_response(context, EntraError(code, error="invalid_tenant", tenant=name))
        context.tenant_id = tenant.tenant_id
        if tenant.foreign and cloud.settings.foreign_discovery == "refuse":
            return error_response(context, EntraError(90038, error="invalid_tenant", tenant=name, cloud=tenant.cloud))
    document = _document(cloud, tenant.tenant_id if tenant else name.lower(), tenant, v2=v2, appid=request.query_params.get("appid"))
    return json_response(context, document, headers=_PUBLIC)


async def keys(request: Request) -> Response:
    """The JWKS; v2 keys also name their issuer."""
    context = context_of(request)
    context.operation = "keys"
    cloud, name = context.cloud, request.path_params.get("tenant", "common")
    v2 = request.url.path.endswith("/v2.0/keys")
    if name.lower() not in SHARED:
        try:
            resolve_tenant(cloud, name)
        except EntraError as exc:
            return error_response(context, EntraError(exc.code, error="invalid_tenant", tenant=name))
    issuer = issuers(cloud, "{tenantid}")[1] if v2 else None
    alg = cloud.settings.v2_key_alg if v2 else cloud.settings.v1_key_alg
    published = [key.jwk(issuer=issuer, alg=alg) for key in cloud.keys.published()]
    return json_response(context, {"keys": published}, headers=_PUBLIC)


async def instance(request: Request) -> Response:
    """`/common/discovery/instance`, MSAL's way to ask whether a login host is genuine."""
    context = context_of(request)
    context.operation = "instance"
    cloud = cloud_of(request)
    endpoint = urllib.parse.urlsplit(request.query_params.get("authorization_endpoint", ""))
    own = urllib.parse.urlsplit(cloud.origin).netloc
    known = {own, "login.microsoftonline.com", "login.windows.net", "sts.windows.net", "login.microsoft.com"}
    if endpoint.netloc not in known:
        return error_response(context, EntraError(50049))
    tenant = endpoint.path.split("/")[1] if endpoint.path.count("/") else "common"
    metadata = [{"preferred_network": own, "preferred_cache": own, "aliases": [own]}]
    return JSONResponse(
        {
            "tenant_discovery_endpoint": f"{cloud.origin}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": metadata,
        }
    )
