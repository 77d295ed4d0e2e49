# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which application asks, whether the tenant knows it, and whether it proved who it is."""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass

from ..context import RequestContext
from ..model import Application, ServicePrincipal, digest
from ..state import Cloud, Tenant
from .assertions import check_assertion
from .discovery import SHARED, resolve_tenant
from .errors import EntraError
from .form import Form

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(slots=True)
class Client:
    """An application in a tenant, authenticated when `strength` is not "0"."""

    tenant: Tenant
    app: Application
    principal: ServicePrincipal
    strength: str = "0"


def find_application(cloud: Cloud, client_id: str, *, directory: str, primary: bool = False) -> Application:
    """The registration behind a client id. With `primary` one that has not replicated is found too. Raises EntraError 700016."""
    try:
        key = str(uuid.UUID(client_id))
    except ValueError:
        key = client_id
    app = cloud.applications.get(key)
    home = cloud.tenants.get(app.tenant_id) if app else None
    if app is None or app.deleted_at is not None:
        raise EntraError(700016, client=client_id, directory=directory)
    if not primary and home is not None and home.directory.seen_application(app, "login") is None:
        raise EntraError(700016, client=client_id, directory=directory)
    return app


def login_tenant(cloud: Cloud, name: str, *, confidential: bool) -> Tenant:
    """The tenant of a token request. Raises EntraError for unknown, malformed and foreign-cloud tenants."""
    tenant = resolve_tenant(cloud, name)
    if tenant.foreign:
        raise EntraError(900382) if confidential else EntraError(90038, tenant=name, cloud=tenant.cloud)
    return tenant


def usable_principal(cloud: Cloud, tenant: Tenant, app: Application, *, code: int = 700016) -> ServicePrincipal:
    """The app's service principal in the tenant. Raises EntraError `code` when it is absent or the app cannot work there."""
    principal = tenant.directory.seen_service_principal(app.app_id, "login")
    usable = principal is not None and (app.multi_tenant or app.tenant_id == tenant.tenant_id or app.first_party)
    if principal is None or not usable:
        raise EntraError(code, client=app.app_id, directory=tenant.display_name, tenant=tenant.tenant_id)
    return principal


def check_enabled(tenant: Tenant, app: Application, principal: ServicePrincipal) -> None:
    """Raises EntraError 7000112 when customer, partner or Microsoft switched the app off."""
    microsoft = app.body.get("disabledByMicrosoftStatus") == "DisabledDueToViolationOfServicesAgreement"
    if microsoft or app.body.get("isDisabled") is True or not tenant.directory.seen_enabled(principal):
        raise EntraError(7000112, client=app.app_id, name=app.display_name)


def confidential_client(context: RequestContext, tenant_name: str, form: Form) -> Client:
    """The authenticated application of a client_credentials request. Raises EntraError."""
    cloud = context.cloud
    client_id = context.client_id = form.require("client_id")
    context.credential = credential_kind(form)
    if tenant_name.lower() in SHARED:
        app = find_application(cloud, client_id, directory=tenant_name)
        raise EntraError(9001023) if app.multi_tenant else EntraError(50194, client=app.app_id, name=app.display_name)
    tenant = login_tenant(cloud, tenant_name, confidential=True)
    context.tenant_id = tenant.tenant_id
    app = find_application(cloud, client_id, directory=tenant.display_name)
    context.client_id = app.app_id
    late = cloud.settings.missing_service_principal == 7000229
    if late:
        strength = authenticate(context, tenant, app, form, missing=7000216)
        return _admitted(cloud, tenant, app, strength, code=7000229)
    principal = usable_principal(cloud, tenant, app)
    if cloud.settings.disabled_checked_before_credential:
        check_enabled(tenant, app, principal)
    strength = authenticate(context, tenant, app, form, missing=7000216)
    return _admitted(cloud, tenant, app, strength, principal=principal)


def _admitted(
    cloud: Cloud, tenant: Tenant, app: Application, strength: str, *, principal: ServicePrincipal | None = None, code: int = 700016
) -> Client:
    principal = principal or usable_principal(cloud, tenant, app, code=code)
    check_enabled(tenant, app, principal)
    if tenant.sign_in_block is not None:
        raise EntraError(tenant.sign_in_block, client=app.app_id, name=app.display_name, directory=tenant.display_name)
    return Client(tenant, app, principal, strength)


def credential_kind(form: Form) -> str:
    """What the request log says about the credential; never the credential itself."""
    if "client_assertion" in form.values:
        return "assertion"
    if "client_secret" in form.values:
        return "secret_basic" if form.basic else "secret"
    return "none"


def authenticate(context: RequestContext, tenant: Tenant, app: Application, form: Form, *, missing: int) -> str:
    """Check the client's credential; returns `appidacr` "1" (secret) or "2" (assertion).

    Raises EntraError; `missing` is the code for no credential at all, which depends on the grant.
    """
    assertion, secret = form.get("client_assertion"), form.get("client_secret")
    if not assertion and not secret:
        raise EntraError(missing)
    if app.public_only:
        raise EntraError(700025)
    if assertion:
        if not form.get("client_assertion_type"):
            raise EntraError(900144, parameter="client_assertion_type")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise EntraError(9002313)
        context.credential = check_assertion(context, tenant, app, assertion)
        return "2"
    check_secret(context.cloud, app, secret)
    return "1"


def check_secret(cloud: Cloud, app: Application, secret: str) -> None:
    """Raises EntraError 7000215 (wrong, not yet valid or not yet replicated) or 7000222 (expired)."""
    arrived, now = cloud.replication.arrived, cloud.now()
    presented = digest(secret)
    match = next((one for one in app.passwords if hmac.compare_digest(one.digest, presented)), None)
    if match is None or not arrived(match.created, "login") or now < match.start:
        raise EntraError(7000215, client=app.app_id)
    if match.removed is not None and arrived(match.removed, "login"):
        raise EntraError(7000215, client=app.app_id)
    if now >= match.end:
        raise EntraError(7000222, client=app.app_id)
