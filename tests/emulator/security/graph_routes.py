# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft Graph: /v1.0/security/incidents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import changes, hostile, problems, render_graph, serving
from . import graph_query as query
from .model import Incident
from .odata import Options
from .serving import Gate, Json, Visit
from .store import SecurityStore

TOP_MAX: Final = 50
_WRITE: Final = ("SecurityIncident.ReadWrite.All",)


class GraphSecurity:
    """The handlers, bound to a gate."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def routes(self) -> list[BaseRoute]:
        """Every route of incidents; literal paths come before those with an id."""
        base = "/v1.0/security"
        table = (
            ("GET", "incidents", self.list_incidents),
            ("POST", "incidents/mergeIncidents", self.merge_incidents),
            ("POST", "incidents/microsoft.graph.security.mergeIncidents", self.merge_incidents),
            ("GET", "incidents/{id}", self.get_incident),
            ("PATCH", "incidents/{id}", self.update_incident),
            ("POST", "incidents/{id}/comments", self.comment_incident),
        )
        return [Route(f"{base}/{path}", handler, methods=[method]) for method, path, handler in table]

    def _enter(self, request: Request, operation: str, any_of: Sequence[str]) -> Visit:
        return self.gate.enter(request, family="graph", operation=operation, call="graph", any_of=any_of)

    # -- incidents ---------------------------------------------------------------------------------------------------------------

    async def list_incidents(self, request: Request) -> Response:
        """GET /security/incidents."""
        visit = self._enter(request, "list incidents", query.READ_INCIDENTS)
        store = visit.store
        options = query.options_of(request, query.INCIDENTS)
        skip, top = query.page_bounds(store, options, default=store.settings.incidents_default_top, limit=TOP_MAX)
        page = serving.page_of_incidents(store, options, skip=skip, top=top)
        if options.expand:
            hostile.check_expand(store, top=top, incidents=page.incidents)
        head: Json = {"@odata.context": query.CONTEXT.format("incidents")}
        if options.count:
            head["@odata.count"] = page.total
        fragments = [self._incident(request, store, incident, options) for incident in page.incidents]
        body = serving.envelope(head, fragments, query.tail(request, store, more=page.more, offset=skip + top))
        status, headers = hostile.page_oddity(store)
        hostile.after_page(store, now=visit.now)
        return serving.respond(store, body, status=status, headers=query.headers_for(request) | headers, media_type=query.MEDIA_TYPE)

    def _incident(self, request: Request, store: SecurityStore, incident: Incident, options: Options) -> bytes:
        everything = query.all_members(request)
        expanded = bool(options.expand)
        shape = f"graph{':alerts' if expanded else ''}{':all' if everything else ''}"
        if options.select is not None:
            shape = f"{shape}:{','.join(sorted(options.select))}"

        def render(record: Incident) -> Json:
            alerts = store.alerts_of(record.id) if expanded else None
            return query.selected(render_graph.incident(record, alerts, all_members=everything), options.select, options.expand)

        return serving.incident_fragment(store, incident, shape, render, graph=True)

    def _single(self, visit: Visit, incident: Incident, options: Options, *, status: int = 200) -> Response:
        head = serving.dumps({"@odata.context": query.CONTEXT.format("incidents/$entity")})
        body = head[:-1] + b"," + self._incident(visit.request, visit.store, incident, options)[1:]
        return serving.respond(visit.store, body, status=status, headers=query.headers_for(visit.request), media_type=query.MEDIA_TYPE)

    async def get_incident(self, request: Request) -> Response:
        """GET /security/incidents/{id}."""
        visit = self._enter(request, "get incident", query.READ_INCIDENTS)
        options = query.options_of(request, query.INCIDENTS, single=True)
        return self._single(visit, query.incident_of(visit, request.path_params["id"]), options)

    async def update_incident(self, request: Request) -> Response:
        """PATCH /security/incidents/{id}."""
        visit = self._enter(request, "update incident", _WRITE)
        incident = query.incident_of(visit, request.path_params["id"])
        body = await visit.json_body(problems.graph_bad_request(query.BAD_JSON))
        query.refuse_redirected(incident)
        settings = visit.store.settings
        try:
            wanted = changes.of_graph_incident(body, extra=settings.graph_patch_extra)
            changes.demand_valid_verdict(incident, wanted, strict=settings.strict_determination)
        except ValueError as exc:
            raise problems.graph_bad_request(str(exc)) from exc
        fresh = visit.store.update(incident.id, wanted | {"last_modified_by": visit.author}, now=visit.now)
        return self._single(visit, fresh, Options())

    async def comment_incident(self, request: Request) -> Response:
        """POST /security/incidents/{id}/comments: answers with every comment."""
        visit = self._enter(request, "comment incident", _WRITE)
        incident = query.incident_of(visit, request.path_params["id"])
        comment = await query.comment_of(visit)
        query.refuse_redirected(incident)
        fresh = visit.store.update(incident.id, {"last_modified_by": visit.author}, comment=comment, now=visit.now)
        return query.comments_response(visit, fresh.comments, f"incidents('{incident.id}')/comments")

    async def merge_incidents(self, request: Request) -> Response:
        """POST /security/incidents/mergeIncidents."""
        visit = self._enter(request, "merge incidents", _WRITE)
        body = await visit.json_body(problems.graph_bad_request(query.BAD_JSON))
        query.demand_members(body, {"incidentIds", "incidentComment", "mergeReasons"})
        ids = body.get("incidentIds")
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids) or len(set(ids)) < 2:
            raise problems.graph_bad_request("incidentIds must hold at least two different incident ids.")
        query.demand_reasons(body.get("mergeReasons"))
        incidents = [query.incident_of(visit, one) for one in ids]
        for incident in incidents:
            query.refuse_redirected(incident)
        target = visit.store.merge(
            [incident.id for incident in incidents], now=visit.now, by=visit.author, comment=query.text_or_none(body.get("incidentComment"))
        )
        return query.merge_response(visit, target)
