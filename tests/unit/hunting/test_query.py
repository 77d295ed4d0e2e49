# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a query without an engine, and the windows of time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.hunting.query import Query
from ansible_collections.m365d.partner.plugins.module_utils._core.hunting.windows import Window, window_of
from unit.hunting.support import NOW

PART = Window(NOW - timedelta(days=2), NOW - timedelta(days=1), starts_open=False, ends_open=False, is_part=True)
CONDITION = "Timestamp >= datetime(2026-10-30T12:00:00.0000000Z) and Timestamp < datetime(2026-10-31T12:00:00.0000000Z)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("AlertInfo", None),
        ("AlertInfo | where Title has 'x | summarize count()' // | top 5 by Title", None),
        ('AlertInfo | where Title == @"a\\" | project Timestamp', None),
        ("AlertInfo\n| extend a = strcat('}', \"{\")\n| project-away Title | mv-expand b = a", None),
        ("let since = ago(7d); let names = dynamic(['a']); AlertInfo | where Timestamp > since", None),
        ("AlertInfo | where Title in (wanted)", None),
        ("AlertInfo | where Severity == 'High' | order by Timestamp asc;", None),
        ("AlertInfo | sort by Timestamp", None),
        ("AlertInfo | summarize count()", "it uses summarize"),
        ("AlertInfo | top 5 by Timestamp", "it uses top"),
        ("AlertInfo | take 5", "it uses take"),
        ("AlertInfo | distinct Title", "it uses distinct"),
        ("AlertInfo | order by Title", "it uses order"),
        ("AlertInfo | extend Timestamp = now() | order by Timestamp asc", "sorts by a Timestamp of its own"),
        ("AlertInfo | join (AlertEvidence | where true) on AlertId", "a query within the query"),
        ("AlertInfo | join AlertEvidence on AlertId", "it uses join"),
        ("AlertInfo | where AlertId in (Others)", "a list that may be rows"),
        ("let x = AlertEvidence; AlertInfo | where AlertId == '1'", "may bind rows"),
        ("let x = toscalar(AlertEvidence | count); AlertInfo", "may bind rows"),
        ("AlertInfo | extend n = row_number(1)", "it looks at other rows"),
        ("AlertInfo | make-series n = count() on Timestamp step 1d", "it uses make-series"),
    ],
)
def test_only_a_query_that_works_row_by_row_is_divided(text: str, reason: str | None) -> None:
    found = Query(text, ("wanted",)).why_not_row_wise()
    assert (found is None) == (reason is None)
    assert reason is None or reason in str(found)


@pytest.mark.parametrize(
    ("text", "limited"),
    [
        ("AlertInfo", f"AlertInfo | where {CONDITION} "),
        ("// all\n AlertInfo // of them\n| project Title", f"// all\n AlertInfo | where {CONDITION}  // of them\n| project Title"),
        ("let a = ';|'; AlertInfo | take 5", f"let a = ';|'; AlertInfo | where {CONDITION}  | take 5"),
        ("AlertInfo | where Timestamp >= window_start and Timestamp < window_end", None),
    ],
)
def test_a_window_is_put_behind_the_first_table_unless_the_query_takes_it_by_itself(text: str, limited: str | None) -> None:
    assert Query(text).within(PART).text == (limited or text)


@pytest.mark.parametrize(
    "text", ["print 1", "union A, B", "search 'x'", "(AlertInfo) | take 1", "let A = AlertInfo; A | take 1", "wanted | take 1"]
)
def test_a_query_without_a_table_in_front_cannot_be_limited(text: str) -> None:
    assert Query(text, ("wanted",)).why_not_limited() is not None


@pytest.mark.parametrize(
    ("text", "limited"),
    [
        ("AlertInfo", "AlertInfo\n| take 6"),
        ("AlertInfo ; // the end", "AlertInfo\n| take 6 ; // the end"),
        ("AlertInfo // the end", "AlertInfo\n| take 6 // the end"),
        ("AlertInfo | render table", "AlertInfo | render table"),
    ],
)
def test_a_limit_of_rows_stands_at_the_end_of_the_query(text: str, limited: str) -> None:
    assert Query(text).limited_to(6).text == limited


