# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The KQL interpreter against tables small enough to see the answer."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from emulator.security import kql
from emulator.security.times import DAY, HOUR, parse_iso, ticks_of

NOW = ticks_of(datetime(2026, 11, 1, 12, tzinfo=timezone.utc))
COLUMNS = {"Time": "datetime", "Name": "string", "Size": "long", "Flag": "bool", "Tags": "dynamic", "Score": "real", "Owner": "guid"}
ROWS: list[dict[str, Any]] = [
    {"Time": NOW - HOUR, "Name": "Invoice.exe", "Size": 10, "Flag": True, "Tags": ["a", "b"], "Score": 0.5, "Owner": "g1"},
    {"Time": NOW - 2 * DAY, "Name": "report final.PDF", "Size": 20, "Flag": False, "Tags": [], "Score": 1.5, "Owner": "g2"},
    {"Time": NOW - 9 * DAY, "Name": 'it\'s "odd"\\path', "Size": 30, "Flag": True, "Tags": {"k": {"n": 7}}, "Score": None, "Owner": "g1"},
    {"Time": None, "Name": "", "Size": 20, "Flag": None, "Tags": None, "Score": 2.0, "Owner": None},
]


def _tables(name: str) -> kql.Table | None:
    return kql.Table(COLUMNS, [dict(row) for row in ROWS]) if name == "T" else None


def _run(query: str) -> tuple[dict[str, str], list[list[Any]]]:
    table = kql.run(query, _tables, now=NOW)
    return dict(table.columns), [list(row.values()) for row in table.rows]


def _sizes(condition: str) -> list[int]:
    return [row[0] for row in _run(f"T | where {condition}\n| project Size, Name")[1]]


@pytest.mark.parametrize(
    ("condition", "sizes"),
    [
        ("Size == 20", [20, 20]),
        ("Size != 20", [10, 30]),
        ("Size < 20", [10]),
        ("Size <= 20 and Size > 10", [20, 20]),
        ("Size >= 30 or Size == 10", [10, 30]),
        ("not(Size == 20)", [10, 30]),
        ("not (Size == 20) and Flag", [10, 30]),
        ("Name == 'invoice.exe'", []),
        ("Name =~ 'invoice.exe'", [10]),
        ("Name !~ 'invoice.exe'", [20, 30, 20]),
        ("Name contains 'VOICE'", [10]),
        ("Name contains_cs 'VOICE'", []),
        ("Name !contains 'o'", [20]),
        ("Name startswith 'REPORT'", [20]),
        ("Name endswith '.pdf'", [20]),
        ("Name has 'final'", [20]),
        ("Name has 'fin'", []),
        ("Name has 'exe'", [10]),
        ("Name !has 'exe'", [20, 30, 20]),
        ("Name hasprefix 'fin'", [20]),
        ("Name has_any ('exe', 'pdf')", [10, 20]),
        ("Name has_all ('report', 'pdf')", [20]),
        ("Name matches regex @'^[A-Z].*\\.exe$'", [10]),
        ("Size in (10, 30)", [10, 30]),
        ("Size !in (10, 30)", [20, 20]),
        ("Name in~ ('INVOICE.EXE', 'x')", [10]),
        ("Size between (15 .. 25)", [20, 20]),
        ("Size between (15..25)", [20, 20]),
        ("Size !between (15 .. 25)", [10, 30]),
        ("Time > ago(1d)", [10]),
        ("Time >= ago(48h)", [10, 20]),
        ("Time between (ago(3d) .. now())", [10, 20]),
        ("Time between (datetime(2026-10-23) .. 1d)", [30]),
        ("Time < datetime(2026-10-31T00:00:00Z)", [20, 30]),
        ("Time == datetime(2026-11-01 11:00:00)", [10]),
        ("isnull(Time)", [20]),
        ("isempty(Name)", [20]),
        ("Flag", [10, 30]),
        ("Flag == false", [20]),
        ("Name == 'it\\'s \"odd\"\\\\path'", [30]),
        ('Name == "it\'s \\"odd\\"\\\\path"', [30]),
        ("Name == @'it''s \"odd\"\\path'", [30]),
        ("Name == 'it\\u0027s \"odd\"\\x5cpath'", [30]),
        ("Name == ```it's \"odd\"\\path```", [30]),
        ("Name == h'Invoice.exe'", [10]),
        ("Tags.k.n == 7", [30]),
        ("Tags['k']['n'] == 7", [30]),
        ("Tags[0] == 'a'", [10]),
        ("Tags has 'b'", [10]),
        ("Score * 2 + 1 == 2", [10]),
        ("Size % 20 == 10", [10, 30]),
        ("-Size < -25", [30]),
        ("Size == 0x14", [20, 20]),
        ("tolower(Name) == 'invoice.exe' // a remark", [10]),
        ("strlen(Name) == 11", [10]),
        ("array_length(Tags) == 2", [10]),
        ("now() - Time > 7d", [30]),
    ],
)  # fmt: skip
def test_conditions_choose_the_rows_kusto_would(condition: str, sizes: list[int]) -> None:
    assert _sizes(condition) == sizes


