# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The two services that run hunting queries, and their answers in one form.

Microsoft Graph answers with small keys and may annotate values (`Timestamp@odata.type`), the Defender XDR API answers
with capital keys and statistics. Columns have .NET names of types there, the language's own names here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..api import ApiClient
from ..errors import ServiceError, TransportError
from ..incidents.pages import warnings_in
from ..incidents.times import canonical_time
from ..transport import Response, parsed_json
from .faults import HuntingFault, kind_of

SERVICE_ROW_LIMIT = 100_000
_ATTEMPTED = "running a hunting query"
# The service stops a query after 3 minutes and says so; an answer may take that long to begin.
_PATIENCE_SECONDS = 210.0

_TYPES: Mapping[str, str] = {
    "datetime": "datetime",
    "date": "datetime",
    "datetimeoffset": "datetime",
    "string": "string",
    "int32": "int",
    "int16": "int",
    "int": "int",
    "int64": "long",
    "long": "long",
    "sbyte": "bool",
    "bool": "bool",
    "boolean": "bool",
    "double": "real",
    "single": "real",
    "real": "real",
    "sqldecimal": "decimal",
    "decimal": "decimal",
    "guid": "guid",
    "timespan": "timespan",
    "time": "timespan",
    "duration": "timespan",
    "object": "dynamic",
    "dynamic": "dynamic",
}


@dataclass(frozen=True)
class Column:
    """A column of an answer; `type` is the language's name of its type."""

    name: str
    type: str


@dataclass(frozen=True)
class Answer:
    """Columns, and rows that hold each of them.

    :param seconds: how long the engine worked, None where it does not say.
    :param warnings: why the service says that this is not everything (HTTP 206, `Warning` header).
    """

    columns: tuple[Column, ...]
    rows: list[dict[str, Any]]
    seconds: float | None = None
    warnings: tuple[str, ...] = ()


class HuntingBackend(Protocol):
    """Runs queries in one tenant."""

    api: str
    takes_timespan: bool
    client: ApiClient

    def run(self, text: str, *, timespan: str | None = None, line_shift: int = 0) -> Answer:
        """Run a query.

        :param timespan: the window, as an ISO 8601 duration or interval; only where `takes_timespan`.
        :param line_shift: lines before the user's own first one, for messages.
        :raises HuntingFault: when the service did not run it to its end.
        :raises PartnerError: when the service was not reached, or refused the caller.
        """


class GraphHunting:
    """Hunting through Microsoft Graph (`POST /v1.0/security/runHuntingQuery`)."""

    api = "graph"
    takes_timespan = True

    def __init__(self, client: ApiClient) -> None:
        self.client = client

    def run(self, text: str, *, timespan: str | None = None, line_shift: int = 0) -> Answer:
        """Run a query, see `HuntingBackend`."""
        body = {"Query": text, "Timespan": timespan} if timespan else {"Query": text}
        return _run(self.client, "v1.0/security/runHuntingQuery", body, line_shift=line_shift)


class DefenderHunting:
    """Hunting through the Defender XDR API (`POST /api/advancedhunting/run`), which has no time span."""

    api = "defender"
    takes_timespan = False

    def __init__(self, client: ApiClient) -> None:
        self.client = client

    def run(self, text: str, *, timespan: str | None = None, line_shift: int = 0) -> Answer:
        """Run a query, see `HuntingBackend`."""
        return _run(self.client, "api/advancedhunting/run", {"Query": text}, line_shift=line_shift)


def _run(client: ApiClient, path: str, body: Mapping[str, Any], *, line_shift: int) -> Answer:
    try:
        # A query only reads, so that it may be repeated; what timed out would time out again.
        response = client.call(
            "POST",
            path,
            attempted=_ATTEMPTED,
            body=dict(body),
            repeatable=True,
            returned_at_once=(504,),
            patience=_PATIENCE_SECONDS,
        )
    except ServiceError as error:
        kind = kind_of(error)
        if kind is None:
            raise
        raise HuntingFault(kind, retry_after=getattr(error, "retry_after", None), line_shift=line_shift, cause=error) from error
    return answer_in(response)


def answer_in(response: Response) -> Answer:
    """Return the answer of either service.

    :raises TransportError: where it is none.
    """
    body = response.json()
    folded = {str(key).lower(): value for key, value in body.items()} if isinstance(body, Mapping) else {}
    schema, rows = folded.get("schema"), folded.get("results")
    if (
        folded.get("error") is not None
        or not isinstance(schema, list)
        or not isinstance(rows, list)
        or not all(isinstance(row, Mapping) for row in rows)
    ):
        raise _odd(response)
    columns = tuple(column for column in map(_column, schema) if column.name) or _columns_of(rows)
    statistics = folded.get("stats")
    seconds = statistics.get("ExecutionTime") if isinstance(statistics, Mapping) else None
    return Answer(
        columns,
        [_row(row, columns) for row in rows],
        seconds=float(seconds) if isinstance(seconds, (int, float)) else None,
        warnings=warnings_in(response),
    )


def _odd(response: Response) -> TransportError:
    return TransportError(
        "The service's answer is not the result of a query.",
        attempted=response.attempted,
        tenant_id=response.tenant_id,
        state="unreachable",
        http_status=response.status,
        request_id=response.request_id,
        next_step="Check the URL options and that nothing answers in the service's place.",
    )


def _column(entry: Any) -> Column:
    named = {str(key).lower(): value for key, value in entry.items()} if isinstance(entry, Mapping) else {}
    given = re.sub(r"^#|^(?:Edm|System|System\.Data\.SqlTypes)\.", "", str(named.get("type") or "string"))
    return Column(str(named.get("name") or ""), _TYPES.get(given.lower(), given.lower()))


def _columns_of(rows: list[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Return the columns that rows without a schema have; what they hold passes through as it is."""
    names = dict.fromkeys(name for row in rows for name in row if "@" not in name)
    return tuple(Column(name, "dynamic") for name in names)


def _row(row: Mapping[str, Any], columns: tuple[Column, ...]) -> dict[str, Any]:
    """Return a row with all columns in their order and nothing else; annotations are no columns."""
    return {column.name: value_of(row.get(column.name), column.type) for column in columns}


def value_of(value: Any, kind: str) -> Any:
    """Return a value in the form that its type has here, whichever way a service wrote it.

    A boolean is one (the services send 0 and 1 for a signed byte), an instant has seven fractional digits, a dynamic value
    is parsed where it came as JSON text, an integer is one. What does not fit its type passes through.
    """
    if value is None:
        return None
    if kind == "bool" and not isinstance(value, bool):
        return {"0": False, "1": True, "false": False, "true": True}.get(str(value).lower(), value)
    if kind == "datetime":
        return canonical_time(value)
    if kind in ("int", "long") and isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value, re.ASCII):
        return int(value)
    if kind in ("int", "long") and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "real" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return _parsed(value) if kind == "dynamic" and isinstance(value, str) else value


def _parsed(text: str) -> Any:
    if text[:1] not in ("{", "["):
        return text
    try:
        # What the answer holds as text may escape anew what has no place in files and terminals.
        return parsed_json(text)
    except (ValueError, RecursionError):
        return text
