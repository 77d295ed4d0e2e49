# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Advanced hunting on both backends: POST /v1.0/security/runHuntingQuery and POST /api/advancedhunting/run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..errors import ApiError
from . import graph_query, hunting, problems, serving
from .hunting import FAULTS, Answer, HuntingFault
from .kql import KqlError
from .serving import Gate, Json, Visit

_GRAPH: Final = ("ThreatHunting.Read.All",)
_DEFENDER: Final = ("AdvancedHunting.Read.All",)
_CONTEXT: Final = "https://graph.microsoft.com/v1.0/$metadata#microsoft.graph.security.huntingQueryResults"
_ANNOTATIONS: Final = {"DateTime": "#DateTimeOffset", "Int64": "#Int64", "Guid": "#Guid", "SByte": "#SByte"}
Refuse = Callable[[int, str], ApiError]


class HuntingRoutes:
    """The handlers, bound to a gate."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def routes(self) -> list[BaseRoute]:
        """Both backends' routes."""
        return [
            Route("/v1.0/security/runHuntingQuery", self.graph, methods=["POST"]),
            Route("/v1.0/security/microsoft.graph.security.runHuntingQuery", self.graph, methods=["POST"]),
            Route("/api/advancedhunting/run", self.defender, methods=["POST"]),
        ]

    async def graph(self, request: Request) -> Response:
        """POST runHuntingQuery: parameters in either case, small keys in the answer."""
        visit = self.gate.enter(request, family="graph", operation="run hunting query", call="hunting", any_of=_GRAPH)
        body = await visit.json_body(problems.graph_bad_request(graph_query.BAD_JSON))
        folded = {name[:1].lower() + name[1:]: value for name, value in body.items()}
        graph_query.demand_members(folded, {"query", "timespan"})
        query, timespan = folded.get("query"), folded.get("timespan")
        if not isinstance(query, str) or not query.strip() or not isinstance(timespan, str | None):
            raise problems.graph_bad_request("The parameter 'Query' must be a non-empty string.")
        answer = self._run(visit, query, timespan, _graph_refusal)
        shape = {
            "@odata.context": _CONTEXT,
            "schema": [{"name": name, "type": kind} for name, kind in answer.columns],
            "results": _annotated(answer) if visit.store.settings.hunting.type_annotations else answer.rows,
        }
        headers = graph_query.headers_for(request)
        return serving.respond(visit.store, serving.dumps(shape), headers=headers, media_type=graph_query.MEDIA_TYPE)

    async def defender(self, request: Request) -> Response:
        """POST advancedhunting/run: ``Query`` with its capital, capital keys and statistics in the answer."""
        visit = self.gate.enter(request, family="defender", operation="run hunting query", call="hunting", any_of=_DEFENDER)
        body = await visit.json_body(problems.defender_bad_body())
        query = body.get("Query")
        if set(body) != {"Query"} or not isinstance(query, str) or not query.strip():
            raise problems.defender_bad_body()
        answer = self._run(visit, query, None, _defender_refusal)
        shape = {
            "Stats": _statistics(answer),
            "Schema": [{"Name": name, "Type": kind} for name, kind in answer.columns],
            "Results": answer.rows,
        }
        return serving.respond(visit.store, serving.dumps(shape), media_type="application/json; charset=utf-8")

    def _run(self, visit: Visit, query: str, timespan: str | None, refuse: Refuse) -> Answer:
        try:
            return hunting.run(self.gate.cloud, visit.store, query, timespan=timespan, now=visit.now)
        except (KqlError, ValueError) as exc:
            raise refuse(400, str(exc)) from exc
        except HuntingFault as exc:
            refusal = refuse(*FAULTS[exc.name])
            if refusal.status == 429 and visit.store.settings.quota.retry_after:
                refusal.headers["Retry-After"] = "840"
            raise refusal from exc


def _graph_refusal(status: int, text: str) -> ApiError:
    code = {400: "BadRequest", 429: "TooManyRequests"}.get(status, "UnknownError")
    return ApiError(status, code, text, family="graph")


def _defender_refusal(status: int, text: str) -> ApiError:
    code = {400: "BadRequest", 429: "429"}.get(status, "InternalServerError")
    return problems.defender(status, code, text)


def _annotated(answer: Answer) -> list[Json]:
    marks = {name: _ANNOTATIONS[kind] for name, kind in answer.columns if kind in _ANNOTATIONS}
    rows: list[Json] = []
    for row in answer.rows:
        shown: dict[str, Any] = {}
        for name, value in row.items():
            if name in marks:
                shown[f"{name}@odata.type"] = marks[name]
            shown[name] = value
        rows.append(shown)
    return rows


def _statistics(answer: Answer) -> Json:
    return {
        "ExecutionTime": round(answer.seconds, 7),
        "resource_usage": {
            "cache": {"memory": {"hits": 0, "misses": 0, "total": 0}, "disk": {"hits": 0, "misses": 0, "total": 0}},
            "cpu": {"user": "00:00:00", "kernel": "00:00:00", "total cpu": "00:00:00"},
            "memory": {"peak_per_node": 33554624},
        },
        "dataset_statistics": [{"table_row_count": len(answer.rows), "table_size": sum(len(repr(row)) for row in answer.rows[:100])}],
    }
