# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token endpoints, v1 and v2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..context import RequestContext, context_of
from .clients import confidential_client
from .errors import EntraError, error_response, json_response
from .form import Form, read_form
from .resources import app_roles, default_scope_target, v1_target
from .tokens import BACKDATED, TokenRequest, access_token
from .user_grants import redeem_code, redeem_device_code, redeem_refresh_token

Grant = Callable[[RequestContext, str, Form, int], dict[str, Any]]


async def token_v1(request: Request) -> Response:
    """`POST /{tenant}/oauth2/token`: `resource`, numbers as strings."""
    return await _serve(request, 1)


async def token_v2(request: Request) -> Response:
    """`POST /{tenant}/oauth2/v2.0/token`: `scope`, numbers as numbers."""
    return await _serve(request, 2)


async def _serve(request: Request, version: int) -> Response:
    context = context_of(request)
    context.operation = "token"
    try:
        form = await read_form(request)
        grant = form.require("grant_type")
        handler = _GRANTS.get(grant)
        if handler is None:
            raise EntraError(70003, grant=grant)
        context.notes["grant"] = grant
        return json_response(context, handler(context, request.path_params["tenant"], form, version))
    except EntraError as exc:
        if exc.code == 900561:
            exc.status = context.cloud.settings.wrong_method_status
        return error_response(context, exc)


def client_credentials(context: RequestContext, tenant_name: str, form: Form, version: int) -> dict[str, Any]:
    """An app-only token. A service principal without grants gets one without roles: success does not prove consent."""
    client = confidential_client(context, tenant_name, form)
    pick = v1_target if version == 1 else default_scope_target
    target = pick(context.cloud, client.tenant, form)
    roles = app_roles(client, target)
    context.notes["resource"] = target.app.display_name
    wanted = TokenRequest(
        tenant=client.tenant,
        client=client.app,
        principal=client.principal,
        resource=target.app,
        audience=target.audience,
        roles=roles,
        strength=client.strength,
        capabilities=form.capabilities(),
    )
    return success_body(context, access_token(context.cloud, wanted), target.audience, version)


def success_body(context: RequestContext, token: str, resource: str, version: int) -> dict[str, Any]:
    """The success answer: v1 writes numbers as strings and adds the times and the resource."""
    lifetime = context.cloud.settings.token_lifetime
    if version == 2:
        return {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token}
    issued = int(context.cloud.clock.timestamp())
    return {
        "token_type": "Bearer",
        "expires_in": str(lifetime),
        "ext_expires_in": str(lifetime),
        "expires_on": str(issued + lifetime + 1),
        "not_before": str(issued - BACKDATED),
        "resource": resource,
        "access_token": token,
    }


_GRANTS: dict[str, Grant] = {
    "client_credentials": client_credentials,
    "authorization_code": redeem_code,
    "refresh_token": redeem_refresh_token,
    "urn:ietf:params:oauth:grant-type:device_code": redeem_device_code,
    "device_code": redeem_device_code,
}
