# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Graph routes of incidents and alerts share: query options, paging, headers, common bodies."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from . import problems, render_graph, serving
from . import vocabulary as v
from .model import Comment, Incident
from .odata import Dialect, Options, Property, QueryError, parse_options
from .serving import Json, Visit
from .store import SecurityStore

MEDIA_TYPE: Final = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
CONTEXT: Final = "https://graph.microsoft.com/v1.0/$metadata#security/{}"
_PREFER: Final = "include-unknown-enum-members"
BAD_JSON: Final = "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."
READ_INCIDENTS: Final = ("SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All")
_COMMENT_TYPE: Final = "microsoft.graph.security.alertComment"
_OPTIONS: Final = frozenset({"$filter", "$top", "$skip", "$skiptoken", "$count", "$select", "$orderby"})


def _enum(attribute: str, members: Sequence[str]) -> Property:
    return Property(attribute, "enum", {member: member for member in members})


_SHARED: Final[Mapping[str, Property]] = {
    "assignedTo": Property("assigned_to", "text"),
    "classification": _enum("classification", v.CLASSIFICATIONS),
    "createdDateTime": Property("created", "time"),
    "determination": _enum("determination", v.DETERMINATIONS),
    "lastUpdateDateTime": Property("last_update", "time"),
    "severity": _enum("severity", v.SEVERITIES),
}
_OPERATORS: Final = frozenset({"eq", "ne", "gt", "ge", "lt", "le", "and", "or", "not"})


def _dialect(type_name: str, filterable: Mapping[str, Property], other: Sequence[str]) -> Dialect:
    rest = {name: Property("id", "text", filterable=False) for name in other if name not in filterable}
    return Dialect(f"microsoft.graph.security.{type_name}", {**rest, **filterable}, _OPERATORS)


_INCIDENT_NAMES: Final = (
    "id", "tenantId", "status", "incidentWebUrl", "redirectIncidentId", "displayName", "description", "summary", "createdDateTime",
    "lastUpdateDateTime", "assignedTo", "classification", "determination", "severity", "customTags", "systemTags", "comments",
    "resolvingComment", "lastModifiedBy", "priorityScore",
)  # fmt: skip
_ALERT_NAMES: Final = (
    "id", "providerAlertId", "incidentId", "status", "severity", "classification", "determination", "serviceSource", "productName",
    "detectionSource", "detectorId", "tenantId", "title", "description", "recommendedActions", "category", "categories", "assignedTo",
    "alertWebUrl", "incidentWebUrl", "actorDisplayName", "threatDisplayName", "threatFamilyName", "mitreTechniques", "createdDateTime",
    "lastUpdateDateTime", "resolvedDateTime", "firstActivityDateTime", "lastActivityDateTime", "comments", "evidence", "systemTags",
    "alertPolicyId", "additionalData", "customDetails", "investigationState",
)  # fmt: skip
INCIDENTS: Final = _dialect("incident", {**_SHARED, "status": _enum("status", v.INCIDENT_STATUSES)}, _INCIDENT_NAMES)
ALERTS: Final = _dialect(
    "alert",
    {**_SHARED, "status": _enum("status", v.ALERT_STATUSES), "serviceSource": _enum("service_source", v.SERVICE_SOURCES)},
    _ALERT_NAMES,
)


def options_of(request: Request, dialect: Dialect, *, single: bool = False) -> Options:
    """Return the query options of a request.

    :param single: an entity was asked for, which knows ``$select`` and ``$expand`` only.
    :raises ApiError: 400.
    """
    expandable = frozenset({"alerts"}) if dialect is INCIDENTS else frozenset()
    supported = frozenset({"$select"}) if single else _OPTIONS
    try:
        options = parse_options(
            request.query_params.multi_items(),
            dialect,
            supported=supported | ({"$expand"} if expandable else set()),
            expandable=expandable,
        )
        for name in options.select or ():
            if name not in dialect.properties and name not in expandable:
                raise QueryError(f"Could not find a property named '{name}' on type '{dialect.type_name}'.")
    except QueryError as exc:
        raise problems.graph_bad_query(exc) from exc
    return options


def all_members(request: Request) -> bool:
    """Whether the caller asked for the members beyond ``unknownFutureValue``."""
    return any(_PREFER in value.lower() for value in request.headers.getlist("prefer"))


def page_bounds(store: SecurityStore, options: Options, *, default: int, limit: int) -> tuple[int, int]:
    """Return how many records to skip and how many to give.

    :raises ApiError: 400, above a limit or with a token that is none.
    """
    top = default if options.top is None else options.top
    try:
        if top > limit:
            raise problems.limit_exceeded("Top", limit, top)
        skip = options.skip if options.skiptoken is None else _read_token(options.skiptoken)
        if store.settings.max_skip is not None and skip > store.settings.max_skip:
            raise problems.limit_exceeded("Skip", store.settings.max_skip, skip)
    except QueryError as exc:
        raise problems.graph_bad_query(exc) from exc
    return skip, top


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps({"offset": offset})).decode().rstrip("=")


