# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`/applications/{id}/federatedIdentityCredentials`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..errors import bad_request, not_found
from ..model import Application, FederatedCredential
from . import bodies
from .access import OWNED, READ_APPS, WRITE_APPS, Access, enter, no_content, respond
from .credentials import check_federated
from .lookup import find
from .query import page

_CHANGE = (*WRITE_APPS, OWNED)
_FRAGMENT = "applications('{id}')/federatedIdentityCredentials"


async def list_federated(request: Request) -> Response:
    """GET the collection."""
    access = enter(request, "federated.list", READ_APPS)
    app = find(access)
    rows = [bodies.federated_credential(one) for one in app.federated if access.tenant.directory.visible(one.created)]
    return respond(page(access, rows, fragment=_FRAGMENT.format(id=app.id), filterable=("name", "subject", "issuer", "id")))


async def create_federated(request: Request) -> Response:
    """POST to the collection."""
    access = enter(request, "federated.create", _CHANGE)
    app = find(access)
    access.demand_change(app)
    return _created(access, app, await access.json())


def _created(access: Access, app: Application, raw: dict[str, object]) -> Response:
    check_federated(app, raw)
    audiences = [str(one) for one in raw["audiences"]]  # type: ignore[attr-defined]
    description = raw.get("description")
    made = FederatedCredential(
        access.cloud.new_id(),
        str(raw["name"]),
        str(raw["issuer"]),
        str(raw["subject"]),
        audiences,
        str(description) if description is not None else None,
        access.cloud.replication.stamp(),
    )
    app.federated.append(made)
    context = access.context_url(f"{_FRAGMENT.format(id=app.id)}/$entity")
    return respond({"@odata.context": context} | bodies.federated_credential(made), status=201)


def _one(access: Access, app: Application) -> FederatedCredential:
    params = access.request.path_params
    wanted = str(params["credential"]) if "credential" in params else str(params["credential_key"]).partition("=")[2].strip("'")
    found = next((one for one in app.federated if wanted in (one.id, one.name)), None)
    if found is None:
        raise not_found(wanted)
    return found


async def get_federated(request: Request) -> Response:
    """GET one, by id or name."""
    access = enter(request, "federated.get", READ_APPS)
    app = find(access)
    context = access.context_url(f"{_FRAGMENT.format(id=app.id)}/$entity")
    return respond({"@odata.context": context} | bodies.federated_credential(_one(access, app)))


async def update_federated(request: Request) -> Response:
    """PATCH one; by name and with `Prefer: create-if-missing` an upsert. The name never changes."""
    access = enter(request, "federated.update", _CHANGE)
    app = find(access)
    access.demand_change(app)
    raw = await access.json()
    key = str(request.path_params.get("credential_key", ""))
    name = key.partition("=")[2].strip("'")
    if key.startswith("name=") and not any(one.name == name for one in app.federated):
        if "create-if-missing" not in request.headers.get("prefer", "").lower():
            raise not_found(name)
        return _created(access, app, raw | {"name": name})
    one = _one(access, app)
    if raw.get("name", one.name) != one.name:
        raise bad_request("Property 'name' is immutable and cannot be changed.")
    merged = bodies.federated_credential(one) | raw
    check_federated(app, merged, own_id=one.id)
    one.issuer, one.subject, one.audiences = str(merged["issuer"]), str(merged["subject"]), list(merged["audiences"])
    one.description, one.created = merged.get("description"), access.cloud.replication.stamp()
    return no_content()


async def delete_federated(request: Request) -> Response:
    """DELETE one."""
    access = enter(request, "federated.delete", _CHANGE)
    app = find(access)
    access.demand_change(app)
    app.federated.remove(_one(access, app))
    return no_content()
