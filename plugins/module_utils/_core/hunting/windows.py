# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The window of time that a query sees, and its parts.

A window is given as ISO 8601 has it: a duration (`P7D`), or an interval of start and end, of which one may be a duration
(`2026-01-01T00:00:00Z/P1D`). Months and years are refused: how long they are depends on where they begin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from ..errors import OptionError
from ..incidents.times import duration_seconds, instant_option, text_of

RETENTION = timedelta(days=30)
"""How far back both services look where nothing else is said."""

_ISO_DURATION = re.compile(r"P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})(?:[.,](\d{1,7})\d*)?S)?)?")
_TICKS_PER_SECOND = 10_000_000
_FIELD_SECONDS = (604_800, 86_400, 3_600, 60, 1)
_LONGEST_TICKS = 3_650 * 86_400 * _TICKS_PER_SECOND
_HOW_TO = "Give an ISO 8601 duration, such as P7D or PT12H, or an interval, such as 2026-01-01T00:00:00Z/2026-01-08T00:00:00Z."


@dataclass(frozen=True)
class Window:
    """Instants from `start` to `end`.

    :param starts_open: nothing was said about the start: `start` tells only where to begin to divide.
    :param ends_open: nothing was said about the end.
    :param is_part: whether the window is a part of another one; the end of a part belongs to the next one.
    """

    start: datetime
    end: datetime
    starts_open: bool = True
    ends_open: bool = True
    is_part: bool = False

    @property
    def interval(self) -> str:
        """The window as an ISO 8601 interval."""
        return f"{text_of(self.start)}/{text_of(self.end)}"

    def halves(self) -> tuple[Window, Window]:
        """Return two windows that together hold each instant of this one once."""
        middle = self.start + (self.end - self.start) / 2
        first = Window(self.start, middle, starts_open=self.starts_open, ends_open=False, is_part=True)
        return first, Window(middle, self.end, starts_open=False, ends_open=self.ends_open, is_part=self.is_part)

    def condition(self, column: str) -> str | None:
        """Return the KQL condition that the column lies in the window, None where it has no bounds."""
        bounds = []
        if not self.starts_open:
            bounds.append(f"{column} >= datetime({text_of(self.start)})")
        if not self.ends_open:
            bounds.append(f"{column} {'<' if self.is_part else '<='} datetime({text_of(self.end)})")
        return " and ".join(bounds) or None


def window_of(timespan: str | None, *, now: datetime) -> tuple[Window, str | None]:
    """Return the window of the option `timespan`, and the text that Microsoft Graph is given for it.

    :raises OptionError: where it is neither a duration nor an interval, or is empty.
    """
    if timespan is None:
        return Window(now - RETENTION, now), None
    text = timespan.strip()
    first, slash, second = text.partition("/")
    if not slash:
        length = _length(text)
        return Window(_before(now, length), now, starts_open=False), _iso(length)
    if first.startswith("P") and second.startswith("P"):
        raise _wrong(timespan, "an interval needs an instant")
    if first.startswith("P"):
        end = _instant(second, now)
        start = _before(end, _length(first))
    else:
        start = _instant(first, now)
        end = start + _length(second) if second.startswith("P") else _instant(second, now)
    if start >= end:
        raise _wrong(timespan, "its end is not later than its start")
    window = Window(start, end, starts_open=False, ends_open=False)
    return window, window.interval


def duration_ticks(what: str, value: Any) -> int:
    """Return the ticks (100 ns) of a duration: ISO 8601, seconds, or a number with s, m, h, d or w.

    :raises OptionError: for anything else, and for what is longer than ten years.
    """
    text = str(value).strip()
    match = _ISO_DURATION.fullmatch(text)
    if match and any(match.groups()):
        whole = sum(int(part or 0) * seconds for part, seconds in zip(match.groups()[:5], _FIELD_SECONDS))  # noqa: B905 - same length
        ticks = whole * _TICKS_PER_SECOND + int(f"{match[6] or '':0<7}")
    else:
        ticks = round(duration_seconds(what, text) * _TICKS_PER_SECOND)
    if ticks > _LONGEST_TICKS:
        raise OptionError(f"{what} is longer than ten years: '{value}'.", next_step="Give a shorter one.")
    return ticks


def _length(text: str) -> timedelta:
    length = timedelta(microseconds=duration_ticks("timespan", text) // 10)
    if length <= timedelta(0):
        raise _wrong(text, "it is no length of time")
    return length


def _iso(length: timedelta) -> str:
    seconds = length.days * 86_400 + length.seconds
    fraction = f".{length.microseconds:06d}" if length.microseconds else ""
    return f"P{length.days}D" if seconds % 86_400 == 0 and not fraction else f"PT{seconds}{fraction}S"


def _before(moment: datetime, length: timedelta) -> datetime:
    return max(moment - length, datetime(1970, 1, 1, tzinfo=timezone.utc))


def _instant(text: str, now: datetime) -> datetime:
    canonical = instant_option("timespan", text, now=text_of(now))
    moment = datetime.strptime(canonical[:26], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=timezone.utc)
    if not 1970 <= moment.year <= 9000:
        raise _wrong(text, "it lies too far away")
    return moment


def _wrong(text: str, reason: str) -> OptionError:
    return OptionError(f"timespan cannot be '{text}': {reason}.", next_step=_HOW_TO)
