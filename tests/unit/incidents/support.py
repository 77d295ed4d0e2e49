# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of incidents share: a tenant, clients over a script, and objects as both services write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.m365d.partner.plugins.module_utils._core.api import ApiClient
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.token import AccessToken
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.defender import DefenderIncidents
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.expansion import AdaptivePages, ExpansionMemory
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.graph import GraphIncidents
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.intake import Intake, ReadReport
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.pages import Backend
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.query import IncidentQuery, plan_query
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.reader import IncidentReader
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.schema import Place
from ansible_collections.m365d.partner.plugins.module_utils._core.transport import Transport, TransportSettings
from unit.support.scripted_http import Answer, ScriptedSession

TENANT = "11111111-1111-4111-8111-000000000001"
BASES = {"graph": "https://graph.microsoft.com", "defender": "https://api.security.microsoft.com"}
GRAPH_LIST = f"{BASES['graph']}/v1.0/security/incidents"
DEFENDER_LIST = f"{BASES['defender']}/api/incidents"
PLACE = Place(tenant_id=TENANT, portal_url="https://security.microsoft.com")
TOKEN = AccessToken(
    value="t.o.k", tenant_id=TENANT, resource="https://graph.microsoft.com", client_id="c", expires_at=0.0, auth_method="client_secret"
)


def client(session: Any, *, api: str = "graph", tenant_id: str = TENANT, deadline: float = 300.0) -> ApiClient:
    """Return a client over a session that plays the service."""
    transport = Transport(
        TransportSettings(deadline=deadline), session=session, sleep=lambda _seconds: None, jitter=lambda _low, high: high
    )
    return ApiClient(transport, base_url=BASES[api], tenant_id=tenant_id, get_token=lambda _refresh, _claims: TOKEN)


def backend(session: Any, *, api: str = "graph", tenant_id: str = TENANT) -> Backend:
    """Return a backend over a session that plays the service."""
    api_client = client(session, api=api, tenant_id=tenant_id)
    return GraphIncidents(api_client) if api == "graph" else DefenderIncidents(api_client)


def intake(
    session: Any,
    query: IncidentQuery | None = None,
    *,
    api: str = "graph",
    include_alerts: bool = False,
    raw: bool = False,
    tenant_id: str = TENANT,
    memory: ExpansionMemory | None = None,
) -> Intake:
    """Return what takes incidents in, over a session that plays the service."""
    plan = plan_query(query or IncidentQuery(), api=api)
    source = AdaptivePages(backend(session, api=api, tenant_id=tenant_id), wants_alerts=include_alerts or plan.needs_alerts, memory=memory)
    return Intake(source=source, plan=plan, place=PLACE, include_alerts=include_alerts, raw=raw, report=ReadReport())


def reader(taken: Intake, **options: Any) -> IncidentReader:
    """Return a reader over an intake."""
    return IncidentReader(source=taken.source, intake=taken, plan=taken.plan, **options)


def script(*answers: Answer) -> ScriptedSession:
    """Return a session that plays a script."""
    return ScriptedSession(*answers)


def ids(incidents: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of normalised incidents."""
    return [incident["id"] for incident in incidents]


def graph_incident(number: int, *, updated: str | None = None, **members: Any) -> dict[str, Any]:
    """Return an incident as Microsoft Graph writes it; the higher its number, the later its update."""
    return {
        "id": str(number),
        "displayName": f"Incident {number}",
        "status": "active",
        "severity": "high",
        "createdDateTime": "2026-01-01T00:00:00Z",
        "lastUpdateDateTime": updated or f"2026-01-02T00:00:00.{number:07d}Z",
        **members,
    }


def defender_incident(number: int, *, updated: str | None = None, **members: Any) -> dict[str, Any]:
    """Return an incident as the Defender API writes it."""
    return {
        "incidentId": number,
        "incidentName": f"Incident {number}",
        "status": "Active",
        "severity": "High",
        "createdTime": "2026-01-01T00:00:00Z",
        "lastUpdateTime": updated or f"2026-01-02T00:00:00.{number:07d}Z",
        "alerts": [],
        **members,
    }


def page(*incidents: Mapping[str, Any], next_link: str | None = None, total: int | None = None, **answer: Any) -> Answer:
    """Return the answer with a page of incidents."""
    body: dict[str, Any] = {"value": list(incidents)}
    if next_link:
        body["@odata.nextLink"] = next_link
    if total is not None:
        body["@odata.count"] = total
    return Answer(body=body, **answer)


def graph_error(status: int, code: str = "UnknownError", message: str = "") -> Answer:
    """Return an error as Microsoft Graph writes it."""
    return Answer(status=status, body={"error": {"code": code, "message": message, "innerError": {}}})
