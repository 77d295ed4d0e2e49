# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of one tenant: registrations, service principals, grants and users.

Methods named `seen_*` answer as a replica does (see `replication.py`); the others know the truth, which is what uniqueness checks use.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from .model import Application, AppRoleAssignment, PermissionGrant, ServicePrincipal, User
from .replication import Reader, Replication, Stamp


class Directory:
    """All directory objects of one tenant."""

    def __init__(self, tenant_id: str, replication: Replication) -> None:
        self.tenant_id = tenant_id
        self.replication = replication
        self.applications: dict[str, Application] = {}
        self.service_principals: dict[str, ServicePrincipal] = {}
        self.principals_by_app: dict[str, ServicePrincipal] = {}
        self.deleted_principals: dict[str, ServicePrincipal] = {}
        self.assignments: dict[str, AppRoleAssignment] = {}
        self.assignments_by_principal: dict[str, list[AppRoleAssignment]] = {}
        self.grants: dict[str, PermissionGrant] = {}
        self.users: dict[str, User] = {}
        self.policy: dict[str, Any] = {}

    # -- registrations ------------------------------------------------------------------------------------------

    def live_applications(self) -> Iterator[Application]:
        """Registrations that are not soft-deleted, in the order of their creation."""
        return (app for app in self.applications.values() if app.deleted_at is None)

    def application(self, app_id: str) -> Application | None:
        """The live registration with this client id."""
        return next((app for app in self.live_applications() if app.app_id == app_id), None)

    def seen_application(self, app: Application | None, reader: Reader = "graph") -> Application | None:
        """`app` when it exists, is not deleted and has reached `reader`."""
        if app is None or app.deleted_at is not None or not self.replication.arrived(app.created, reader):
            return None
        return app

    # -- service principals -------------------------------------------------------------------------------------

    def add_service_principal(self, principal: ServicePrincipal) -> ServicePrincipal:
        """Store a service principal under its id and its client id."""
        self.service_principals[principal.id] = principal
        self.principals_by_app[principal.app_id] = principal
        return principal

    def remove_service_principal(self, principal: ServicePrincipal, moment: datetime) -> None:
        """Soft-delete a service principal together with everything granted to it or on it."""
        principal.removed = self.replication.stamp()
        principal.deleted_at = moment
        self.deleted_principals[principal.id] = principal
        self.service_principals.pop(principal.id, None)
        if principal.removed.settled and self.principals_by_app.get(principal.app_id) is principal:
            del self.principals_by_app[principal.app_id]
        for assignment in [one for one in self.assignments.values() if principal.id in (one.principal_id, one.resource_id)]:
            self.remove_assignment(assignment)
        for grant in [one for one in self.grants.values() if principal.id in (one.client_id, one.resource_id)]:
            self.remove_grant(grant)

    def service_principal(self, app_id: str) -> ServicePrincipal | None:
        """The service principal of a client id, as the primary knows it."""
        found = self.principals_by_app.get(app_id)
        return found if found is not None and found.deleted_at is None else None

    def seen_service_principal(self, app_id: str, reader: Reader) -> ServicePrincipal | None:
        """The service principal of a client id, as `reader` sees it: also one whose deletion has not arrived yet."""
        found = self.principals_by_app.get(app_id)
        if found is None or not self.replication.arrived(found.created, reader):
            return None
        if found.removed is not None and self.replication.arrived(found.removed, reader):
            return None
        return found

    def seen_enabled(self, principal: ServicePrincipal, reader: Reader = "login") -> bool:
        """Whether `reader` takes the service principal for enabled."""
        if self.replication.arrived(principal.enabled_changed, reader):
            return principal.account_enabled
        return not principal.account_enabled

    # -- application permissions --------------------------------------------------------------------------------

    def add_assignment(self, assignment: AppRoleAssignment) -> AppRoleAssignment:
        """Grant an application permission."""
        self.assignments[assignment.id] = assignment
        self.assignments_by_principal.setdefault(assignment.principal_id, []).append(assignment)
        return assignment

    def remove_assignment(self, assignment: AppRoleAssignment) -> None:
        """Revoke an application permission; tokens may carry it until the removal has arrived."""
        self.assignments.pop(assignment.id, None)
        assignment.removed = self.replication.stamp()
        if assignment.removed.settled:
            self.assignments_by_principal.get(assignment.principal_id, [assignment]).remove(assignment)

    def held_roles(self, principal_id: str, resource_id: str, reader: Reader = "login") -> list[str]:
        """Ids of the app roles on `resource_id` that `reader` believes `principal_id` holds."""
        arrived = self.replication.arrived
        held: list[str] = []
        for one in self.assignments_by_principal.get(principal_id, ()):
            if one.resource_id != resource_id or not arrived(one.created, reader):
                continue
            if one.removed is None or not arrived(one.removed, reader):
                held.append(one.app_role_id)
        return held

    # -- delegated permissions ----------------------------------------------------------------------------------

    def add_grant(self, grant: PermissionGrant) -> PermissionGrant:
        """Grant delegated permissions."""
        self.grants[grant.id] = grant
        return grant

    def remove_grant(self, grant: PermissionGrant) -> None:
        """Revoke delegated permissions."""
        self.grants.pop(grant.id, None)

    def delegated_scopes(self, client_id: str, resource_id: str, user_id: str | None, reader: Reader = "login") -> list[str]:
        """Scopes granted to the service principal `client_id` on `resource_id`, tenant-wide or for one user."""
        scopes: list[str] = []
        for grant in self.grants.values():
            if grant.client_id != client_id or grant.resource_id != resource_id or not self.replication.arrived(grant.created, reader):
                continue
            if grant.consent_type == "AllPrincipals" or grant.principal_id == user_id:
                scopes += [scope for scope in grant.scope.split() if scope not in scopes]
        return scopes

    def visible(self, stamp: Stamp, reader: Reader = "graph") -> bool:
        """Whether `reader` sees a change with this stamp."""
        return self.replication.arrived(stamp, reader)