@pytest.mark.parametrize(
    ("query", "columns", "rows"),
    [
        ("T | count", {"Count": "long"}, [[4]]),
        ("T | take 2 | project Size", {"Size": "long"}, [[10], [20]]),
        ("T | limit 1 | project-keep S*", {"Size": "long", "Score": "real"}, [[10, 0.5]]),
        ("T | top 2 by Size | project Size", {"Size": "long"}, [[30], [20]]),
        ("T | top 1 by Size asc | project Size", {"Size": "long"}, [[10]]),
        ("T | order by Size asc, Name desc | project Size, Name",
         {"Size": "long", "Name": "string"}, [[10, "Invoice.exe"], [20, "report final.PDF"], [20, ""], [30, "it's \"odd\"\\path"]]),
        ("T | sort by Score | project Score", {"Score": "real"}, [[2.0], [1.5], [0.5], [None]]),
        ("T | order by Score asc | project Score", {"Score": "real"}, [[None], [0.5], [1.5], [2.0]]),
        ("T | order by Score asc nulls last | project Score", {"Score": "real"}, [[0.5], [1.5], [2.0], [None]]),
        ("T | distinct Size", {"Size": "long"}, [[10], [20], [30]]),
        ("T | summarize count() by Size", {"Size": "long", "count_": "long"}, [[10, 1], [20, 2], [30, 1]]),
        ("T | summarize n = count(), Total = sum(Size) by Flag",
         {"Flag": "bool", "n": "long", "Total": "long"}, [[True, 2, 40], [False, 1, 20], [None, 1, 20]]),
        ("T | summarize count()", {"count_": "long"}, [[4]]),
        ("T | where false | summarize count()", {"count_": "long"}, [[0]]),
        ("T | where false | summarize count() by Size", {"Size": "long", "count_": "long"}, []),
        ("T | summarize dcount(Size), min(Size), max(Time), avg(Size)",
         {"dcount_Size": "long", "min_Size": "long", "max_Time": "datetime", "avg_Size": "real"}, [[3, 10, NOW - HOUR, 20.0]]),
        ("T | summarize make_set(Owner), make_list(Size, 2)",
         {"set_Owner": "dynamic", "list_Size": "dynamic"}, [[["g1", "g2"], [10, 20]]]),
        ("T | summarize countif(Flag), Share = countif(Flag) * 100 / count()",
         {"countif_": "long", "Share": "long"}, [[2, 50]]),
        ("T | summarize arg_max(Time, Name, Size) by Owner | where isnotempty(Owner) | project Owner, Name",
         {"Owner": "guid", "Name": "string"}, [["g1", "Invoice.exe"], ["g2", "report final.PDF"]]),
        ("T | summarize arg_min(Size, *) by Flag | project Size", {"Size": "long"}, [[10], [20], [20]]),
        ("T | summarize count() by Day = bin(Time, 1d) | top 1 by Day",
         {"Day": "datetime", "count_": "long"}, [[parse_iso("2026-11-01T00:00:00Z"), 1]]),
        ("T | take 1 | extend Twice = Size * 2, Kind = iff(Flag, 'yes', 'no') | project Twice, Kind",
         {"Twice": "long", "Kind": "string"}, [[20, "yes"]]),
        ("T | take 1 | project-rename Bytes = Size | project-away Time, Name, Flag, Tags, Score, Owner", {"Bytes": "long"}, [[10]]),
        ("T | take 1 | mv-expand Tags | project Tag = tostring(Tags)", {"Tag": "string"}, [["a"], ["b"]]),
        ("T | project Size, Label = case(Size > 25, 'big', Size > 15, 'mid', 'small') | distinct Label",
         {"Label": "string"}, [["small"], ["mid"], ["big"]]),
        ("print x = 1 + 2, y = strcat('a', 1, true)", {"x": "long", "y": "string"}, [[3, "a1true"]]),
        ("print 'only'", {"print_0": "string"}, [["only"]]),
        ("print d = datetime(2026-11-01) - datetime(2026-10-31)", {"d": "timespan"}, [[DAY]]),
        ("print j = parse_json('{\"a\":[1,2]}').a[1]", {"j": "dynamic"}, [[2]]),
        ("print s = split('a,b', ','), r = replace_string('aXb', 'X', '-'), e = extract('(\\\\d+)', 1, 'n42')",
         {"s": "dynamic", "r": "string", "e": "string"}, [[["a", "b"], "a-b", "42"]]),
        ("print f = format_datetime(datetime(2026-11-01T08:09:10Z), 'yyyy-MM-dd HH:mm')", {"f": "string"}, [["2026-11-01 08:09"]]),
        ("let name = 'Invoice.exe'; let low = 5; T | where Name == name and Size > low | project Size", {"Size": "long"}, [[10]]),
        ("let names = dynamic(['Invoice.exe', \"x\"]);\nT | where Name in (names) | project Size", {"Size": "long"}, [[10]]),
        ("let start = ago(3d); let big = T | where Size > 15; big | where Time > start | project Size;", {"Size": "long"}, [[20]]),
        ("(T | where Size > 15) | count", {"Count": "long"}, [[3]]),
    ],
)  # fmt: skip
def test_operators_give_what_kusto_would(query: str, columns: dict[str, str], rows: list[list[Any]]) -> None:
    assert _run(query) == (columns, rows)


