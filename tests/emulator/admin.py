# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The admin API under `/_emulator/`: look inside, change the world, set faults. JSON in and out; no secrets come out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from . import first_party
from .clock import graph_time, parse_moment
from .context import cloud_of, context_of
from .entra.codes import CODES
from .faults import ACTIONS
from .model import Application, KeyCredential, PasswordCredential
from .replication import Stamp
from .state import Cloud, Tenant


class AdminError(Exception):
    """A request to the admin API that makes no sense."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def _guarded(handler: Callable[[Cloud, Request, dict[str, Any]], Any]) -> Callable[[Request], Any]:
    """Read the body, run the handler, answer in JSON, and turn mistakes into 400 with a sentence."""

    async def endpoint(request: Request) -> Response:
        context_of(request).operation = handler.__name__
        try:
            raw = await request.body()
            body = json.loads(raw) if raw else {}
            if not isinstance(body, dict):
                raise AdminError("the body must be a JSON object")
            return JSONResponse(handler(cloud_of(request), request, body))
        except AdminError as exc:
            return JSONResponse({"error": str(exc)}, status_code=exc.status)
        except (KeyError, TypeError, ValueError) as exc:
            return JSONResponse({"error": f"{type(exc).__name__}: {exc}"}, status_code=400)

    return endpoint


def overview(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /_emulator/: time, size, replication, keys."""
    return {
        "time": cloud.now().isoformat(),
        "seed": cloud.seed,
        "origin": cloud.origin,
        "home_tenant_id": cloud.home_tenant_id,
        "tenants": len(cloud.tenants),
        "applications": sum(not app.first_party for app in cloud.applications.values()),
        "replication_delay": {"seconds": cloud.replication.seconds, "requests": cloud.replication.requests},
        "signing_key": cloud.keys.current.kid,
        "counters": cloud.log.counters(),
    }


