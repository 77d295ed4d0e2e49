# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The security side of the emulated cloud: incidents, alerts and hunting, as Microsoft Graph and the Defender XDR API show them.

One neutral record per incident (``model``) is generated on demand (``generator``), kept and changed per tenant (``store``) and rendered
in both shapes (``render_graph``, ``render_defender``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zlib import crc32

from starlette.routing import BaseRoute

from .generator import Plan
from .settings import SecuritySettings, change
from .store import SecurityStore
from .times import ticks_of

if TYPE_CHECKING:
    from ..state import Cloud, Tenant

__all__ = ["SecurityStore", "build_store", "routes"]


def build_store(tenant: Tenant, defaults: Mapping[str, Any], seed: int, now: datetime) -> SecurityStore:
    """Return the security data of a tenant, deterministic from the seed and the tenant id; nothing is generated yet.

    :param defaults: the scenario's ``defaults`` mapping; the tenant's own ``security`` overrides its ``security`` part.
    :param now: when the emulator started; the same for all tenants, or those of one pool share nothing.
    :raises ValueError: a key or value that ``settings`` does not know.
    """
    settings = SecuritySettings(plan=Plan(seed="", now=ticks_of(now)))
    for values in (defaults.get("security"), tenant.settings.get("security")):
        settings = change(settings, values or {})
    share = f"pool:{crc32(tenant.tenant_id.encode()) % settings.pool}" if settings.pool else tenant.tenant_id
    settings.plan = replace(settings.plan, seed=f"{seed}:{share}")
    return SecurityStore(tenant.tenant_id, tenant.domain, settings)


def routes(cloud: Cloud) -> list[BaseRoute]:
    """Return every route of the security services and of their part of the admin API."""
    from .admin_routes import SecurityAdmin
    from .alert_routes import GraphAlerts
    from .defender_routes import DefenderApi
    from .graph_routes import GraphSecurity
    from .hunting_routes import HuntingRoutes
    from .serving import Gate

    gate = Gate(cloud)
    parts = (GraphSecurity(gate), GraphAlerts(gate), DefenderApi(gate), HuntingRoutes(gate), SecurityAdmin(cloud))
    return [route for part in parts for route in part.routes()]
