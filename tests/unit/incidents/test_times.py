# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents import times
from hypothesis import given
from hypothesis import strategies as st

NOW = "2026-11-22T12:00:00.0000000Z"


@pytest.mark.parametrize(
    ("given_text", "canonical"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.0000000Z"),
        ("2026-01-31T12:00:00.5Z", "2026-01-31T12:00:00.5000000Z"),
        ("2026-01-31T12:00:43.6266667Z", "2026-01-31T12:00:43.6266667Z"),
        ("2026-01-31T12:00:43.626666789Z", "2026-01-31T12:00:43.6266667Z"),
        ("2026-01-31T12:00:00+01:30", "2026-01-31T10:30:00.0000000Z"),
        ("2026-01-31T12:00:00.25-05:00", "2026-01-31T17:00:00.2500000Z"),
        ("2026-01-31T12:00:00", "2026-01-31T12:00:00.0000000Z"),
        ("2026-01-31 12:00", "2026-01-31T12:00:00.0000000Z"),
        ("2026-01-31", "2026-01-31T00:00:00.0000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000000Z"),
        ("soon", "soon"),
        ("2026-13-01T00:00:00", "2026-13-01T00:00:00"),
        ("2026-99-99T99:99:99Z", "2026-99-99T99:99:99Z"),
        ("2026-02-30T00:00:00Z", "2026-02-30T00:00:00Z"),
        ("2028-02-29T00:00:00Z", "2028-02-29T00:00:00.0000000Z"),
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00+02:00", "0001-01-01T00:00:00+02:00"),
        ("9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59-05:00"),
        (None, None),
        ("", None),
    ],
)
def test_every_way_to_write_an_instant_is_read_into_one_form(given_text: str | None, canonical: str | None) -> None:
    assert times.canonical_time(given_text) == canonical


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-28T00:00:00.0000000Z", True),
        ("2028-02-29T23:59:59.9999999Z", True),
        ("2026-02-30T00:00:00.0000000Z", False),
        ("2026-04-31T00:00:00.0000000Z", False),
        ("2026-13-01T00:00:00.0000000Z", False),
        ("2026-01-01T24:00:00.0000000Z", False),
        ("2026-01-01T00:00:00Z", False),
        ("soon", False),
        (5, False),
    ],
)
def test_an_instant_is_a_day_that_exists_in_the_canonical_form(text: Any, *, expected: bool) -> None:
    assert times.is_instant(text) is expected


@given(
    st.text(max_size=30) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")
)
def test_whatever_a_service_writes_for_an_instant_can_be_read_and_reckoned_with(text: str) -> None:
    canonical = times.canonical_time(text)
    assert times.canonical_time(canonical) == canonical
    if times.is_instant(canonical):
        assert times.shifted(str(canonical), 0.0) == canonical
        times.microseconds_since_epoch(str(canonical))


@given(st.integers(0, 10**17), st.integers(0, 10**17))
def test_canonical_instants_sort_as_text_as_they_do_in_time(first: int, second: int) -> None:
    assert (first < second) == (times._text_of(first) < times._text_of(second))
    assert times._ticks_of(times._text_of(first)) == first


@pytest.mark.parametrize(
    ("option", "instant"),
    [
        ("24h", "2026-11-21T12:00:00.0000000Z"),
        ("7d", "2026-11-15T12:00:00.0000000Z"),
        ("1.5 h", "2026-11-22T10:30:00.0000000Z"),
        ("90", "2026-11-22T11:58:30.0000000Z"),
        ("2W", "2026-11-08T12:00:00.0000000Z"),
        ("99999999w", "1970-01-01T00:00:00.0000000Z"),
        (f"{'9' * 400}d", "1970-01-01T00:00:00.0000000Z"),
        ("2026-11-01", "2026-11-01T00:00:00.0000000Z"),
        ("2026-11-01T08:00:00+01:00", "2026-11-01T07:00:00.0000000Z"),
    ],
)
def test_a_time_option_is_an_instant_or_how_long_ago(option: str, instant: str) -> None:
    assert times.instant_option("updated_since", option, now=NOW) == instant


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "0001-01-01T00:00:00+05:00", "-24h", "24 hours", "2026-11-01' or '1' eq '1"])
def test_a_time_option_that_is_neither_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(OptionError, match="updated_since"):
        times.instant_option("updated_since", text, now=NOW)


def test_an_instant_that_is_shifted_stays_between_the_first_and_the_last() -> None:
    assert times.shifted(NOW, 1e300) == times.LAST
    assert times.shifted(NOW, float("-inf")) == "1970-01-01T00:00:00.0000000Z"
    assert times.shifted("0001-01-01T00:00:01.0000000Z", -300.0) == "0001-01-01T00:00:01.0000000Z"


def test_the_next_tick_is_the_smallest_step_that_the_services_take() -> None:
    assert times.next_tick("2026-12-31T23:59:59.9999999Z") == "2027-01-01T00:00:00.0000000Z"
    assert times.next_tick(times.LAST) == times.LAST
