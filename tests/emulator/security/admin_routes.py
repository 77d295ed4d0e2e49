# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The security part of the admin API: what a reference model needs to know, and what makes the service change or misbehave.

``{tenant}`` is a GUID or a domain; settings and hostile behaviour also take ``*`` for every tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import hostile
from .model import Comment, Incident, Version
from .settings import HostileSettings, change
from .store import SecurityStore
from .times import TICKS_PER_SECOND, iso, parse_iso, ticks_of

if TYPE_CHECKING:
    from ..state import Cloud

Json = dict[str, Any]
# Admin name of a field → neutral record.
_FIELDS: Final = {
    "displayName": "name",
    "description": "description",
    "status": "status",
    "severity": "severity",
    "classification": "classification",
    "determination": "determination",
    "assignedTo": "assigned_to",
    "customTags": "tags",
}


class AdminError(Exception):
    """The admin request makes no sense."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class SecurityAdmin:
    """The handlers, bound to a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def routes(self) -> list[BaseRoute]:
        """Every admin route of the security services."""
        base = "/_emulator/security"
        return [
            Route(f"{base}/tenants", self.tenants, methods=["GET"]),
            Route(f"{base}/{{tenant}}/versions", self.versions, methods=["GET"]),
            Route(f"{base}/{{tenant}}/incidents", self.incidents, methods=["GET", "POST"]),
            Route(f"{base}/{{tenant}}/incidents/{{id}}", self.incident, methods=["PATCH"]),
            Route(f"{base}/{{tenant}}/merge", self.merge, methods=["POST"]),
            Route(f"{base}/{{tenant}}/settings", self.settings, methods=["GET", "PATCH"]),
            Route(f"{base}/{{tenant}}/hostile", self.hostile, methods=["GET", "PUT"]),
        ]

    def _now(self) -> int:
        return ticks_of(self.cloud.now())

    def _stores(self, request: Request) -> list[SecurityStore]:
        name = request.path_params["tenant"]
        if name == "*":
            return [self.cloud.security[tenant_id] for tenant_id in self.cloud.tenants]
        try:
            return [self.cloud.security[self.cloud.tenant(name).tenant_id]]
        except KeyError as exc:
            raise AdminError(f"no tenant {name!r}", 404) from exc

    def _store(self, request: Request) -> SecurityStore:
        stores = self._stores(request)
        if len(stores) != 1:
            raise AdminError("one tenant is needed here, not '*'")
        return stores[0]

    async def tenants(self, request: Request) -> Response:
        """GET tenants: whose data were asked for so far, and how many incidents each has."""
        return _answer({"tenants": {tenant_id: {"incidents": len(store)} for tenant_id, store in self.cloud.security.items()}})

    async def versions(self, request: Request) -> Response:
        """GET versions: every version of every incident, in the order in which they became visible; ``?after=`` skips the first ones."""
        try:
            store = self._store(request)
            after = int(request.query_params.get("after", "0"))
        except (AdminError, ValueError) as exc:
            return _refused(exc)
        return _answer({"versions": [_version(version) for version in store.versions() if version.sequence > after]})

    async def incidents(self, request: Request) -> Response:
        """GET incidents: the true present state. POST incidents: add ``count`` of them.

        A POST may set fields, ``lastUpdateDateTime`` or ``secondsAgo`` (an arrival that is late), and ``sameInstant``: all with one last
        update.
        """
        try:
            store = self._store(request)
            if request.method == "GET":
                return _answer({"incidents": [_incident(incident) for incident in store.newest_first()]})
            body = await _body(request)
            count = int(body.pop("count", 1))
            same = bool(body.pop("sameInstant", False))
            moment = self._moment(body)
            fields = _fields(body)
            now = self._now()
            if same and moment is None:
                moment = store.stamp(now)
            added = [hostile.create(store, now=now, last_update=moment, cause="admin: added", **fields) for _unused in range(count)]
        except (AdminError, ValueError) as exc:
            return _refused(exc)
        return _answer({"incidents": [_incident(incident) for incident in added]}, status=201)

    async def incident(self, request: Request) -> Response:
        """PATCH incidents/{id}: change fields, add a ``comment``, choose the last update."""
        try:
            store = self._store(request)
            body = await _body(request)
            moment = self._moment(body)
            text = body.pop("comment", None)
            now = self._now()
            comment = Comment(str(text), "analyst@contoso.com", now) if text else None
            fresh = store.update(
                int(request.path_params["id"]), _fields(body), now=now, comment=comment, last_update=moment, cause="admin: updated"
            )
        except KeyError:
            return _refused(AdminError(f"no incident {request.path_params['id']}", 404))
        except (AdminError, ValueError) as exc:
            return _refused(exc)
        return _answer(_incident(fresh))

    async def merge(self, request: Request) -> Response:
        """POST merge ``{"ids": [...]}``: merge incidents into the oldest of them."""
        try:
            store = self._store(request)
            ids = [int(one) for one in (await _body(request))["ids"]]
            target = store.merge(ids, now=self._now(), by="admin")
        except KeyError as exc:
            return _refused(AdminError(f"no incident {exc}", 404))
        except (AdminError, ValueError) as exc:
            return _refused(exc)
        return _answer(_incident(target))

    async def settings(self, request: Request) -> Response:
        """GET settings, or PATCH some of them; a change of what is generated forgets every change of the data."""
        try:
            stores = self._stores(request)
            if request.method == "PATCH":
                body = await _body(request)
                for store in stores:
                    store.replace_settings(change(store.settings, body))
        except (AdminError, ValueError) as exc:
            return _refused(exc)
        return _answer(asdict(stores[0].settings))

    async def hostile(self, request: Request) -> Response:
        """GET the hostile behaviour, or PUT another one; ``{}`` makes peace."""
        try:
            stores = self._stores(request)
            if request.method == "PUT":
                body = await _body(request)
                for store in stores:
                    store.settings.hostile = HostileSettings()
                    store.replace_settings(change(store.settings, {"hostile": body}))
        except (AdminError, ValueError) as exc:
            return _refused(exc)
        return _answer(asdict(stores[0].settings.hostile))

    def _moment(self, body: Json) -> int | None:
        text = body.pop("lastUpdateDateTime", None)
        ago = body.pop("secondsAgo", None)
        if text is not None:
            return parse_iso(str(text))
        return None if ago is None else self._now() - int(float(ago) * TICKS_PER_SECOND)


