# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests and answers of both services, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import PermissionDenied, TransportError
from ansible_collections.m365d.partner.plugins.module_utils._core.hunting.backends import Column
from ansible_collections.m365d.partner.plugins.module_utils._core.hunting.faults import HuntingFault
from unit.hunting.support import URLS, read, scripted
from unit.support.scripted_http import Answer

EMPTY = {"graph": {"schema": [], "results": []}, "defender": {"Stats": {}, "Schema": [], "Results": []}}
TYPES = ["DateTime", "String", "Int32", "Int64", "SByte", "Double", "Guid", "Object", "TimeSpan"]
VALUES = ["2026-10-31T12:00:00.5Z", "x", 1, "9007199254740993", 1, 2, "g", '{"a": [1]}', "00:00:01"]
EXPECTED = ["2026-10-31T12:00:00.5000000Z", "x", 1, 9007199254740993, True, 2.0, "g", {"a": [1]}, "00:00:01"]


def _body(api: str, columns: list[tuple[str, str]], rows: list[dict[str, Any]]) -> dict[str, Any]:
    if api == "graph":
        return {"@odata.context": "x", "schema": [{"name": name, "type": kind} for name, kind in columns], "results": rows}
    return {"Stats": {"ExecutionTime": 0.25}, "Schema": [{"Name": name, "Type": kind} for name, kind in columns], "Results": rows}


@pytest.mark.parametrize(
    ("api", "options", "body"),
    [
        ("graph", {"query": "AlertInfo"}, {"Query": "AlertInfo"}),
        ("graph", {"query": "AlertInfo", "timespan": "7d"}, {"Query": "AlertInfo", "Timespan": "P7D"}),
        ("defender", {"query": "AlertInfo"}, {"Query": "AlertInfo"}),
        (
            "defender",
            {"query": "AlertInfo | count", "timespan": "P1D"},
            {"Query": "AlertInfo | where Timestamp >= datetime(2026-10-31T12:00:00.0000000Z)  | count"},
        ),
        (
            "graph",
            {"query": "AlertInfo | where Title == p", "parameters": {"p": 'a"; b'}, "row_limit": 5},
            {"Query": 'let p = "a\\"; b";\nAlertInfo | where Title == p\n| take 6'},
        ),
        (
            "defender",
            {"query": "union A, B | where Timestamp between (window_start .. window_end)", "timespan": "P1D"},
            {
                "Query": "let window_start = datetime(2026-10-31T12:00:00.0000000Z); "
                "let window_end = datetime(2026-11-01T12:00:00.0000000Z);\n"
                "union A, B | where Timestamp between (window_start .. window_end)"
            },
        ),
    ],
)
def test_one_request_runs_one_query(api: str, options: dict[str, Any], body: dict[str, Any]) -> None:
    source, session, _waits = scripted(api, Answer(200, EMPTY[api]))
    read(source, **options)
    assert session.lines() == [f"POST {URLS[api]}"]
    assert session.requests[0].json == body


@pytest.mark.parametrize("api", ["graph", "defender"])
def test_types_and_values_have_one_form_whichever_service_answered(api: str) -> None:
    columns = [(f"c{number}", kind) for number, kind in enumerate(TYPES)]
    row = {name: value for (name, _kind), value in zip(columns, VALUES, strict=True)}
    annotated = {**row, "c0@odata.type": "#DateTimeOffset", "c3@odata.type": "#Int64"}
    source, _session, _waits = scripted(api, Answer(200, _body(api, columns, [annotated, {}])))
    rows, report = read(source, query="T")
    types = ["datetime", "string", "int", "long", "bool", "real", "guid", "dynamic", "timespan"]
    assert report.columns == tuple(Column(f"c{number}", kind) for number, kind in enumerate(types))
    assert rows == [dict(zip([name for name, _kind in columns], EXPECTED, strict=True)), dict.fromkeys(row)]
    assert isinstance(rows[0]["c4"], bool)
    assert report.seconds == (0.25 if api == "defender" else None)


def test_a_type_that_nobody_knows_and_text_that_is_no_json_pass_through() -> None:
    body = _body(
        "graph", [("a", "Hologram"), ("b", "Object"), ("c", "Object"), ("d", "SByte")], [{"a": 1, "b": "{x", "c": "text", "d": "?"}]
    )
    rows, report = read(scripted("graph", Answer(200, body))[0], query="T")
    assert [column.type for column in report.columns] == ["hologram", "dynamic", "dynamic", "bool"]
    assert rows == [{"a": 1, "b": "{x", "c": "text", "d": "?"}]


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (206, {"request-id": "r-1"}, "HTTP 206, partial content (request id r-1)"),
        (200, {"Warning": '199 - "Microsoft/Defender/504/10000"'}, "the service warned: 199"),
    ],
)
@pytest.mark.parametrize("api", ["graph", "defender"])
def test_an_answer_that_says_it_is_partial_makes_the_result_partial(api: str, status: int, headers: dict[str, str], reason: str) -> None:
    names = ("schema", "name", "type", "results") if api == "graph" else ("Schema", "Name", "Type", "Results")
    body = {names[0]: [{names[1]: "a", names[2]: "String"}], names[3]: [{"a": "x"}]}
    rows, report = read(scripted(api, Answer(status, body, headers))[0], query="T")
    assert (rows, report.complete) == ([{"a": "x"}], False)
    assert reason in (report.reason or "")


