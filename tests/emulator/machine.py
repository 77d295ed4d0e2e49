# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metadata service of an Azure machine in the partner's tenant: tokens of its managed identities.

Like the real ones it speaks plain HTTP to its own machine alone, so it has a port of its own. Both forms are served, that of a virtual
machine (IMDS) and that of App Service. An identity gets tokens for the exchange audience and for nothing else: they are good as
assertions of an app that trusts the identity, see entra-docs workload-identity-federation-config-app-trust-managed-identity.
"""

from __future__ import annotations

import hmac
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .entra.tokens import BACKDATED, issuers, sign
from .identifiers import secret_text
from .state import Cloud

IMDS_PATH = "/metadata/identity/oauth2/token"
APP_SERVICE_PATH = "/msi/token"
EXCHANGE_AUDIENCES = ("api://AzureADTokenExchange", "api://AzureADTokenExchangeUSGov", "api://AzureADTokenExchangeChina")
_IMDS_VERSIONS = ("2018-02-01", "2019-08-01", "2021-02-01")
_APP_SERVICE_VERSIONS = ("2019-08-01",)


class Machine:
    """A machine with a system-assigned and a user-assigned identity."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.header = secret_text()
        self.system = _identity(cloud, "system")
        self.user = _identity(cloud, "user")

    def description(self, origin: str) -> dict[str, Any]:
        """What a client on the machine has in its environment, and what an app needs to trust its identities."""
        return {
            "imds_url": origin,
            "identity_endpoint": f"{origin}{APP_SERVICE_PATH}",
            "identity_header": self.header,
            "issuer": issuers(self._cloud, self._cloud.home_tenant_id)[1],
            "system_assigned": self.system,
            "user_assigned": self.user,
        }

    def app(self) -> Starlette:
        """The service."""
        return Starlette(routes=[Route(IMDS_PATH, self._imds), Route(APP_SERVICE_PATH, self._app_service)])

    async def _imds(self, request: Request) -> Response:
        """GET with `Metadata: true`, and without the header that a proxy adds: that is how IMDS keeps others out."""
        if request.headers.get("metadata", "").lower() != "true":
            return _imds_error("invalid_request", "Required metadata header not specified")
        if "x-forwarded-for" in request.headers:
            return _imds_error("invalid_request", "X-Forwarded-For header is not allowed")
        query = request.query_params
        if query.get("api-version") not in _IMDS_VERSIONS:
            return _imds_error("bad_request_102", "Required parameter api-version is missing or not supported")
        identity = self._wanted(query.get("client_id"), query.get("object_id") or query.get("principal_id"))
        if identity is None:
            return _imds_error("invalid_request", "Identity not found")
        if "resource" not in query:
            return _imds_error("invalid_request", "Required query variable 'resource' is missing")
        if query["resource"] not in EXCHANGE_AUDIENCES:
            return _imds_error("invalid_resource", f"AADSTS500011: The resource principal named {query['resource']} was not found.")
        return JSONResponse(self._body(identity, query["resource"], with_expires_in=True))

    async def _app_service(self, request: Request) -> Response:
        """GET with the header that App Service gives to the processes of the app."""
        query = request.query_params
        if not hmac.compare_digest(request.headers.get("x-identity-header", "").encode(), self.header.encode()):
            return JSONResponse({"statusCode": 401, "message": "The secret header is missing or wrong."}, status_code=401)
        identity = self._wanted(query.get("client_id"), query.get("object_id") or query.get("principal_id"))
        if query.get("api-version") not in _APP_SERVICE_VERSIONS or identity is None or query.get("resource") not in EXCHANGE_AUDIENCES:
            return JSONResponse({"statusCode": 400, "message": "No managed identity found for the specified parameters."}, status_code=400)
        return JSONResponse(self._body(identity, query["resource"], with_expires_in=False))

    def _wanted(self, client_id: str | None, object_id: str | None) -> dict[str, str] | None:
        if client_id is None and object_id is None:
            return self.system
        return self.user if client_id == self.user["client_id"] or object_id == self.user["object_id"] else None

    def _body(self, identity: dict[str, str], resource: str, *, with_expires_in: bool) -> dict[str, str]:
        """Both services write their numbers as texts; App Service has no `expires_in`."""
        now = int(self._cloud.clock.timestamp())
        lifetime = self._cloud.settings.token_lifetime
        body = {
            "access_token": self._token(identity, resource, now=now, lifetime=lifetime),
            "client_id": identity["client_id"],
            "expires_on": str(now + lifetime),
            "resource": resource,
            "token_type": "Bearer",
        }
        return body | ({"expires_in": str(lifetime), "not_before": str(now - BACKDATED)} if with_expires_in else {})

    def _token(self, identity: dict[str, str], resource: str, *, now: int, lifetime: int) -> str:
        cloud = self._cloud
        tenant = cloud.home_tenant_id
        issuer = issuers(cloud, tenant)[1]
        claims: dict[str, Any] = {
            "aud": resource,
            "iss": issuer,
            "iat": now - BACKDATED,
            "nbf": now - BACKDATED,
            "exp": now + lifetime,
            "azp": identity["client_id"],
            "azpacr": "2",
            "idtyp": "app",
            "oid": identity["object_id"],
            "sub": identity["object_id"],
            "tid": tenant,
            "ver": "2.0",
        }
        return sign(cloud, {"typ": "JWT", "alg": "RS256", "kid": cloud.keys.current.kid}, claims)


def _identity(cloud: Cloud, kind: str) -> dict[str, str]:
    return {name: cloud.derived_id("managed-identity", kind, name) for name in ("client_id", "object_id")}


def _imds_error(error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=400)
