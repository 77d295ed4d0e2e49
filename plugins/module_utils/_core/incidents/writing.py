# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Writing incidents and alerts: the requests of each service.

Graph takes the members of an object in a PATCH and a comment in a POST of its own: two requests, which are not one transaction.
The Defender API takes both in one PATCH. It has no alerts of their own to write. Neither service has entity tags.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from ..api import ApiClient
from ..transport import Response
from .changes import Change
from .pages import get, incident_in, object_in
from .schema import Place, normalise_alert, normalise_incident
from .vocabulary import defender_spelling

_GRAPH_HEADERS = {"Prefer": "include-unknown-enum-members"}
_COMMENT_TYPE = "microsoft.graph.security.alertComment"
_GRAPH_NAMES: Mapping[str, str] = {
    "status": "status",
    "assigned_to": "assignedTo",
    "classification": "classification",
    "determination": "determination",
    "custom_tags": "customTags",
}
_DEFENDER_NAMES: Mapping[str, str] = {**_GRAPH_NAMES, "custom_tags": "tags"}


class Writer(Protocol):
    """Objects of one kind in one tenant, with one service.

    :cvar noun: what they are called in messages.
    """

    noun: str
    client: ApiClient

    def read(self, object_id: str) -> dict[str, Any]:
        """Return an object in the one schema, as the service has it now; raise `NotFound` where there is none."""

    def parts(self, change: Change) -> tuple[Change, ...]:
        """Return a change in parts, each of which takes one request, in the order in which they are written."""

    def write(self, object_id: str, part: Change) -> dict[str, Any]:
        """Write one part and return the members of the object that the answer shows; none where it shows nothing."""


class GraphWriter:
    """Incidents or alerts through the Graph security API. See `Writer`."""

    def __init__(self, client: ApiClient, *, place: Place, noun: str, collection: str, normalise: Callable[..., dict[str, Any]]) -> None:
        self.client = client
        self.noun = noun
        self._place = place
        self._collection = collection
        self._normalise = normalise

    def read(self, object_id: str) -> dict[str, Any]:
        """Return an object as the service has it now."""
        response = get(self.client, self._path(object_id), attempted=f"reading {self.noun} {object_id}", headers=_GRAPH_HEADERS)
        return self._normalise(incident_in(response.json(), response), place=self._place)

    def parts(self, change: Change) -> tuple[Change, ...]:
        """Return the members, then the comment: what fails leaves no comment about something that was not done."""
        members, comment = Change(members=change.members), Change(comment=change.comment)
        return tuple(part for part in (members, comment) if part)

    def write(self, object_id: str, part: Change) -> dict[str, Any]:
        """Write members, which may be repeated since they are set, or a comment, which would be added twice."""
        if part.comment is not None:
            return self._comment(object_id, part.comment)
        response = self.client.call(
            "PATCH",
            self._path(object_id),
            attempted=f"updating {self.noun} {object_id}",
            body={_GRAPH_NAMES[name]: value for name, value in part.members.items()},
            headers=_GRAPH_HEADERS,
            repeatable=True,
        )
        return _shown(response, lambda body: self._normalise(body, place=self._place))

    def _comment(self, object_id: str, text: str) -> dict[str, Any]:
        response = self.client.call(
            "POST",
            f"{self._path(object_id)}/comments",
            attempted=f"commenting {self.noun} {object_id}",
            body={"@odata.type": _COMMENT_TYPE, "comment": text},
            headers=_GRAPH_HEADERS,
            repeatable=False,
        )
        # The answer is the list of all comments.
        return _shown(response, lambda body: {"comments": self._normalise({"comments": body.get("value")}, place=self._place)["comments"]})

    def _path(self, object_id: str) -> str:
        return f"v1.0/security/{self._collection}/{quote(object_id, safe='')}"


class DefenderIncidentWriter:
    """Incidents through the Defender XDR API. See `Writer`."""

    noun = "incident"

    def __init__(self, client: ApiClient, *, place: Place) -> None:
        self.client = client
        self._place = place

    def read(self, object_id: str) -> dict[str, Any]:
        """Return an incident as the service has it now."""
        response = get(self.client, self._path(object_id), attempted=f"reading incident {object_id}")
        return normalise_incident(incident_in(response.json(), response), place=self._place)

    def parts(self, change: Change) -> tuple[Change, ...]:
        """Return the whole change: one request takes it."""
        return (change,)

    def write(self, object_id: str, part: Change) -> dict[str, Any]:
        """Write a change. With a comment the request is not repeated: that would add it twice."""
        body = {_DEFENDER_NAMES[name]: _defender_value(name, value) for name, value in part.members.items()}
        if part.comment is not None:
            body["comment"] = part.comment
        response = self.client.call(
            "PATCH", self._path(object_id), attempted=f"updating incident {object_id}", body=body, repeatable=part.comment is None
        )
        return _shown(response, lambda answer: normalise_incident(answer, place=self._place))

    def _path(self, object_id: str) -> str:
        return f"api/incidents/{quote(object_id, safe='')}"


def incident_writer(client: ApiClient, *, api: str, place: Place) -> Writer:
    """Return the writer of incidents with the service `graph` or `defender`."""
    if api == "defender":
        return DefenderIncidentWriter(client, place=place)
    return GraphWriter(client, place=place, noun="incident", collection="incidents", normalise=normalise_incident)


def alert_writer(client: ApiClient, *, place: Place) -> Writer:
    """Return the writer of alerts, which Graph alone has."""
    return GraphWriter(client, place=place, noun="alert", collection="alerts_v2", normalise=normalise_alert)


def _shown(response: Response, read: Callable[[Mapping[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """Return what an answer shows; nothing where it has no body (204), which is a success all the same."""
    return read(object_in(response.json(), response)) if response.content else {}


def _defender_value(name: str, value: Any) -> Any:
    """Return a value as the Defender API writes it; no owner is the empty text there."""
    if name == "custom_tags":
        return value
    if name == "assigned_to":
        return value or ""
    return defender_spelling({"status": "incident_status"}.get(name, name), value)
