# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A page of incidents, and what both services have in common when pages are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from ..api import ApiClient
from ..errors import TransportError
from ..transport import Response
from .shapes import first_of, identifier

# Answers to a request that was too much for the service: asking for less may help, asking again the same seldom does.
OVERLOAD_STATUS = frozenset({500, 502, 504})

# OData allows for empty pages that lead on; so many in a row are no list any more.
MOST_EMPTY_PAGES = 20

# Where an object has its id: an incident of either service, an alert of Graph.
INCIDENT_ID = ("id", "incidentId")
ALERT_ID = ("id",)


@dataclass(frozen=True)
class ServerQuery:
    """What the service is asked, in its own terms.

    :param odata: the `$filter`, or None.
    :param order_by: key of the schema and `asc` or `desc`, or None for the service's own order.
    :param expand_alerts: whether alerts come along; the Defender API sends them always.
    :param count: whether to ask how many there are in all.
    """

    odata: str | None = None
    order_by: tuple[str, str] | None = None
    expand_alerts: bool = False
    count: bool = False


@dataclass(frozen=True)
class IncidentPage:
    """One answer of a service.

    :param incidents: as the service sent them.
    :param next_target: where the next page is; None where this is the last, as far as the service says.
    :param total: how many there are in all, where it was asked for and told.
    :param warnings: why the service says that this is not everything (HTTP 206, `Warning` header).
    """

    incidents: tuple[Mapping[str, Any], ...]
    next_target: str | None
    total: int | None = None
    warnings: tuple[str, ...] = ()