def state(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /_emulator/state: everything but secrets. `?tenant=` narrows it down."""
    wanted = request.query_params.get("tenant")
    tenants = [_tenant(cloud, wanted)] if wanted else list(cloud.tenants.values())
    return {"time": cloud.now().isoformat(), "tenants": [_tenant_state(cloud, tenant) for tenant in tenants]}


def _tenant(cloud: Cloud, name: str) -> Tenant:
    try:
        return cloud.tenant(name)
    except KeyError:
        raise AdminError(f"unknown tenant {name!r}", 404) from None


def _application(cloud: Cloud, client_id: str) -> Application:
    app = cloud.applications.get(client_id.lower())
    if app is None:
        raise AdminError(f"unknown application {client_id!r}", 404)
    return app


def _tenant_state(cloud: Cloud, tenant: Tenant) -> dict[str, Any]:
    directory = tenant.directory
    return {
        "tenant_id": tenant.tenant_id,
        "domain": tenant.domain,
        "display_name": tenant.display_name,
        "defender_provisioned": tenant.defender_provisioned,
        "sign_in_block": tenant.sign_in_block,
        "users": [{"username": user.username, "roles": list(user.roles)} for user in directory.users.values()],
        "applications": [_app_state(app) for app in directory.applications.values()],
        "service_principals": [
            {"id": one.id, "app_id": one.app_id, "display_name": _name(cloud, one.app_id), "enabled": one.account_enabled}
            for one in directory.service_principals.values()
        ],
        "app_role_assignments": [_assignment_state(cloud, tenant, one) for one in directory.assignments.values()],
        "permission_grants": [
            {"id": one.id, "client_id": one.client_id, "resource_id": one.resource_id, "consent_type": one.consent_type, "scope": one.scope}
            for one in directory.grants.values()
        ],
    }


def _assignment_state(cloud: Cloud, tenant: Tenant, one: Any) -> dict[str, Any]:
    resource = tenant.directory.service_principals.get(one.resource_id)
    app = cloud.applications.get(resource.app_id) if resource else None
    role = first_party.role_values(app).get(one.app_role_id) if app else None
    principal = tenant.directory.service_principals.get(one.principal_id)
    return {
        "id": one.id,
        "client_id": principal.app_id if principal else None,
        "principal_id": one.principal_id,
        "resource_id": one.resource_id,
        "app_role_id": one.app_role_id,
        "permission": f"{app.display_name}/{role}" if app and role else None,
    }


def _name(cloud: Cloud, app_id: str) -> str | None:
    app = cloud.applications.get(app_id)
    return app.display_name if app else None


def _app_state(app: Application) -> dict[str, Any]:
    return {
        "id": app.id,
        "app_id": app.app_id,
        "display_name": app.display_name,
        "unique_name": app.body.get("uniqueName"),
        "sign_in_audience": app.body.get("signInAudience"),
        "deleted": app.deleted_at is not None,
        "owners": app.owners,
        "secrets": [
            {"key_id": one.key_id, "display_name": one.display_name, "hint": one.hint, "end": graph_time(one.end)} for one in app.passwords
        ],
        "certificates": [{"key_id": one.key_id, "thumbprint": one.sha1.hex(), "end": graph_time(one.end)} for one in app.keys],
        "federated": [{"name": one.name, "issuer": one.issuer, "subject": one.subject} for one in app.federated],
    }


# -- requests -----------------------------------------------------------------------------------------------------


def requests(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /_emulator/requests: entries of the log, filtered by any member; `path` is a regular expression; `since`, `limit`."""
    entries = cloud.log.select(**dict(request.query_params))
    return {"count": len(entries), "requests": entries, "counters": cloud.log.counters()}


def reset_requests(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """DELETE /_emulator/requests: forget entries and counters."""
    before = cloud.log.counters()
    cloud.log.reset()
    return {"forgotten": before["total"]}


def counters(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /_emulator/counters."""
    return cloud.log.counters()


# -- faults -------------------------------------------------------------------------------------------------------


def faults(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /_emulator/faults."""
    return {"faults": [rule.describe() for rule in cloud.faults.rules], "actions": ACTIONS}


def add_fault(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /_emulator/faults: one rule, or `{"faults": [...]}`."""
    if body.get("aadsts") is not None and int(body["aadsts"]) not in CODES:
        raise AdminError(f"AADSTS{body['aadsts']} is not a code the emulator knows")
    made = [cloud.faults.add(raw) for raw in body.get("faults", [body])]
    return {"faults": [rule.describe() for rule in made]}


def clear_faults(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """DELETE /_emulator/faults or /_emulator/faults/{id}."""
    return {"removed": cloud.faults.remove(request.path_params.get("id"))}


# -- the world ----------------------------------------------------------------------------------------------------


def clock(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET or POST /_emulator/clock with `step` (seconds), `set` (ISO 8601) or `freeze` (boolean)."""
    unknown = sorted(set(body) - {"step", "set", "freeze"})
    if unknown:
        raise AdminError(f"unknown: {', '.join(unknown)}; use step, set or freeze")
    if "set" in body:
        cloud.clock.set(parse_moment(str(body["set"])))
    if "step" in body:
        cloud.clock.step(float(body["step"]))
    if "freeze" in body:
        cloud.clock.freeze(bool(body["freeze"]))
    return {"time": cloud.now().isoformat()}


def rotate_keys(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /_emulator/keys/rotate with `retire_old` or `announce_only`."""
    kid = cloud.keys.rotate(cloud.now(), retire_old=bool(body.get("retire_old")), announce_only=bool(body.get("announce_only")))
    return {"kid": kid, "signing": cloud.keys.current.kid, "published": [key.kid for key in cloud.keys.published()]}


def replication(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET or POST /_emulator/replication with `seconds` and `requests`, for changes made from now on."""
    cloud.replication.seconds = float(body.get("seconds", cloud.replication.seconds))
    cloud.replication.requests = int(body.get("requests", cloud.replication.requests))
    return {"seconds": cloud.replication.seconds, "requests": cloud.replication.requests}


def change_tenant(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """PATCH /_emulator/tenants/{tenant}: `defender`, `sign_in_block`, `policy`, `resource_disabled`, `gdap`, `contract`."""
    tenant = _tenant(cloud, request.path_params["tenant"])
    unknown = sorted(set(body) - {"defender", "sign_in_block", "policy", "resource_disabled", "gdap", "contract"})
    if unknown:
        raise AdminError(f"unknown: {', '.join(unknown)}")
    if "defender" in body:
        provision_defender(cloud, tenant, bool(body["defender"]))
    if "sign_in_block" in body:
        code = body["sign_in_block"]
        if code is not None and int(code) not in CODES:
            raise AdminError(f"AADSTS{code} is not a code the emulator knows")
        tenant.sign_in_block = None if code is None else int(code)
    if "policy" in body:
        tenant.directory.policy = dict(body["policy"] or {})
    if "resource_disabled" in body:
        for app_id in first_party.DEFENDER:
            principal = tenant.directory.service_principal(app_id)
            if principal is not None:
                principal.account_enabled = not body["resource_disabled"]
    tenant.settings |= {name: body[name] for name in ("gdap", "contract") if name in body}
    return _tenant_state(cloud, tenant)


def provision_defender(cloud: Cloud, tenant: Tenant, wanted: bool) -> None:
    """Give the tenant the product, or take it away together with its service principals and everything granted on them."""
    tenant.defender_provisioned = wanted
    if wanted:
        first_party.provision(cloud, tenant, first_party.DEFENDER)
        return
    for app_id in first_party.DEFENDER:
        principal = tenant.directory.service_principal(app_id)
        if principal is not None:
            tenant.directory.remove_service_principal(principal, cloud.now())
            principal.removed = Stamp()


def expire_credentials(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /_emulator/apps/{client_id}/expire: all credentials, or the one with `key_id`."""
    app = _application(cloud, request.path_params["client_id"])
    expired = []
    credentials: list[PasswordCredential | KeyCredential] = [*app.passwords, *app.keys]
    for one in credentials:
        if body.get("key_id") in (None, one.key_id):
            one.end = cloud.now() - timedelta(seconds=1)
            one.start = min(one.start, one.end - timedelta(seconds=1))
            expired.append(one.key_id)
    return {"expired": expired}


def change_app(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """PATCH /_emulator/apps/{client_id}: `disabled_by_microsoft`, `is_disabled`."""
    app = _application(cloud, request.path_params["client_id"])
    if "disabled_by_microsoft" in body:
        status = "DisabledDueToViolationOfServicesAgreement" if body["disabled_by_microsoft"] else None
        app.body = app.body | {"disabledByMicrosoftStatus": status}
    if "is_disabled" in body:
        app.body = app.body | {"isDisabled": bool(body["is_disabled"])}
    return _app_state(app)


# -- identity providers -------------------------------------------------------------------------------------------


def provider_configuration(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /_emulator/idp/{name}/.well-known/openid-configuration."""
    return cloud.providers.named(request.path_params["name"]).configuration()


def provider_keys(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """GET /_emulator/idp/{name}/keys."""
    return cloud.providers.named(request.path_params["name"]).keys()


def provider_token(cloud: Cloud, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """POST /_emulator/idp/{name}/token with `subject`, `audience`, `lifetime`, `claims`: an assertion, as a CI system hands it to a job."""
    provider = cloud.providers.named(request.path_params["name"])
    assertion = provider.issue(
        subject=str(body["subject"]),
        audience=str(body.get("audience", "api://AzureADTokenExchange")),
        lifetime=int(body.get("lifetime", 600)),
        extra=dict(body.get("claims") or {}),
    )
    return {"issuer": provider.issuer, "token": assertion}


async def not_found(request: Request) -> Response:
    """Any other path."""
    return JSONResponse({"error": f"no admin call {request.method} {request.url.path}"}, status_code=404)


def routes() -> list[BaseRoute]:
    """All admin calls."""
    table: list[tuple[str, list[str], Callable[[Cloud, Request, dict[str, Any]], Any]]] = [
        ("/", ["GET"], overview),
        ("/state", ["GET"], state),
        ("/requests", ["GET"], requests),
        ("/requests", ["DELETE"], reset_requests),
        ("/counters", ["GET"], counters),
        ("/faults", ["GET"], faults),
        ("/faults", ["POST"], add_fault),
        ("/faults", ["DELETE"], clear_faults),
        ("/faults/{id}", ["DELETE"], clear_faults),
        ("/clock", ["GET", "POST"], clock),
        ("/keys/rotate", ["POST"], rotate_keys),
        ("/replication", ["GET", "POST"], replication),
        ("/tenants/{tenant}", ["PATCH"], change_tenant),
        ("/apps/{client_id}/expire", ["POST"], expire_credentials),
        ("/apps/{client_id}", ["PATCH"], change_app),
        ("/idp/{name}/.well-known/openid-configuration", ["GET"], provider_configuration),
        ("/idp/{name}/keys", ["GET"], provider_keys),
        ("/idp/{name}/token", ["POST"], provider_token),
    ]
    return [Route(f"/_emulator{path}", _guarded(handler), methods=methods) for path, methods, handler in table]
