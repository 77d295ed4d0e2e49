# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of Azure Resource Manager as the Azure CLI asks for when it signs in: its cloud's endpoints, and no subscriptions."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .auth import authenticate
from .context import context_of
from .first_party import AZURE_MANAGEMENT


async def cloud_endpoints(request: Request) -> Response:
    """GET /metadata/endpoints: where the Azure CLI finds everything, once the emulator is registered as a cloud."""
    context = context_of(request)
    context.operation = "metadata"
    origin = context.cloud.origin
    body: dict[str, Any] = {
        "name": "Emulator",
        "authentication": {"loginEndpoint": f"{origin}/", "audiences": ["https://management.core.windows.net/"], "tenant": "common"},
        "resourceManager": f"{origin}/",
        "graph": "https://graph.windows.net/",
        "microsoftGraphResourceId": "https://graph.microsoft.com/",
        "graphAudience": "https://graph.windows.net/",
        "portal": "https://portal.azure.com",
        "gallery": "https://gallery.azure.com/",
        "batch": "https://batch.core.windows.net/",
        "sqlManagement": "https://management.core.windows.net:8443/",
        "suffixes": {"storage": "core.windows.net", "keyVaultDns": "vault.azure.net", "sqlServerHostname": "database.windows.net"},
    }
    return JSONResponse(body)


async def nothing(request: Request) -> Response:
    """GET /subscriptions and /tenants: nobody has an Azure subscription here."""
    context = context_of(request)
    context.operation = "arm"
    caller = authenticate(request, family="graph", resource_app_id=AZURE_MANAGEMENT)
    if request.url.path == "/tenants":
        tenant = context.cloud.tenants[caller.tenant_id]
        row = {"id": f"/tenants/{tenant.tenant_id}", "tenantId": tenant.tenant_id, "displayName": tenant.display_name}
        return JSONResponse({"value": [row]})
    return JSONResponse({"value": []})


def routes() -> list[BaseRoute]:
    """Paths that no tenant's name can take."""
    return [Route("/metadata/endpoints", cloud_endpoints), Route("/subscriptions", nothing), Route("/tenants", nothing)]
