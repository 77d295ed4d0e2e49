# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The public names of any tenant of the global cloud, from Microsoft Graph.

Any tenant's token will do, where it carries `CrossTenantInformation.ReadBasic.All`: the partner's own, not the customer's
(Graph reference, findTenantInformationByTenantId). The call exists in the global cloud only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import TransportError
from .graph import GraphClient, by_key

CLOUDS_WITH_NAMES = frozenset({"global", "gcc"})


@dataclass(frozen=True)
class TenantNames:
    """How a tenant calls itself. A member is None where the service does not say."""

    display_name: str | None
    default_domain: str | None
    federation_brand_name: str | None


def read_names(client: GraphClient, tenant_id: str) -> TenantNames | None:
    """Return the names of a tenant, None where Microsoft Graph does not find it.

    :param client: a client of any tenant in whose name the app may ask.
    :param tenant_id: GUID of the tenant in question.
    :raises PermissionDenied: where the app lacks the permission in the client's tenant.
    :raises TransportError: for an answer about another tenant.
    """
    attempted = f"finding the names of tenant {tenant_id}"
    found = client.find(f"tenantRelationships/{by_key('findTenantInformationByTenantId', 'tenantId', tenant_id)}", attempted=attempted)
    if found is None:
        return None
    if str(found.get("tenantId", "")).lower() != tenant_id.lower():
        raise TransportError(
            "Microsoft Graph answered for another tenant than the one that was asked for.",
            attempted=attempted,
            tenant_id=client.tenant_id,
            state="unreachable",
            next_step="Check graph_url and what answers there.",
        )
    return TenantNames(_text(found.get("displayName")), _text(found.get("defaultDomainName")), _text(found.get("federationBrandName")))


def _text(value: Any) -> str | None:
    return str(value) if value else None
