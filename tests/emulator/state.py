# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole emulated cloud: its clock, its tenants, its applications and its signing keys."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .clock import Clock
from .directory import Directory
from .model import Application, User
from .replication import Replication
from .settings import Settings

if TYPE_CHECKING:
    from .entra.flows import PendingFlows
    from .entra.keys import SigningKeys
    from .faults import Faults
    from .identity_provider import IdentityProviders
    from .request_log import RequestLog
    from .security import SecurityStore

NAMESPACE = uuid.UUID("7d3656d0-36d5-4b21-8f0c-000000000365")


@dataclass
class Tenant:
    """One organisation. `settings` is its raw scenario mapping; `defender_provisioned` may change while the emulator runs."""

    tenant_id: str
    domain: str
    display_name: str
    directory: Directory
    domains: list[str] = field(default_factory=list)
    region_scope: str = "EU"
    sub_scope: str | None = None
    cloud: str = "global"
    defender_provisioned: bool = True
    home: bool = False
    created_at: datetime | None = None
    sign_in_block: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def foreign(self) -> bool:
        """Whether the tenant lives in another national cloud than this login host."""
        return self.cloud not in ("global", "gcc")


class SecurityStores(dict[str, "SecurityStore"]):
    """tenant id → security data, generated when first asked for, so that 1,000 tenants do not slow down the start."""

    def __init__(self, build: Callable[[str], SecurityStore]) -> None:
        super().__init__()
        self._build = build

    def __missing__(self, tenant_id: str) -> SecurityStore:
        self[tenant_id] = store = self._build(tenant_id)
        return store


class Cloud:
    """Everything the emulator knows. Built by `scenario.build`, served by `server.build_app`."""

    keys: SigningKeys
    faults: Faults
    log: RequestLog
    flows: PendingFlows
    providers: IdentityProviders
    security: SecurityStores

    def __init__(self, *, seed: int, clock: Clock, replication: Replication, settings: Settings) -> None:
        self.seed = seed
        self.clock = clock
        self.replication = replication
        self.settings = settings
        self.rng = random.Random(seed)
        self.origin = "https://localhost"
        self.home_tenant_id = ""
        self.tenants: dict[str, Tenant] = {}
        self.applications: dict[str, Application] = {}
        self._domains: dict[str, Tenant] = {}
        self._resources: dict[str, Application] = {}
        self._resource_names: dict[str, list[str]] = {}
        self.defaults: dict[str, Any] = {}
        self.bootstrap: dict[str, str] = {}
        self.automation: dict[str, dict[str, str]] = {}
        self.passwords: dict[str, str] = {}
        self.prepared_apps: list[dict[str, str]] = []

    def now(self) -> datetime:
        """The emulated moment, aware, UTC."""
        return self.clock.now()

    def new_id(self) -> str:
        """A fresh GUID, reproducible from the seed."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def derived_id(self, *parts: str) -> str:
        """A GUID that depends on the seed and `parts` alone."""
        return str(uuid.uuid5(NAMESPACE, "/".join((str(self.seed), *parts))))

    def add_tenant(self, tenant: Tenant) -> None:
        """Make a tenant known under its id and all its domains."""
        self.tenants[tenant.tenant_id] = tenant
        for domain in (tenant.domain, *tenant.domains):
            self._domains[domain.lower()] = tenant

    def tenant(self, id_or_domain: str) -> Tenant:
        """The tenant with this GUID or verified domain. Raises KeyError."""
        key = id_or_domain.lower()
        found = self.tenants.get(key) or self._domains.get(key)
        if found is None:
            raise KeyError(id_or_domain)
        return found

    def add_application(self, app: Application) -> None:
        """Make a registration known everywhere."""
        self.applications[app.app_id] = app
        self.index_resource(app)

    def index_resource(self, app: Application) -> None:
        """(Re)build the index of the names under which `app` can be asked for as a resource."""
        self._forget_names(app)
        names = [name.rstrip("/").lower() for name in (app.app_id, *app.identifier_uris)]
        self._resource_names[app.app_id] = names
        for name in names:
            self._resources[name] = app

    def _forget_names(self, app: Application) -> None:
        for name in self._resource_names.pop(app.app_id, ()):
            self._resources.pop(name, None)

    def resource(self, identifier: str) -> Application | None:
        """The application behind an App ID URI (with or without trailing slash) or a client id."""
        found = self._resources.get(identifier.rstrip("/").lower())
        return found if found is not None and found.deleted_at is None else None

    def forget_application(self, app: Application) -> None:
        """Drop a permanently deleted registration."""
        self.applications.pop(app.app_id, None)
        self._forget_names(app)

    def user(self, username: str) -> tuple[Tenant, User] | None:
        """The person with this user name and the tenant of their account."""
        domain = username.rpartition("@")[2].lower()
        tenant = self._domains.get(domain)
        found = tenant.directory.users.get(username.lower()) if tenant else None
        return (tenant, found) if tenant and found else None
