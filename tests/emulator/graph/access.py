# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what in the directory: least privileges of the permission reference, and the higher ones that include them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..auth import GRAPH, Caller, authenticate
from ..context import context_of
from ..errors import ApiError, bad_request, denied
from ..model import APPLICATION_ADMINISTRATORS, Application, ServicePrincipal, User
from ..state import Cloud, Tenant

OWNED = "Application.ReadWrite.OwnedBy"
WRITE_APPS = ("Application.ReadWrite.All", "Directory.ReadWrite.All")
READ_APPS = ("Application.Read.All", *WRITE_APPS, OWNED, "Application.ReadUpdate.All", "Directory.Read.All")
CREATE_APPS = ("AppRegistration.Create", *WRITE_APPS, OWNED)
CHANGE_APPS = (*WRITE_APPS, OWNED, "Application.ReadUpdate.All")
ASSIGN_ROLES = ("AppRoleAssignment.ReadWrite.All",)
READ_GRANTS = (
    "Directory.Read.All",
    "Directory.ReadWrite.All",
    "DelegatedPermissionGrant.Read.All",
    "DelegatedPermissionGrant.ReadWrite.All",
)
WRITE_GRANTS = ("DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All")
READ_DIRECTORY = ("Directory.Read.All", "Directory.ReadWrite.All")
READ_ORGANIZATION = ("Organization.Read.All", *READ_DIRECTORY, "User.Read")
READ_RELATIONSHIPS = ("DelegatedAdminRelationship.Read.All", "DelegatedAdminRelationship.ReadWrite.All")
FIND_TENANTS = ("CrossTenantInformation.ReadBasic.All",)
READ_POLICY = ("Policy.Read.All", "Policy.ReadWrite.ApplicationConfiguration")
WRITE_POLICY = ("Policy.ReadWrite.ApplicationConfiguration",)


@dataclass(slots=True)
class Access:
    """One directory request whose caller was let in."""

    request: Request
    cloud: Cloud
    tenant: Tenant
    caller: Caller

    @property
    def user(self) -> User | None:
        """The person behind a delegated token."""
        return self.tenant.directory.users.get((self.caller.username or "").lower()) if self.caller.user_id else None

    def has(self, names: tuple[str, ...]) -> bool:
        """Whether the token carries one of these permissions."""
        return bool(set(names) & self.caller.permissions)

    def owns(self, thing: Application | ServicePrincipal) -> bool:
        """Whether the caller is an owner."""
        return (self.caller.user_id or self.caller.service_principal_id) in thing.owners

    def demand_change(self, thing: Application | ServicePrincipal, *, wide: tuple[str, ...] = WRITE_APPS) -> None:
        """Raises ApiError 403 unless the caller may change all apps, or this one because it owns it."""
        if self.has(wide) and (self.user is None or self.owns(thing) or self.administers()):
            return
        if self.owns(thing) and self.has((OWNED,)):
            return
        raise denied()

    def administers(self) -> bool:
        """Whether the person behind a delegated token holds a role that manages applications; an app needs none."""
        user = self.user
        return self.caller.user_id is None or (
            user is not None and (user.administrator or bool(set(APPLICATION_ADMINISTRATORS) & set(user.roles)))
        )

    async def json(self) -> dict[str, Any]:
        """The JSON body. Raises ApiError 400."""
        raw = await self.request.body()
        if not raw:
            return {}
        try:
            body = json.loads(raw)
        except ValueError as exc:
            raise bad_request(
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
                code="BadRequest",
            ) from exc
        if not isinstance(body, dict):
            raise bad_request("Empty Payload. JSON content expected.", code="BadRequest")
        return body

    def context_url(self, fragment: str) -> str:
        """`@odata.context` for an answer."""
        return f"{self.cloud.origin}/v1.0/$metadata#{fragment}"


def enter(request: Request, operation: str, *groups: tuple[str, ...]) -> Access:
    """Let a caller in who holds one permission of every group. Raises ApiError 401 or 403."""
    context = context_of(request)
    context.operation = operation
    caller = authenticate(request, family="graph", resource_app_id=GRAPH)
    access = Access(request, context.cloud, context.cloud.tenants[caller.tenant_id], caller)
    if not all(access.has(group) for group in groups):
        raise denied()
    return access


def respond(body: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer as Graph types it."""
    kind = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
    answer = Response(
        json.dumps(body).encode(), status_code=status, headers={"Content-Type": kind, "OData-Version": "4.0"} | (headers or {})
    )
    answer.headers["Cache-Control"] = "no-cache"
    return answer


def no_content() -> Response:
    """204."""
    return Response(b"", status_code=204)


def conflict(message: str) -> ApiError:
    """Graph's answer to a key that is taken."""
    return ApiError(409, "Request_MultipleObjectsWithSameKeyValue", message)
