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

# Answers to a request that was too much for the service: asking for less may help, asking again the same seldom does.
OVERLOAD_STATUS = frozenset({500, 502, 504})


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
    seen: set[str] = set()
    while target is not None:
        refuse_repetition(target, seen, backend.client.tenant_id)
        page = backend.fetch(target, top=top)
        yield page
        target = page.next_target


def refuse_repetition(target: str, seen: set[str], tenant_id: str) -> None:
    """Raise `TransportError` for a page that was read already: a service that goes in circles would be read for ever."""
    if target in seen:
        raise TransportError(
            "The service's next link leads back to a page that was read already.",
            attempted="listing incidents",
            tenant_id=tenant_id,
            state="unreachable",
            next_step="Try again; if it persists, report the request id to the service's support.",
        )
    seen.add(target)


def url_with(path: str, options: Mapping[str, Any]) -> str:
    """Return path and query options as OData wants them: `$` as it is, a space as `%20`, nothing else left unquoted."""
    return f"{path}?{urlencode(options, quote_via=quote, safe='$')}" if options else path


def incidents_in(body: Any, response: Response) -> tuple[Mapping[str, Any], ...]:
    """Return the objects of an answer's `value`; raise `TransportError` where it has none."""
    value = body.get("value") if isinstance(body, Mapping) else None
    if not isinstance(value, list):
        raise TransportError(
            "The answer is no list of incidents.",
            attempted=response.attempted,
            tenant_id=response.tenant_id,
            state="unreachable",
            http_status=response.status,
            request_id=response.request_id,
            service_message=response.text,
            next_step="Check that the URL is the service's own.",
        )
    return tuple(entry for entry in value if isinstance(entry, Mapping))


def incident_in(body: Any, response: Response) -> Mapping[str, Any]:
    """Return the object of an answer; raise `TransportError` where it is none."""
    if not isinstance(body, Mapping):
        incidents_in(body, response)
    found: Mapping[str, Any] = body
    return found


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
