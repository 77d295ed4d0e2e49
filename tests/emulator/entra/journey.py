# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One visit to a consent or sign-in link: what the link asks for, read once from the URL, and how it ends.

The four link forms differ in what they demand and in the parameters they call back with; `Journey` holds the common part and
`kind` selects the difference.
"""

from __future__ import annotations

import urllib.parse
import uuid
from dataclasses import dataclass
from html import escape
from typing import Literal

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ..context import RequestContext
from ..model import Application, User
from ..state import Cloud, Tenant
from .clients import find_application
from .consent import Ask, static_permissions
from .discovery import SHARED, resolve_tenant
from .errors import EntraError, describe
from .resources import OIDC_SCOPES, delegated_target

Kind = Literal["authorize_v1", "authorize_v2", "adminconsent_v1", "adminconsent_v2"]


@dataclass(slots=True)
class Journey:
    """A link that was opened."""

    context: RequestContext
    kind: Kind
    tenant_name: str
    app: Application
    redirect_uri: str
    parameters: dict[str, str]
    scope: str = ""
    pinned: Tenant | None = None

    @property
    def cloud(self) -> Cloud:
        """The cloud the link belongs to."""
        return self.context.cloud

    @property
    def administrative(self) -> bool:
        """Whether the link asks for consent on behalf of the whole organisation."""
        return self.kind.startswith("adminconsent") or self.parameters.get("prompt") == "admin_consent"

    @property
    def asks_consent(self) -> bool:
        """Whether the consent page is shown even when everything was granted before."""
        return self.kind.startswith("adminconsent") or self.parameters.get("prompt") in ("consent", "admin_consent")

    def asks(self, tenant: Tenant) -> tuple[list[Ask], bool]:
        """The permissions the link asks for, and whether these are all the app declares. Raises EntraError."""
        if self.kind in ("authorize_v1", "adminconsent_v1"):
            return static_permissions(self.cloud, self.app), True
        resources: list[Application] = []
        asks: list[Ask] = []
        for group in _by_resource(self.scope):
            target = delegated_target(self.cloud, tenant, group)
            resources.append(target.app)
            declared = static_permissions(self.cloud, self.app, only=target.app) if target.every_scope else []
            ask = declared[0] if declared else Ask(target.app)
            if self.kind == "authorize_v2" and not self.administrative:
                ask.roles = ask.roles if target.every_scope else []
            ask.scopes = list(dict.fromkeys([*ask.scopes, *target.scopes]))
            asks.append(ask)
        return asks, False


def _by_resource(scope: str) -> list[str]:
    groups: dict[str, list[str]] = {}
    for part in scope.split():
        if part not in OIDC_SCOPES:
            groups.setdefault(part.rpartition("/")[0], []).append(part)
    return [" ".join(parts) for parts in groups.values()] or ["User.Read"]


def open_journey(request: Request, context: RequestContext, kind: Kind) -> Journey:
    """Read the link. Raises EntraError for everything that is shown on a page instead of being called back."""
    parameters = dict(request.query_params)
    name = request.path_params["tenant"]
    client_id = parameters.get("client_id", "")
    if not client_id:
        raise EntraError(900144, parameter="client_id")
    context.client_id = client_id
    cloud = context.cloud
    pinned = None if name.lower() in SHARED else resolve_tenant(cloud, name)
    if pinned is not None and pinned.foreign:
        raise EntraError(90038, tenant=name, cloud=pinned.cloud)
    app = find_application(cloud, client_id, directory=pinned.display_name if pinned else name, primary=True)
    context.client_id = app.app_id
    if kind == "adminconsent_v2":
        for needed in ("redirect_uri", "scope"):
            if not parameters.get(needed):
                raise EntraError(900144, parameter=needed)
    if name.lower() == "consumers" or (kind == "adminconsent_v2" and name.lower() == "common"):
        raise EntraError(90130, client=app.app_id, name=app.display_name)
    if pinned is None and not app.multi_tenant:
        raise EntraError(50194, client=app.app_id, name=app.display_name)
    if pinned is not None and not app.multi_tenant and pinned.tenant_id != app.tenant_id:
        raise EntraError(700016, client=app.app_id, directory=pinned.display_name)
    redirect = _redirect_uri(app, parameters.get("redirect_uri", ""))
    return Journey(context, kind, name, app, redirect, parameters, parameters.get("scope", ""), pinned)


def _redirect_uri(app: Application, given: str) -> str:
    """The exact registered address; the default one when the link names none. Raises EntraError 50011 or 500113."""
    registered = app.redirect_uris
    if given:
        loopback = given.startswith("http://localhost") and any(uri.rstrip("/") == "http://localhost" for uri in registered)
        if given not in registered and not loopback:
            raise EntraError(50011, redirect=given, client=app.app_id)
        return given
    if not registered:
        raise EntraError(500113)
    return str(app.body.get("defaultRedirectUri") or registered[0])


def member(journey: Journey, username: str) -> tuple[Tenant, User]:
    """The person who signs in and their tenant. Raises EntraError 50034 or 50020."""
    found = journey.cloud.user(username)
    pinned = journey.pinned
    if found is None:
        raise EntraError(50034, user=username, directory=pinned.display_name if pinned else "organizations")
    tenant, user = found
    if pinned is not None and pinned.tenant_id != tenant.tenant_id:
        issuer = journey.cloud.settings.issuer_v1.replace("{tenantid}", tenant.tenant_id)
        raise EntraError(
            50020, user=username, issuer=issuer, directory=pinned.display_name, client=journey.app.app_id, name=journey.app.display_name
        )
    return tenant, user


def call_back(journey: Journey, parameters: dict[str, str]) -> Response:
    """Send the browser back to the application in the response mode of the link; `state` is echoed."""
    state = journey.parameters.get("state")
    if state is not None and "state" not in parameters:
        parameters = parameters | {"state": state}
    mode = journey.parameters.get("response_mode", "query")
    if mode == "form_post" and journey.kind.startswith("authorize"):
        return _form_post(journey.redirect_uri, parameters)
    query = urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote)
    if mode == "fragment" and journey.kind.startswith("authorize"):
        return RedirectResponse(f"{journey.redirect_uri}#{query}", status_code=302)
    joint = "&" if "?" in journey.redirect_uri else "?"
    path = journey.redirect_uri
    if joint == "?" and not urllib.parse.urlsplit(path).path:
        path += "/"
    return RedirectResponse(f"{path}{joint}{query}", status_code=302, headers={"Cache-Control": "no-store, no-cache"})


def _form_post(uri: str, parameters: dict[str, str]) -> Response:
    fields = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in parameters.items())
    return HTMLResponse(f'<html><body><form method="post" action="{escape(uri)}">{fields}<button>Continue</button></form></body></html>')


def failed(journey: Journey, problem: EntraError, tenant: Tenant | None) -> Response:
    """Call back with an error, in the parameters of the link form."""
    context = journey.context
    context.error = f"AADSTS{problem.code}"
    text = describe(problem, context)
    if journey.kind == "adminconsent_v1":
        return call_back(journey, {"error": "permission_denied", "error_description": text})
    if journey.kind == "adminconsent_v2":
        parameters = {"admin_consent": "True", "error": "consent_required", "error_description": text}
        if tenant is not None:
            parameters["tenant"] = tenant.tenant_id
        return call_back(journey, parameters)
    parameters = {"error": problem.error if problem.code != 65001 else "consent_required", "error_description": text}
    if problem.code == 65004:
        parameters["error_subcode"] = "cancel"
    return call_back(journey, parameters)


def succeeded(journey: Journey, tenant: Tenant, user: User) -> Response:
    """Call back with the success parameters of the link form."""
    if journey.kind == "adminconsent_v1":
        first = {"tenant": tenant.tenant_id}
        if "state" in journey.parameters:
            first["state"] = journey.parameters["state"]
        return call_back(journey, first | {"admin_consent": "True"})
    if journey.kind == "adminconsent_v2":
        granted = " ".join(_granted_scopes(journey, tenant))
        return call_back(journey, {"admin_consent": "True", "tenant": tenant.tenant_id, "scope": granted})
    code = journey.cloud.flows.code(
        client_id=journey.app.app_id,
        tenant_id=tenant.tenant_id,
        username=user.username,
        redirect_uri=journey.redirect_uri,
        target=journey.parameters.get("resource", "") if journey.kind == "authorize_v1" else journey.scope,
        version=1 if journey.kind == "authorize_v1" else 2,
        expires=journey.cloud.clock.timestamp() + journey.cloud.settings.authorization_code_lifetime,
        challenge=journey.parameters.get("code_challenge"),
        challenge_method=journey.parameters.get("code_challenge_method", "plain"),
        nonce=journey.parameters.get("nonce"),
    )
    parameters = {"code": code.code, "session_state": str(uuid.uuid4())}
    if journey.kind == "authorize_v1" and journey.administrative:
        parameters["admin_consent"] = "True"
    return call_back(journey, parameters)


def _granted_scopes(journey: Journey, tenant: Tenant) -> list[str]:
    """The `scope` of a v2 admin consent callback: resource-prefixed names of what was granted."""
    names: list[str] = []
    asks, _complete = journey.asks(tenant)
    for ask in asks:
        prefix = ask.resource.identifier_uris[0] if ask.resource.identifier_uris else ask.resource.app_id
        names += [f"{prefix}/{value}" for value in [*(value for _id, value in ask.roles), *ask.scopes]]
    return names or [journey.scope]
