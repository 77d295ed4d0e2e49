# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the routes of both backends share: who calls, which page of which order, and fast JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ..auth import GRAPH, MTP, Caller, authorize
from ..context import context_of
from ..errors import ApiError
from . import hostile, problems
from .model import DOMAIN_MARK, TENANT_MARK, Incident
from .odata import Options
from .quota import Call, Quotas
from .store import SecurityStore
from .times import ticks_of

if TYPE_CHECKING:
    from ..state import Cloud

Json = dict[str, Any]
Family = Literal["graph", "defender"]
_RESOURCES: Final = {"graph": GRAPH, "defender": MTP}


@dataclass(slots=True)
class Visit:
    """One authorised call: the caller, the tenant's data and the moment (ticks)."""

    request: Request
    caller: Caller
    store: SecurityStore
    now: int

    @property
    def author(self) -> str:
        """The name under which the services record what an app did."""
        return self.caller.username or f"API-App:{self.caller.display_name or self.caller.client_id}"

    async def json_body(self, refusal: ApiError) -> Json:
        """Return the request's JSON object.

        :raises ApiError: ``refusal``, when the body is no JSON object.
        """
        try:
            body = orjson.loads(await self.request.body())
        except orjson.JSONDecodeError as exc:
            raise refusal from exc
        if not isinstance(body, dict):
            raise refusal
        return body


class Gate:
    """Lets a call in: token, permission, quota, licence; in this order."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.quotas = Quotas()

    def enter(self, request: Request, *, family: Family, operation: str, call: Call, any_of: Sequence[str]) -> Visit:
        """Authorise a request and find its tenant.

        :raises ApiError: 401, 403 or 429 as the service of ``family`` words them.
        """
        context_of(request).operation = operation
        caller = authorize(request, family=family, resource_app_id=_RESOURCES[family], any_of=any_of)
        return self.admit(request, caller, family=family, call=call)

    def admit(self, request: Request, caller: Caller, *, family: Family, call: Call) -> Visit:
        """Check quota and licence of an authorised caller."""
        store = self.cloud.security[caller.tenant_id]
        now = ticks_of(self.cloud.now())
        self.quotas.charge(caller, call, store.settings.quota, family=family, now=now)
        self._demand_licence(store, caller.tenant_id, family)
        return Visit(request, caller, store, now)

    def _demand_licence(self, store: SecurityStore, tenant_id: str, family: Family) -> None:
        tenant = self.cloud.tenants.get(tenant_id)
        state = store.settings.licence
        if state == "provisioned" and tenant is not None and not tenant.defender_provisioned:
            state = "not_provisioned"
        if state == "provisioned":
            return
        if state == "disabled":
            text = "The feature is disabled for this tenant."
            raise ApiError(403, "DisabledFeature", text, family=family)
        text = "Account is not provisioned" if state == "not_provisioned" else "Account mode is inactive"
        if family == "defender":
            raise problems.defender(401, "Unauthorized", text)
        # Graph answers 403 although the token has the role; which words it uses is not documented.
        raise ApiError(403, "Forbidden", f"{text}.", family="graph")


def dumps(value: Any) -> bytes:
    """Return compact JSON."""
    return orjson.dumps(value)


def marked(store: SecurityStore, body: bytes) -> bytes:
    """Return the body with the tenant's GUID and domain in place of the marks of shared records."""
    return body.replace(TENANT_MARK.encode(), store.tenant_id.encode()).replace(DOMAIN_MARK.encode(), store.domain.encode())


def respond(store: SecurityStore, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None, media_type: str) -> Response:
    """Return a JSON answer."""
    return Response(marked(store, body), status_code=status, headers=dict(headers or {}), media_type=media_type)


def envelope(head: Json, fragments: Iterable[bytes], tail: Json | None = None) -> bytes:
    """Return a collection answer made of ready JSON fragments: ``head`` before ``value``, ``tail`` after it."""
    start = dumps(head)[:-1]
    end = b"," + dumps(tail)[1:-1] if tail else b""
    return b"".join((start, b',"value":[', b",".join(fragments), b"]", end, b"}"))


def incident_fragment(store: SecurityStore, incident: Incident, shape: str, render: Callable[[Incident], Json], *, graph: bool) -> bytes:
    """Return the JSON of an incident from the cache, or render it.

    :param shape: names the form; records in the same form share an entry.
    """
    if store.settings.hostile.rewrites:
        return dumps(hostile.rewrite(store, render(incident), incident.id, incident.revision, graph=graph))
    cache = store.fragments if store.is_changed(incident.id) else store.data.fragments
    found = cache.get((shape, incident.id))
    if found is None:
        found = cache[(shape, incident.id)] = dumps(render(incident))
    return found


@dataclass(slots=True)
class Page:
    """One page of incidents.

    :ivar total: how many match, known only when it was asked for.
    """

    incidents: list[Incident]
    more: bool
    total: int | None


def page_of_incidents(store: SecurityStore, options: Options, *, skip: int, top: int) -> Page:
    """Return ``top`` incidents after the first ``skip`` that match, in the order asked for or else newest first."""
    order = [(item.attribute, descending) for item, descending in options.orderby] or [
        ("last_update" if store.settings.order == "lastUpdate" else "created", True)
    ]
    test = options.filter.test if options.filter else None
    matching: Iterator[Incident] = _ordered(store, order)
    if test is not None:
        matching = filter(test, matching)
    elif order == [("last_update", True)] and not store.settings.hostile.shuffle_ties:
        keys = store.keys
        wanted = keys[max(len(keys) - skip - top, 0) : max(len(keys) - skip, 0)]
        return Page([_known(store, key[1]) for key in reversed(wanted)], len(keys) > skip + top, len(keys))
    if options.count:
        everything = list(matching)
        return Page(everything[skip : skip + top], len(everything) > skip + top, len(everything))
    found = list(islice(matching, skip, skip + top + 1))
    return Page(found[:top], len(found) > top, None)


def _known(store: SecurityStore, incident_id: int) -> Incident:
    incident = store.get(incident_id)
    assert incident is not None, "the keys name existing incidents only"
    return incident


def _ordered(store: SecurityStore, order: Sequence[tuple[str, bool]]) -> Iterator[Incident]:
    attribute, descending = order[0]
    if attribute == "last_update" and len(order) == 1:
        if store.settings.hostile.shuffle_ties:
            incidents = hostile.shuffled_ties(store, list(store.newest_first()))
            return iter(incidents if descending else reversed(incidents))
        if descending:
            return store.newest_first()
        return (_known(store, incident_id) for _unused, incident_id in store.keys)
    incidents = list(store.newest_first())
    for name, reverse in reversed(order):
        incidents.sort(key=attrgetter(name), reverse=reverse)
    return iter(incidents)