@pytest.mark.parametrize(
    ("text", "names", "reason"),
    [
        ("", (), "is empty"),
        (" // nothing\n;", (), "is empty"),
        ("AlertInfo | where Title == 'wanted' // wanted", ("wanted",), "does not use the parameter wanted"),
        ("let wanted = 1; AlertInfo | where x == wanted", ("wanted",), "binds the name wanted"),
        ("let window_end = 1; AlertInfo | where x == window_end", (), "binds the name window_end"),
        ("AlertInfo | where Timestamp >= window_start", (), "uses both"),
        ("AlertInfo | where Timestamp between (window_start .. window_end)", ("window_start",), "name of a bound"),
    ],
)
def test_what_is_wrong_with_a_query_is_found_before_it_is_sent(text: str, names: tuple[str, ...], reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        Query(text, names).check()


@pytest.mark.parametrize(
    ("timespan", "start", "told"),
    [
        ("P7D", timedelta(days=7), "P7D"),
        ("7d", timedelta(days=7), "P7D"),
        ("24h", timedelta(days=1), "P1D"),
        ("P1W", timedelta(days=7), "P7D"),
        ("PT90M", timedelta(minutes=90), "PT5400S"),
        ("PT0.5S", timedelta(seconds=0.5), "PT0.500000S"),
    ],
)
def test_a_duration_ends_now(timespan: str, start: timedelta, told: str) -> None:
    window, text = window_of(timespan, now=NOW)
    assert (window.start, window.end, window.ends_open, text) == (NOW - start, NOW, True, told)


@pytest.mark.parametrize(
    "timespan", ["2026-10-20T00:00:00Z/2026-10-21T00:00:00Z", "2026-10-20/P1D", "P1D/2026-10-21", "2026-10-20T02:00:00+02:00/PT24H"]
)
def test_an_interval_has_both_ends(timespan: str) -> None:
    window, text = window_of(timespan, now=NOW)
    assert text == "2026-10-20T00:00:00.0000000Z/2026-10-21T00:00:00.0000000Z"
    assert window.condition("T") == "T >= datetime(2026-10-20T00:00:00.0000000Z) and T <= datetime(2026-10-21T00:00:00.0000000Z)"


@pytest.mark.parametrize(
    "timespan",
    ["", "P", "PT", "a week", "P1M", "P1Y", "-P1D", "P0D", "P1D/P2D", "2026-10-21/2026-10-20", "2026-10-20/", "/P1D", "P9999D", "x/y"],
)
def test_what_is_no_window_is_refused(timespan: str) -> None:
    with pytest.raises(OptionError):
        window_of(timespan, now=NOW)


def test_the_halves_of_a_window_hold_each_instant_once() -> None:
    whole, _text = window_of("2026-10-20/P1D", now=NOW)
    first, second = whole.halves()
    assert first.condition("T") == "T >= datetime(2026-10-20T00:00:00.0000000Z) and T < datetime(2026-10-20T12:00:00.0000000Z)"
    assert second.condition("T") == "T >= datetime(2026-10-20T12:00:00.0000000Z) and T <= datetime(2026-10-21T00:00:00.0000000Z)"
    last = first.halves()[1]
    assert last.condition("T") == "T >= datetime(2026-10-20T06:00:00.0000000Z) and T < datetime(2026-10-20T12:00:00.0000000Z)"


def test_the_ends_of_a_window_that_nobody_gave_stay_open() -> None:
    first, second = window_of(None, now=NOW)[0].halves()
    assert first.condition("T") == "T < datetime(2026-10-17T12:00:00.0000000Z)"
    assert second.condition("T") == "T >= datetime(2026-10-17T12:00:00.0000000Z)"