def test_json_that_came_as_text_holds_nothing_that_no_file_and_no_terminal_can_hold() -> None:
    body = {"schema": [{"name": "a", "type": "Object"}], "results": [{"a": r'{"k\u001b": "\ud800 \u0000 \u001b[2J \u00e9"}'}]}
    rows, _report = read(scripted("graph", Answer(200, body))[0], query="T")
    odd = "\N{REPLACEMENT CHARACTER}"
    assert rows == [{"a": {f"k{odd}": f"{odd} {odd} {odd}[2J é"}}]


def test_rows_without_a_schema_keep_their_columns() -> None:
    rows, _report = read(scripted("graph", Answer(200, {"schema": [], "results": [{"a": 1, "a@odata.type": "#Int64"}]}))[0], query="T")
    assert rows == [{"a": 1}]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"schema": []},
        {"schema": {}, "results": []},
        {"schema": [], "results": ["x"]},
        {"schema": [], "results": [], "error": {"code": "x"}},
        b"<html>",
    ],
)
def test_what_is_no_result_of_a_query_is_not_taken_for_an_empty_one(body: Any) -> None:
    with pytest.raises(TransportError):
        read(scripted("graph", Answer(200, body))[0], query="T")


CPU = "You have exceeded processing resources allocated to this tenant. You can run queries again in"


@pytest.mark.parametrize(
    ("status", "text", "kind", "says"),
    [
        (400, "A recognition error occurred. Token: 'x', Line: 3, Position: 4. Fix syntax errors in your query.", "syntax", "Line: 2"),
        (400, "'where' operator: Failed to resolve column or scalar expression named 'x'.", "semantic", "not licensed"),
        (400, "Failed to resolve table or column expression named 'DeviceEvents'", "semantic", "names something"),
        (400, "Query exceeded the timeout period.", "timeout", "3 minutes"),
        (504, "", "timeout", "3 minutes"),
        (400, 'Result size limit exceeded. Use "summarize" to aggregate results', "result_size", "with project"),
        (400, "Query execution has exceeded the allowed limits. The query execution was preempted.", "resources", "more memory"),
        (400, "Something that nobody knows", "request", "Correct what the service names"),
        (500, "An unexpected error occurred during query execution. Please try again in a few minutes.", "unknown", "internal fault"),
    ],
)
def test_each_way_to_fail_is_told_apart_with_a_next_step(status: int, text: str, kind: str, says: str) -> None:
    answers = [Answer(status, {"error": {"code": "x", "message": text}})] * 40
    source, _session, _waits = scripted("graph", *answers, deadline=100.0)
    with pytest.raises(HuntingFault) as raised:
        read(source, query="T | where a == p | count", parameters={"p": 1})
    assert raised.value.kind == kind
    assert says in str(raised.value)
    assert raised.value.as_dict()["kind"] == kind


@pytest.mark.parametrize(
    ("text", "headers", "seconds"),
    [
        (f"{CPU} 00:00:30.", {}, 30.0),
        (f"{CPU} 2 minutes.", {}, 120.0),
        (f"{CPU} 00:14:00.", {"Retry-After": "20"}, 20.0),
        ("API calls quota exceeded! maximum allowed 45 per 00:01:00", {}, 60.0),
        ("Too many requests.", {"Retry-After": "7"}, 7.0),
    ],
)
def test_a_quota_is_waited_for_as_long_as_the_service_says(text: str, headers: dict[str, str], seconds: float) -> None:
    refused = Answer(429, {"error": {"code": "429", "message": text}}, headers)
    source, session, waits = scripted("defender", refused, Answer(200, EMPTY["defender"]))
    read(source, query="T")
    assert waits == [seconds]
    assert len(session.requests) == 2


@pytest.mark.parametrize(("text", "kind"), [(f"{CPU} 00:14:00.", "cpu_quota"), ("quota exceeded! maximum allowed 45 per 00:14:00", "rate")])
def test_a_wait_beyond_the_deadline_is_an_error_that_says_when(text: str, kind: str) -> None:
    source, session, waits = scripted("graph", Answer(429, {"error": {"code": "TooManyRequests", "message": text}}))
    with pytest.raises(HuntingFault, match="in 840 s") as raised:
        read(source, query="T")
    assert (raised.value.kind, raised.value.retry_after, raised.value.retryable, waits) == (kind, 840.0, True, [])
    assert len(session.requests) == 1


def test_a_missing_permission_is_no_fault_of_the_query() -> None:
    text = "Missing application roles. API required roles: ThreatHunting.Read.All, application roles: SecurityIncident.Read.All."
    source, _session, _waits = scripted("graph", Answer(403, {"error": {"code": "Forbidden", "message": text}}))
    with pytest.raises(PermissionDenied, match=r"Declare ThreatHunting\.Read\.All"):
        read(source, query="T")