async def _body(request: Request) -> Json:
    try:
        body = orjson.loads(await request.body() or b"{}")
    except orjson.JSONDecodeError as exc:
        raise AdminError("the body is no JSON") from exc
    if not isinstance(body, dict):
        raise AdminError("the body is no JSON object")
    return body


def _fields(body: Mapping[str, Any]) -> Json:
    unknown = sorted(set(body) - set(_FIELDS))
    if unknown:
        raise AdminError(f"unknown field(s): {', '.join(unknown)}; known: {', '.join(_FIELDS)}")
    fields = {_FIELDS[name]: value for name, value in body.items()}
    if "tags" in fields:
        fields["tags"] = tuple(fields["tags"])
    return fields


def _incident(incident: Incident) -> Json:
    return {
        "id": str(incident.id),
        "revision": incident.revision,
        "status": incident.status,
        "severity": incident.severity,
        "classification": incident.classification,
        "determination": incident.determination,
        "assignedTo": incident.assigned_to,
        "customTags": list(incident.tags),
        "comments": [item.text for item in incident.comments],
        "redirectIncidentId": None if incident.redirect_id is None else str(incident.redirect_id),
        "createdDateTime": iso(incident.created),
        "lastUpdateDateTime": iso(incident.last_update),
    }


def _version(version: Version) -> Json:
    return {
        "sequence": version.sequence,
        "id": str(version.incident_id),
        "revision": version.revision,
        "lastUpdateDateTime": iso(version.last_update),
        "recordedDateTime": iso(version.recorded),
        "status": version.status,
        "cause": version.cause,
        "late": version.cause != "generated" and version.last_update < version.recorded,
    }


def _answer(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")


def _refused(error: Exception) -> Response:
    return _answer({"error": str(error)}, status=error.status if isinstance(error, AdminError) else 400)