class Backend(Protocol):
    """One service that has incidents.

    :cvar api: `graph` or `defender`.
    :cvar page_size: the most incidents it sends at a time.
    :cvar can_order: whether it sorts as it is told.
    :cvar counts: whether it tells how many there are in all.
    :cvar alerts_inline: whether alerts come along unasked.
    """

    api: str
    page_size: int
    can_order: bool
    counts: bool
    alerts_inline: bool
    client: ApiClient

    def target(self, query: ServerQuery, *, top: int, skip: int = 0) -> str:
        """Return where a page is found."""

    def fetch(self, target: str, *, top: int, fragile: bool = False) -> IncidentPage:
        """Return the page at `target`; `fragile` hands a fault of the service to the caller instead of repeating the request."""

    def incident(self, incident_id: str, *, expand_alerts: bool, fragile: bool = False) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Return one incident as the service sent it, with warnings; raise `NotFound` where there is none."""


def pages(backend: Backend, query: ServerQuery, *, top: int) -> Iterator[IncidentPage]:
    """Yield the pages of a query, each fetched when it is asked for."""
    target: str | None = backend.target(query, top=top)
    trail = Trail(backend.client.tenant_id)
    while target is not None:
        trail.enter(target)
        page = backend.fetch(target, top=top)
        trail.leave(page.incidents, page.next_target)
        yield page
        target = page.next_target


class Trail:
    """The pages of one list that were read. A service that goes in circles, or sends empty pages without end, would be read for ever."""

    def __init__(self, tenant_id: str) -> None:
        self._tenant_id = tenant_id
        self._seen: set[str] = set()
        self._empty = 0

    def enter(self, target: str) -> None:
        """Raise `TransportError` for a page that was read already."""
        if target in self._seen:
            raise self._endless("The service's next link leads back to a page that was read already.")
        self._seen.add(target)

    def leave(self, entries: Collection[Any], next_target: str | None) -> None:
        """Raise `TransportError` where one empty page after the other leads to a further one."""
        self._empty = 0 if entries else self._empty + 1
        if self._empty >= MOST_EMPTY_PAGES and next_target is not None:
            raise self._endless(f"The service sent {self._empty} empty pages in a row and says that there are more.")

    def _endless(self, message: str) -> TransportError:
        return TransportError(
            message,
            attempted="listing incidents",
            tenant_id=self._tenant_id,
            state="unreachable",
            next_step="Try again; if it persists, report the request id to the service's support.",
        )


def url_with(path: str, options: Mapping[str, Any]) -> str:
    """Return path and query options as OData wants them: `$` as it is, a space as `%20`, nothing else left unquoted."""
    return f"{path}?{urlencode(options, quote_via=quote, safe='$')}" if options else path


def incidents_in(body: Any, response: Response, *, id_names: tuple[str, ...] = INCIDENT_ID) -> tuple[Mapping[str, Any], ...]:
    """Return the objects of an answer's `value`.

    :param id_names: where an object has its id.
    :raises TransportError: where the answer has none, is an error as well, or holds what is no object of this tenant with an id.
    """
    value = object_in(body, response).get("value")
    if not isinstance(value, list):
        raise _odd("The answer is no list of incidents.", response, quoted=response.text)
    return tuple(_checked(entry, response, id_names) for entry in value)


def link_in(body: Mapping[str, Any], response: Response, *, name: str = "@odata.nextLink") -> str | None:
    """Return where a list goes on, None where this is its end; raise `TransportError` for what is neither a link nor nothing."""
    link = body.get(name)
    if link is None or link == "":
        return None
    if not isinstance(link, str):
        raise _odd(f"The answer holds a next link that is no text but {type(link).__name__}.", response)
    return link


def incident_in(body: Any, response: Response, *, id_names: tuple[str, ...] = INCIDENT_ID) -> Mapping[str, Any]:
    """Return the object that an answer is, checked as those of a list are; raise `TransportError` where it is none."""
    return _checked(object_in(body, response), response, id_names)


def object_in(body: Any, response: Response) -> Mapping[str, Any]:
    """Return an answer that is an object; raise `TransportError` where it is none, or reports an error in spite of its status."""
    if not isinstance(body, Mapping):
        raise _odd("The answer is no object.", response, quoted=response.text)
    if body.get("error") is not None:
        raise _odd("The answer reports an error in spite of its status.", response, quoted=response.text)
    found: Mapping[str, Any] = body
    return found


def _checked(entry: Any, response: Response, id_names: tuple[str, ...]) -> Mapping[str, Any]:
    """Return an entry that can be told from others and belongs to the tenant that was asked: nothing is dropped or mixed up in silence."""
    if not isinstance(entry, Mapping):
        raise _odd("The answer holds an entry that is no object.", response)
    if identifier(first_of(entry, *id_names)) is None:
        raise _odd("The answer holds an entry without an id.", response)
    tenant_id = entry.get("tenantId")
    if tenant_id and response.tenant_id and str(tenant_id).lower() != response.tenant_id.lower():
        raise _odd("The answer holds an entry of another tenant.", response)
    return entry


def _odd(message: str, response: Response, *, quoted: str | None = None) -> TransportError:
    return TransportError(
        message,
        attempted=response.attempted,
        tenant_id=response.tenant_id,
        state="unreachable",
        http_status=response.status,
        request_id=response.request_id,
        service_message=quoted,
        next_step="Check that the URL is the service's own.",
    )


def warnings_in(response: Response) -> tuple[str, ...]:
    """Return why the service says that its answer is not everything: HTTP 206, and the `Warning` header (RFC 7234, 5.5)."""
    found = [f"the service answered HTTP 206, partial content (request id {response.request_id or 'unknown'})"] * (response.status == 206)
    header = response.headers.get("warning")
    if header:
        found.append(f"the service warned: {' '.join(header.split())[:300]}")
    return tuple(found)


def get(client: ApiClient, target: str, *, attempted: str, headers: Mapping[str, str] | None = None, fragile: bool = False) -> Response:
    """Send a GET; `fragile` returns an overload of the service as its error at once."""
    at_once: Collection[int] = OVERLOAD_STATUS if fragile else ()
    return client.call("GET", target, attempted=attempted, headers=headers, returned_at_once=at_once)