@pytest.mark.parametrize(
    "query",
    [
        "", "T |", "T | where", "T | where Size ==", "T | where (Size == 1", "T | project Size,", "T | nonsense Size",
        "T | where Size === 3",
        "T | where Name == 'open", 'T | where Name == "bad \\q escape"', "T | top by Size", "T | take", "| where x", "T || count",
        "T | where Size == 5 6", "let x = 5 T | take x", "T | where Time > datetime(someday)", "T | summarize count() by",
        "T | where Time > ago(1fortnight)", "T | join T on Size", "T | where Name == 'it's'", "T ; drop", "T | where Size in ()", "§",
    ],
)  # fmt: skip
def test_what_is_no_query_is_a_recognition_error(query: str) -> None:
    with pytest.raises(kql.SyntaxFault, match="A recognition error occurred") as caught:
        _run(query)
    assert "Line: " in str(caught.value)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("Nowhere | take 1", "Failed to resolve table or column expression named 'Nowhere'"),
        ("T | where Colour == 'x'", "'where' operator: Failed to resolve column or scalar expression named 'Colour'"),
        ("T | project Colour", "'project' operator: Failed to resolve column or scalar expression named 'Colour'"),
        ("T | project Size | where Name == ''", "'where' operator: Failed to resolve column or scalar expression named 'Name'"),
        ("T | extend x = nofunction(Size)", "Unknown function: 'nofunction'"),
        ("T | where Size == 'x'", "Cannot compare values of types long and string"),
        ("T | where Time > 5", "Cannot compare values of types datetime and long"),
        ("T | where Size", "expected a condition of type bool"),
        ("T | where Size has 'x'", "needs operands of type string"),
        ("T | extend x = Name + 1", "operator '+' is not defined for string and long"),
        ("T | where Name.x == 1", "path expression source must be of type dynamic"),
        ("T | summarize Size", "expected an aggregation"),
        ("T | summarize sum(Colour)", "named 'Colour'"),
        ("T | project-away Colour", "Failed to resolve column named 'Colour'"),
        ("T | take Size", "expected a constant"),
        ("T | where count() > 1", "Unknown function: 'count'"),
        ("T | mv-expand Name", "expected a column of type dynamic"),
        ("T | project Size, Size", "more than once"),
        ("T | where strlen() == 1", "function expects 1 argument"),
    ],
)
def test_what_does_not_fit_is_a_semantic_error_even_without_rows(query: str, text: str) -> None:
    empty = kql.Table(COLUMNS, [])
    with pytest.raises(kql.SemanticError) as caught:
        list(kql.run(query, lambda name: empty if name == "T" else None, now=NOW).rows)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (NOW, "datetime", "2026-11-01T12:00:00Z"),
        (NOW + 5, "datetime", "2026-11-01T12:00:00.0000005Z"),
        (DAY + HOUR, "timespan", "1.01:00:00"),
        (-5, "timespan", "-00:00:00.0000005"),
        (None, "datetime", None),
        ([1, "a"], "dynamic", [1, "a"]),
    ],
)
def test_values_are_written_as_the_services_do(value: Any, kind: str, shown: Any) -> None:
    assert kql.to_json(value, kind) == shown
