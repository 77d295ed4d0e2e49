# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Instants as text in one form, so that they sort and compare as text: `2026-01-31T12:00:00.1234567Z`.

Both services write up to seven fractional digits (.NET ticks of 100 ns) and drop trailing zeros. A `datetime` holds six,
so a version of an incident would not be told from one that is 100 ns younger: instants stay text with all seven.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import Any

from ..errors import OptionError

_DIGITS = 7
_TICKS_PER_SECOND = 10_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
LAST = "9999-12-31T23:59:59.9999999Z"
"""The last instant that there is: nothing comes after it."""

_UTC_TEXT = re.compile(
    r"((?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])(?:\.([0-9]+))?Z"
)
_ANY_TEXT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?\s*(?:([Zz])|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", re.ASCII)
_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def canonical_time(value: Any) -> str | None:
    """Return an instant in the canonical form, or None for None and the empty text.

    Tolerant: a text without an offset is taken as UTC; what is no instant at all comes back as it is.
    """
    if value is None or value == "":
        return None
    text = str(value)
    match = _UTC_TEXT.fullmatch(text)
    if match and _has_day(match):
        return f"{match[1]}.{(match[3] or '')[:_DIGITS]:0<{_DIGITS}}Z"
    try:
        return _text_of(_ticks_of(text))
    except ValueError:
        return text


def now_text() -> str:
    """Return the present instant in the canonical form."""
    return text_of(datetime.now(timezone.utc))


def text_of(moment: datetime) -> str:
    """Return an aware datetime in the canonical form."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def shifted(instant: str, seconds: float) -> str:
    """Return the canonical instant that lies `seconds` after `instant` (before it, where negative).

    It is never later than `LAST`, and not earlier than 1970, before which no service has anything, unless `instant` is.
    """
    ticks = _ticks_of(instant)
    lowest, highest = min(ticks, 0), _LAST_TICKS
    try:
        moved = ticks + round(seconds * _TICKS_PER_SECOND)
    except OverflowError:
        moved = highest if seconds > 0 else lowest
    return _text_of(max(lowest, min(moved, highest)))


def next_tick(instant: str) -> str:
    """Return the smallest instant after `instant` that the services can tell from it (100 ns); nothing comes after `LAST`."""
    return shifted(instant, 1 / _TICKS_PER_SECOND)


def microseconds_since_epoch(instant: str) -> int:
    """Return the whole microseconds from 1970 to a canonical instant."""
    return _ticks_of(instant) // 10


def is_instant(value: Any) -> bool:
    """Whether `value` is an instant in the canonical form."""
    if not isinstance(value, str):
        return False
    match = _UTC_TEXT.fullmatch(value)
    return match is not None and len(match[3] or "") == _DIGITS and _has_day(match)


def _has_day(match: re.Match[str]) -> bool:
    """Whether the month of a `_UTC_TEXT` has its day: the first 28 are there in each."""
    if match[2] < "29":
        return True
    try:
        date.fromisoformat(match[1][:10])
    except ValueError:
        return False
    return True


def duration_seconds(option: str, value: Any) -> float:
    """Return the seconds of a duration option: a number of seconds, or a number with `s`, `m`, `h`, `d` or `w`.

    :raises OptionError: for anything else.
    """
    match = _DURATION.fullmatch(str(value).strip().lower())
    if not match:
        raise OptionError(
            f"{option} is not a duration: '{value}'.",
            next_step="Give seconds, or a number with a unit, such as 900, 15m, 24h or 7d.",
        )
    return float(match[1]) * _UNIT_SECONDS[match[2]]


def instant_option(option: str, value: Any, *, now: str) -> str:
    """Return the canonical instant of an option: an ISO 8601 date or instant, or a duration before `now`.

    :raises OptionError: for anything else.
    """
    text = str(value).strip()
    if _DURATION.fullmatch(text.lower()):
        return shifted(now, -duration_seconds(option, text))
    try:
        return _text_of(_ticks_of(text))
    except ValueError:
        raise OptionError(
            f"{option} is neither an instant nor a duration: '{value}'.",
            next_step="Give an ISO 8601 instant, such as 2026-01-31 or 2026-01-31T12:00:00Z, or how long ago, such as 24h or 7d.",
        ) from None


def _ticks_of(text: str) -> int:
    """Return the ticks (100 ns) since 1970 of an ISO 8601 instant; raise `ValueError` where it is none."""
    match = _ANY_TEXT.fullmatch(text)
    if not match:
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    if match[9]:
        offset = timedelta(hours=int(match[10]), minutes=int(match[11]))
        try:
            moment = moment + offset if match[9] == "-" else moment - offset
        except OverflowError as exc:
            raise ValueError(text) from exc
    elapsed = moment - _EPOCH
    fraction = int(f"{(match[7] or '')[:_DIGITS]:0<{_DIGITS}}")
    seconds: int = elapsed.days * 86400 + elapsed.seconds
    return seconds * _TICKS_PER_SECOND + fraction


def _text_of(ticks: int) -> str:
    seconds, fraction = divmod(ticks, _TICKS_PER_SECOND)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError as exc:
        raise ValueError(ticks) from exc
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}.{fraction:0{_DIGITS}d}Z"


_LAST_TICKS = _ticks_of(LAST)