def _read_token(text: str) -> int:
    try:
        offset = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))["offset"]
        return int(offset)
    except (ValueError, KeyError, TypeError) as exc:
        raise QueryError("The skip token is not valid.") from exc


def _next_link(request: Request, store: SecurityStore, offset: int) -> str:
    """The address of the next page: the same query with another offset; the page size stays what it was."""
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name not in ("$skip", "$skiptoken")]
    pairs.append(("$skiptoken", _token(offset)) if store.settings.next_link == "skiptoken" else ("$skip", str(offset)))
    query = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in pairs)
    return f"{str(request.base_url).rstrip('/')}{request.url.path}?{query}"


def tail(request: Request, store: SecurityStore, *, more: bool, offset: int) -> Json:
    """Return what follows ``value``: the link to the next page, when there is one."""
    return {"@odata.nextLink": _next_link(request, store, offset)} if more else {}


def selected(shape: Json, select: tuple[str, ...] | None, expand: tuple[str, ...]) -> Json:
    """Return the properties that ``$select`` names, and the expanded ones."""
    return shape if select is None else {key: value for key, value in shape.items() if key in select or key in expand}


def headers_for(request: Request) -> dict[str, str]:
    """Return the headers of every success."""
    headers = {"OData-Version": "4.0"}
    if all_members(request):
        headers["Preference-Applied"] = _PREFER
    return headers


def refuse_redirected(incident: Incident) -> None:
    """Refuse to change an incident that lives on in another one; which words the service uses is not documented.

    :raises ApiError: 400.
    """
    if incident.redirect_id is not None:
        text = f"Incident '{incident.id}' was merged into incident '{incident.redirect_id}' and cannot be updated."
        raise problems.graph_bad_request(text)


def demand_members(body: Json, known: set[str]) -> None:
    """Refuse parameters that an action does not have.

    :raises ApiError: 400.
    """
    unknown = sorted(set(body) - known)
    if unknown:
        raise problems.graph_bad_request(f"The parameter '{unknown[0]}' in the request payload is not a valid parameter for the action.")


def demand_reasons(value: Any) -> None:
    """Check correlation reasons: members joined by commas, or nothing.

    :raises ApiError: 400.
    """
    if value is None:
        return
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else []
    if not names or not set(names) <= set(v.CORRELATION_REASONS):
        raise problems.graph_bad_request(f"The value '{value}' is not a valid microsoft.graph.security.correlationReason.")


def text_or_none(value: Any) -> str | None:
    """Return an optional text.

    :raises ApiError: 400, for anything else.
    """
    if value is not None and not isinstance(value, str):
        raise problems.graph_bad_request("A comment must be a string.")
    return value


async def comment_of(visit: Visit) -> Comment:
    """Return the alertComment in the request's body.

    :raises ApiError: 400.
    """
    body = await visit.json_body(problems.graph_bad_request(BAD_JSON))
    text = body.get("comment")
    kind = str(body.get("@odata.type", _COMMENT_TYPE)).lstrip("#")
    if not isinstance(text, str) or not text.strip() or kind != _COMMENT_TYPE:
        raise problems.graph_bad_request(f"The body must be a {_COMMENT_TYPE} with a comment.")
    if set(body) - {"comment", "@odata.type"}:
        raise problems.graph_bad_request(f"The body has a property that {_COMMENT_TYPE} does not have.")
    return Comment(text, visit.author, visit.store.stamp(visit.now))


def comments_response(visit: Visit, items: Sequence[Comment], path: str) -> Response:
    """Answer with every comment of a record."""
    body = serving.dumps({"@odata.context": CONTEXT.format(path), "value": render_graph.comments(items)})
    return serving.respond(visit.store, body, headers=headers_for(visit.request), media_type=MEDIA_TYPE)


def merge_response(visit: Visit, target: Incident) -> Response:
    """Answer with the incident that lives on."""
    context = "https://graph.microsoft.com/v1.0/$metadata#microsoft.graph.security.mergeResponse"
    body = serving.dumps({"@odata.context": context, "targetIncidentId": str(target.id)})
    return serving.respond(visit.store, body, headers=headers_for(visit.request), media_type=MEDIA_TYPE)


def incident_of(visit: Visit, incident_id: str) -> Incident:
    """Return the incident with this id.

    :raises ApiError: 404.
    """
    found = visit.store.get(int(incident_id)) if incident_id.isdecimal() else None
    if found is None:
        raise problems.graph_not_found("Incident", incident_id)
    return found
