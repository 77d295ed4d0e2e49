# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft Graph: /v1.0/security/alerts_v2, and the alerts of an incident."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from operator import attrgetter
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import changes, hostile, problems, render_graph, serving
from . import graph_query as query
from .model import Alert
from .odata import Options
from .serving import Gate, Json, Visit
from .store import SecurityStore

# Incident permissions open alerts as well: the service's 403 text names them.
_READ: Final = ("SecurityAlert.Read.All", "SecurityAlert.ReadWrite.All", *query.READ_INCIDENTS)
_WRITE: Final = ("SecurityAlert.ReadWrite.All",)


class GraphAlerts:
    """The handlers, bound to a gate."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def routes(self) -> list[BaseRoute]:
        """Every route of alerts; literal paths come before those with an id."""
        base = "/v1.0/security"
        table = (
            ("GET", "incidents/{id}/alerts", self.list_alerts_of_incident),
            ("GET", "alerts_v2", self.list_alerts),
            ("POST", "alerts_v2/moveAlerts", self.move_alerts),
            ("POST", "alerts_v2/microsoft.graph.security.moveAlerts", self.move_alerts),
            ("GET", "alerts_v2/{id}", self.get_alert),
            ("PATCH", "alerts_v2/{id}", self.update_alert),
            ("POST", "alerts_v2/{id}/comments", self.comment_alert),
        )
        return [Route(f"{base}/{path}", handler, methods=[method]) for method, path, handler in table]

    def _enter(self, request: Request, operation: str, any_of: Sequence[str]) -> Visit:
        return self.gate.enter(request, family="graph", operation=operation, call="graph", any_of=any_of)

    async def list_alerts(self, request: Request) -> Response:
        """GET /security/alerts_v2."""
        visit = self._enter(request, "list alerts", _READ)
        alerts = sorted(visit.store.all_alerts(), key=lambda alert: (alert.last_update, alert.id), reverse=True)
        response = self._alert_page(visit, alerts, "alerts_v2")
        hostile.after_page(visit.store, now=visit.now)
        return response

    async def list_alerts_of_incident(self, request: Request) -> Response:
        """GET /security/incidents/{id}/alerts: the navigation property that ``$expand=alerts`` inlines."""
        visit = self._enter(request, "list alerts of incident", query.READ_INCIDENTS)
        incident = query.incident_of(visit, request.path_params["id"])
        return self._alert_page(visit, visit.store.alerts_of(incident.id), f"incidents('{incident.id}')/alerts")

    def _alert_page(self, visit: Visit, alerts: Sequence[Alert], path: str) -> Response:
        request, store = visit.request, visit.store
        options = query.options_of(request, query.ALERTS)
        settings = store.settings
        skip, top = query.page_bounds(store, options, default=settings.alerts_default_top, limit=settings.alerts_top_max)
        test = options.filter.test if options.filter else None
        matching = [alert for alert in alerts if test is None or test(alert)]
        for wanted, descending in reversed(options.orderby):
            matching.sort(key=attrgetter(wanted.attribute), reverse=descending)
        head: Json = {"@odata.context": query.CONTEXT.format(path)}
        if options.count:
            head["@odata.count"] = len(matching)
        fragments = [self._alert(request, store, alert, options) for alert in islice(matching, skip, skip + top)]
        body = serving.envelope(head, fragments, query.tail(request, store, more=len(matching) > skip + top, offset=skip + top))
        status, headers = hostile.page_oddity(store)
        return serving.respond(store, body, status=status, headers=query.headers_for(request) | headers, media_type=query.MEDIA_TYPE)

    def _alert(self, request: Request, store: SecurityStore, alert: Alert, options: Options) -> bytes:
        everything = query.all_members(request)
        if options.select is not None or store.settings.hostile.rewrites:
            shape = query.selected(render_graph.alert(alert, all_members=everything), options.select, ())
            if store.settings.hostile.rewrites:
                shape = hostile.rewrite(store, shape, alert.id, alert.last_update, graph=True)
            return serving.dumps(shape)
        cache = store.fragments if store.is_changed(alert.incident_id) else store.data.fragments
        key = ("alert:all" if everything else "alert", alert.id)
        found = cache.get(key)
        if found is None:
            found = cache[key] = serving.dumps(render_graph.alert(alert, all_members=everything))
        return found

    def _single_alert(self, visit: Visit, alert: Alert, options: Options) -> Response:
        head = serving.dumps({"@odata.context": query.CONTEXT.format("alerts_v2/$entity")})
        body = head[:-1] + b"," + self._alert(visit.request, visit.store, alert, options)[1:]
        return serving.respond(visit.store, body, headers=query.headers_for(visit.request), media_type=query.MEDIA_TYPE)

    def _find_alert(self, visit: Visit, alert_id: str) -> Alert:
        found = visit.store.find_alert(alert_id)
        if found is None:
            raise problems.graph_not_found("Alert", alert_id)
        return found

    async def get_alert(self, request: Request) -> Response:
        """GET /security/alerts_v2/{id}."""
        visit = self._enter(request, "get alert", _READ)
        options = query.options_of(request, query.ALERTS, single=True)
        return self._single_alert(visit, self._find_alert(visit, request.path_params["id"]), options)

    async def update_alert(self, request: Request) -> Response:
        """PATCH /security/alerts_v2/{id}."""
        visit = self._enter(request, "update alert", _WRITE)
        alert = self._find_alert(visit, request.path_params["id"])
        body = await visit.json_body(problems.graph_bad_request(query.BAD_JSON))
        try:
            wanted = changes.of_graph_alert(body)
            changes.demand_valid_verdict(alert, wanted, strict=visit.store.settings.strict_determination)
        except ValueError as exc:
            raise problems.graph_bad_request(str(exc)) from exc
        return self._single_alert(visit, visit.store.update_alert(alert.id, wanted, now=visit.now), Options())

    async def comment_alert(self, request: Request) -> Response:
        """POST /security/alerts_v2/{id}/comments: answers with every comment."""
        visit = self._enter(request, "comment alert", _WRITE)
        alert = self._find_alert(visit, request.path_params["id"])
        comment = await query.comment_of(visit)
        fresh = visit.store.update_alert(alert.id, now=visit.now, comment=comment)
        return query.comments_response(visit, fresh.comments, f"alerts_v2('{alert.id}')/comments")

    async def move_alerts(self, request: Request) -> Response:
        """POST /security/alerts_v2/moveAlerts."""
        visit = self._enter(request, "move alerts", _WRITE)
        body = await visit.json_body(problems.graph_bad_request(query.BAD_JSON))
        query.demand_members(body, {"alertIds", "incidentId", "alertComment", "newCorrelationReasons"})
        ids = body.get("alertIds")
        if not isinstance(ids, list) or not ids or not all(isinstance(one, str) for one in ids):
            raise problems.graph_bad_request("alertIds must hold at least one alert id.")
        query.demand_reasons(body.get("newCorrelationReasons"))
        for one in ids:
            self._find_alert(visit, one)
        target: int | None = None
        if body.get("incidentId") is not None:
            incident = query.incident_of(visit, str(body["incidentId"]))
            query.refuse_redirected(incident)
            target = incident.id
        comment = query.text_or_none(body.get("alertComment"))
        return query.merge_response(visit, visit.store.move_alerts(ids, target, now=visit.now, by=visit.author, comment=comment))
