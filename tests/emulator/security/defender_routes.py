# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Defender XDR API: /api/incidents."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import changes, hostile, problems, render_defender, serving
from . import vocabulary as v
from .model import Comment, Incident
from .odata import Dialect, Options, Property, QueryError, parse_options
from .serving import Gate, Json, Visit
from .store import SecurityStore

TOP_MAX: Final = 100
_MEDIA_TYPE: Final = "application/json; odata.metadata=minimal; charset=utf-8"
_CONTEXT: Final = "https://api.security.microsoft.com/api/$metadata#Incidents"
_READ: Final = ("Incident.Read.All", "Incident.ReadWrite.All")
_WRITE: Final = ("Incident.ReadWrite.All",)
INCIDENTS: Final = Dialect(
    "Microsoft.Mtp.Incident",
    {
        "lastUpdateTime": Property("last_update", "time"),
        "createdTime": Property("created", "time"),
        "status": Property("status", "enum", v.INCIDENT_STATUS_FROM_DEFENDER),
        "assignedTo": Property("assigned_to", "text"),
        **{
            name: Property("id", "text", filterable=False)
            for name in ("incidentId", "redirectIncidentId", "incidentName", "classification", "determination", "severity", "tags")
        },
    },
    frozenset({"eq", "gt", "ge", "lt", "le", "and", "or"}),
)
_OPTIONS: Final = frozenset({"$filter", "$top", "$skip"})


class DefenderApi:
    """The handlers, bound to a gate."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def routes(self) -> list[BaseRoute]:
        """Every route of incidents."""
        return [
            Route("/api/incidents", self.list_incidents, methods=["GET"]),
            Route("/api/incidents/{id}", self.get_incident, methods=["GET"]),
            Route("/api/incidents/{id}", self.update_incident, methods=["PATCH"]),
        ]

    async def list_incidents(self, request: Request) -> Response:
        """GET /api/incidents: newest first, alerts inline, at most 100 a page."""
        visit = self.gate.enter(request, family="defender", operation="list incidents", call="list", any_of=_READ)
        store = visit.store
        options, top = _list_options(request, store)
        page = serving.page_of_incidents(store, options, skip=options.skip, top=top)
        tail: Json = {}
        if page.more and store.settings.defender_next_link:
            tail["@odata.nextLink"] = _next_link(request, options.skip + top)
        fragments = [_fragment(store, incident) for incident in page.incidents]
        body = serving.envelope({"@odata.context": _CONTEXT}, fragments, tail)
        status, headers = hostile.page_oddity(store)
        hostile.after_page(store, now=visit.now)
        return serving.respond(store, body, status=status, headers={"OData-Version": "4.0"} | headers, media_type=_MEDIA_TYPE)

    async def get_incident(self, request: Request) -> Response:
        """GET /api/incidents/{id}."""
        visit = self.gate.enter(request, family="defender", operation="get incident", call="get", any_of=_READ)
        return _entity(visit, _find(visit))

    async def update_incident(self, request: Request) -> Response:
        """PATCH /api/incidents/{id}: answers with the whole incident."""
        visit = self.gate.enter(request, family="defender", operation="update incident", call="update", any_of=_WRITE)
        incident = _find(visit)
        body = await visit.json_body(problems.defender_bad_body())
        if incident.redirect_id is not None:
            raise problems.defender(400, "InvalidInput", f"Incident {incident.id} was merged into incident {incident.redirect_id}.")
        try:
            wanted = changes.of_defender_incident(body)
            changes.demand_valid_verdict(incident, wanted, strict=visit.store.settings.strict_determination)
        except changes.BodyError as exc:
            raise problems.defender_bad_body() from exc
        except changes.ValueRefused as exc:
            raise problems.defender(400, "InvalidInput", str(exc)) from exc
        text = wanted.pop("comment", None)
        comment = Comment(text, visit.author, visit.store.stamp(visit.now)) if text else None
        fresh = visit.store.update(incident.id, wanted | {"last_modified_by": visit.author}, comment=comment, now=visit.now)
        return _entity(visit, fresh)


def _list_options(request: Request, store: SecurityStore) -> tuple[Options, int]:
    try:
        options = parse_options(request.query_params.multi_items(), INCIDENTS, supported=_OPTIONS)
        top = TOP_MAX if options.top is None else options.top
        if top > TOP_MAX:
            raise problems.limit_exceeded("Top", TOP_MAX, top)
        limit = store.settings.max_skip
        if limit is not None and options.skip > limit:
            raise problems.limit_exceeded("Skip", limit, options.skip)
    except QueryError as exc:
        raise problems.defender_bad_query(exc) from exc
    return options, top


def _next_link(request: Request, offset: int) -> str:
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name != "$skip"]
    query = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in [*pairs, ("$skip", str(offset))])
    return f"{str(request.base_url).rstrip('/')}{request.url.path}?{query}"


def _fragment(store: SecurityStore, incident: Incident) -> bytes:
    resource_page = store.settings.determination_spelling == "resource"

    def render(record: Incident) -> Json:
        return render_defender.incident(record, store.alerts_of(record.id), resource_page=resource_page)

    return serving.incident_fragment(store, incident, "defender:resource" if resource_page else "defender", render, graph=False)


def _find(visit: Visit) -> Incident:
    text = visit.request.path_params["id"]
    if not text.isdecimal():
        raise problems.defender(400, "InvalidInput", f"The incident id '{text}' is not a number.")
    found = visit.store.get(int(text))
    if found is None:
        raise problems.defender(404, "ResourceNotFound", f"Incident {text} was not found.")
    return found


def _entity(visit: Visit, incident: Incident) -> Response:
    head = serving.dumps({"@odata.context": f"{_CONTEXT}/$entity"})
    body = head[:-1] + b"," + _fragment(visit.store, incident)[1:]
    return serving.respond(visit.store, body, headers={"OData-Version": "4.0"}, media_type=_MEDIA_TYPE)
