# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages behind the links: sign-in, consent, and the way back to the application.

A visit is GET (sign-in form), POST (sign in, consent form), POST (accept or cancel, 302). One POST with user name, password and
`consent` does all of it.
"""

from __future__ import annotations

import hmac
import urllib.parse

from starlette.requests import Request
from starlette.responses import Response

from ..context import RequestContext, context_of
from ..model import User, digest
from ..state import Tenant
from .clients import check_enabled
from .consent import available, grant, may_consent, needs_administrator
from .errors import EntraError
from .journey import Journey, Kind, failed, member, open_journey, succeeded
from .pages import approval_page, consent_page, error_page, sign_in_page


async def authorize_v1(request: Request) -> Response:
    """`/{tenant}/oauth2/authorize`, the consent link of the source page among others."""
    return await _visit(request, "authorize_v1")


async def authorize_v2(request: Request) -> Response:
    """`/{tenant}/oauth2/v2.0/authorize`."""
    return await _visit(request, "authorize_v2")


async def adminconsent_v1(request: Request) -> Response:
    """`/{tenant}/adminconsent`."""
    return await _visit(request, "adminconsent_v1")


async def adminconsent_v2(request: Request) -> Response:
    """`/{tenant}/v2.0/adminconsent`."""
    return await _visit(request, "adminconsent_v2")


async def _visit(request: Request, kind: Kind) -> Response:
    context = context_of(request)
    context.operation = kind
    try:
        journey = open_journey(request, context, kind)
        form = await page_form(request) if request.method == "POST" else {}
        return _step(journey, form)
    except EntraError as exc:
        return error_page(context, exc)


async def page_form(request: Request) -> dict[str, str]:
    """The fields a page sent."""
    return dict(urllib.parse.parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


def check_password(context: RequestContext, user: User, password: str) -> None:
    """Raises EntraError 50126."""
    if not hmac.compare_digest(user.digest, digest(password)):
        raise EntraError(50126)
    context.credential = "password"


def _step(journey: Journey, form: dict[str, str]) -> Response:
    """The page or redirect that answers the fields sent so far."""
    flows = journey.cloud.flows
    if not form:
        if journey.parameters.get("prompt") == "none":
            return failed(journey, EntraError(50058), None)
        return sign_in_page(journey.context, canary=flows.open_page(), hint=journey.parameters.get("login_hint", ""))
    if "flow" in form:
        signed_in = flows.who(form["flow"])
        if signed_in is None:
            raise EntraError(9002313)
        tenant, user = member(journey, signed_in.username)
        return _decide(journey, tenant, user, form.get("consent", ""))
    at_once = form.get("consent", "")
    if not flows.close_page(form.get("canary", "")) and not at_once:
        return sign_in_page(journey.context, canary=flows.open_page(), problem=EntraError(9002313))
    try:
        tenant, user = member(journey, form.get("username", ""))
        check_password(journey.context, user, form.get("password", ""))
    except EntraError as exc:
        journey.context.error = f"AADSTS{exc.code}"
        return sign_in_page(journey.context, canary=flows.open_page(), hint=form.get("username", ""), problem=exc)
    return _decide(journey, tenant, user, at_once)


def _decide(journey: Journey, tenant: Tenant, user: User, answer: str) -> Response:
    """After sign-in: refuse, ask, or carry out."""
    context, app = journey.context, journey.app
    context.tenant_id = tenant.tenant_id
    if not app.multi_tenant and tenant.tenant_id != app.tenant_id:
        raise EntraError(700016, client=app.app_id, directory=tenant.display_name)
    principal = tenant.directory.service_principal(app.app_id)
    if principal is not None:
        check_enabled(tenant, app, principal)
    if answer == "cancel":
        return failed(journey, EntraError(65004), tenant)
    asks, complete = journey.asks(tenant)
    if not journey.asks_consent and _already_granted(journey, tenant, user):
        return succeeded(journey, tenant, user)
    try:
        asks = available(journey.cloud, tenant, app, asks)
    except EntraError as exc:
        exc.error = journey.cloud.settings.unsubscribed_service_error
        if journey.cloud.settings.consent_error_delivery == "redirect":
            return failed(journey, exc, tenant)
        raise
    if (journey.administrative or needs_administrator(asks)) and not may_consent(user, asks):
        flow = journey.cloud.flows.signed_in(user.username, tenant.tenant_id)
        return approval_page(context, EntraError(90094, directory=tenant.display_name, name=app.display_name), flow=flow)
    if answer != "accept":
        flow = journey.cloud.flows.signed_in(user.username, tenant.tenant_id)
        home = journey.cloud.tenants.get(app.tenant_id)
        return consent_page(
            context,
            flow=flow,
            app_name=app.display_name,
            publisher=home.domain if home else "Microsoft",
            username=user.username,
            asks=asks,
            whole_tenant=journey.administrative,
        )
    grant(journey.cloud, tenant, app, asks, user=user, whole_tenant=journey.administrative, complete=complete)
    return succeeded(journey, tenant, user)


def _already_granted(journey: Journey, tenant: Tenant, user: User) -> bool:
    """Whether a plain sign-in needs no consent: public bootstrap clients, or everything asked for is granted."""
    if journey.app.public_only:
        return True
    directory = tenant.directory
    principal = directory.service_principal(journey.app.app_id)
    if principal is None:
        return False
    asks, _complete = journey.asks(tenant)
    for ask in asks:
        resource = directory.service_principal(ask.resource.app_id)
        if resource is None:
            return False
        held = set(directory.delegated_scopes(principal.id, resource.id, user.id))
        if not set(ask.scopes) <= held:
            return False
    return True
