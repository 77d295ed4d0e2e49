# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Device code flow: the request of the device and the page where a person types the code."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..context import RequestContext, context_of
from .authorize import check_password, page_form
from .clients import find_application, usable_principal
from .discovery import SHARED, resolve_tenant
from .errors import EntraError, error_response, json_response
from .form import read_form
from .pages import device_page, done_page


async def devicecode_v1(request: Request) -> Response:
    """`POST /{tenant}/oauth2/devicecode` with `resource`."""
    return await _start(request, 1)


async def devicecode_v2(request: Request) -> Response:
    """`POST /{tenant}/oauth2/v2.0/devicecode` with `scope`."""
    return await _start(request, 2)


async def _start(request: Request, version: int) -> Response:
    context = context_of(request)
    context.operation = "devicecode"
    cloud, name = context.cloud, request.path_params["tenant"]
    try:
        form = await read_form(request)
        context.client_id = form.require("client_id")
        target = form.get("resource") if version == 1 else form.require("scope")
        if name.lower() not in SHARED:
            context.tenant_id = resolve_tenant(cloud, name).tenant_id
        app = find_application(cloud, context.client_id, directory=name)
        if name.lower() == "consumers":
            raise EntraError(90130, client=app.app_id, name=app.display_name)
        if name.lower() in SHARED and not app.multi_tenant:
            raise EntraError(50194, client=app.app_id, name=app.display_name)
        if name.lower() not in SHARED:
            usable_principal(cloud, cloud.tenant(name), app)
    except EntraError as exc:
        return error_response(context, exc)
    settings = cloud.settings
    made = cloud.flows.device(
        client_id=app.app_id, target=target, version=version, tenant_name=name, lifetime=settings.device_code_lifetime
    )
    uri = f"{cloud.origin}/common/oauth2/deviceauth"
    numbers = (settings.device_code_lifetime, settings.device_code_interval)
    body: dict[str, object] = {
        "user_code": made.user_code,
        "device_code": made.device_code,
        "verification_url" if version == 1 else "verification_uri": uri,
        "expires_in": str(numbers[0]) if version == 1 else numbers[0],
        "interval": str(numbers[1]) if version == 1 else numbers[1],
        "message": f"To sign in, use a web browser to open the page {uri} and enter the code {made.user_code} to authenticate.",
    }
    return json_response(context, body)


async def deviceauth(request: Request) -> Response:
    """The page `/common/oauth2/deviceauth`: code, user name and password in one form."""
    context = context_of(request)
    context.operation = "deviceauth"
    flows = context.cloud.flows
    if request.method == "GET":
        return device_page(context, canary=flows.open_page(), user_code=request.query_params.get("user_code", ""))
    form = await page_form(request)
    try:
        return _answer(context, form)
    except EntraError as exc:
        context.error = f"AADSTS{exc.code}"
        return device_page(context, canary=flows.open_page(), user_code=form.get("user_code", ""), problem=exc)


def _answer(context: RequestContext, form: dict[str, str]) -> Response:
    cloud = context.cloud
    waiting = cloud.flows.device_by_user_code(form.get("user_code", ""))
    if waiting is None:
        raise EntraError(70019)
    username = form.get("username", "").lower()
    found = cloud.user(username)
    if found is None:
        raise EntraError(50034, user=username, directory="organizations")
    tenant, user = found
    check_password(context, user, form.get("password", ""))
    context.tenant_id = tenant.tenant_id
    if waiting.tenant_name.lower() not in SHARED and resolve_tenant(cloud, waiting.tenant_name).tenant_id != tenant.tenant_id:
        raise EntraError(50020, user=username, issuer=tenant.domain, directory=waiting.tenant_name, client=waiting.client_id)
    if form.get("consent") == "cancel":
        waiting.status = "declined"
        return done_page(context, "You cancelled the sign-in.")
    waiting.status, waiting.username = "approved", user.username
    return done_page(context, "You have signed in on your device. You may now close this window.")
